//! What is expected next, while the arguments of a `Call` or `Trigger` are typed.

use lsp_types::{
    Documentation, MarkupContent, MarkupKind, ParameterInformation, ParameterLabel, SignatureHelp,
    SignatureInformation,
};
use serde_json::{Value, json};

use crate::document::Document;
use crate::scan::{self, Kind};
use crate::server::Server;
use crate::text::small;

/// Answers `textDocument/signatureHelp`.
pub(crate) fn help(server: &Server, document: &Document, offset: usize) -> Value {
    let found = call_before(document, offset).and_then(|call| signature(server, document, &call));
    json!(found)
}

/// The call whose arguments are typed.
struct CallBefore {
    trigger: bool,
    /// The flow, or `package#function`.
    name: String,
    /// Which argument, from 0.
    argument: usize,
}

/// Words that touch are one: `form.login`, `package#function`.
fn call_before(document: &Document, offset: usize) -> Option<CallBefore> {
    let text = &document.text;
    let start = text.line_start(text.line_of(offset));
    let before = text.source().get(start..offset)?;
    let tokens = scan::line(before, start);
    let mut words: Vec<(std::ops::Range<usize>, Kind)> = Vec::new();
    for token in tokens {
        match words.last_mut() {
            Some((word, kind)) if word.end == token.at.start && token.kind != Kind::Comment => {
                word.end = token.at.end;
                *kind = token.kind;
            }
            _ => words.push((token.at, token.kind)),
        }
    }
    if words.last().is_some_and(|(_, kind)| *kind == Kind::Comment) {
        return None;
    }
    let shown = |at: usize| words.get(at).and_then(|(word, _)| text.source().get(word.clone()));
    let at = (0..words.len()).find(|at| matches!(shown(*at), Some("Call" | "Trigger")))?;
    let name = shown(at + 1)?.to_owned();
    let after = words.len().checked_sub(at + 2)?;
    // A word that is being typed is an argument already begun; behind a blank the next one begins.
    let typing = words.last().is_some_and(|(word, _)| word.end == offset);
    let argument = if typing { after.checked_sub(1)? } else { after };
    Some(CallBefore { trigger: shown(at) == Some("Trigger"), name, argument })
}

fn signature(server: &Server, document: &Document, call: &CallBefore) -> Option<SignatureHelp> {
    let (label, parts, docs) = if call.trigger {
        let entry = server.workspace.flow(document.path.as_deref(), &call.name)?;
        (call.name.clone(), entry.inputs.clone(), entry.about.clone())
    } else {
        let (package, function) = call.name.split_once('#')?;
        let routine = server.routines.find(package, function)?;
        let params = routine.params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
        (call.name.clone(), params, routine.docs.clone())
    };
    let mut shown = label;
    let mut parameters = Vec::new();
    for part in &parts {
        shown.push_str("  ");
        let start = small(shown.encode_utf16().count());
        shown.push_str(part);
        let end = small(shown.encode_utf16().count());
        let label = ParameterLabel::LabelOffsets([start, end]);
        parameters.push(ParameterInformation { label, documentation: None });
    }
    let content = MarkupContent { kind: MarkupKind::Markdown, value: docs };
    let signature = SignatureInformation {
        label: shown,
        documentation: Some(Documentation::MarkupContent(content)),
        parameters: Some(parameters),
        active_parameter: Some(small(call.argument)),
    };
    Some(SignatureHelp {
        signatures: vec![signature],
        active_signature: Some(0),
        active_parameter: Some(small(call.argument)),
    })
}
