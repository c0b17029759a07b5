//! A new name for a variable.

use std::path::Path;

use lsp_server::ErrorCode;
use lsp_types::TextEdit;
use serde_json::{Value, json};

use crate::address::address_of;
use crate::document::Document;
use crate::navigate::{Thing, thing_at};
use crate::requests::Refusal;
use crate::server::Server;
use crate::text::Text;
use agama_lang::ast::Span;
use agama_lang::symbols::IDX;

/// Answers `textDocument/prepareRename`: the name at the place, if it can be renamed.
pub(crate) fn prepare(document: &Document, offset: usize) -> Result<Value, Refusal> {
    let (name, span) = renamed(document, offset)?;
    Ok(json!({"range": document.text.range(span), "placeholder": name}))
}

/// Answers `textDocument/rename`. The name of an input is changed in `project.json` too, where `launchable` has it.
pub(crate) fn rename(
    server: &Server,
    document: &Document,
    offset: usize,
    to: &str,
) -> Result<Value, Refusal> {
    let (name, _) = renamed(document, offset)?;
    let places = document.symbols.rename(name, to).map_err(|error| refuse(error.to_string()))?;
    let edits: Vec<TextEdit> =
        places.into_iter().map(|span| TextEdit::new(document.text.range(span), to.to_owned())).collect();
    let mut changes = serde_json::Map::new();
    changes.insert(document.uri.as_str().to_owned(), json!(edits));
    if document.symbols.is_input(name)
        && let Some((file, edits)) = launchable(server, document, name, to)
        && let Some(address) = address_of(&file)
    {
        changes.insert(address.as_str().to_owned(), json!(edits));
    }
    Ok(json!({"changes": changes}))
}

fn renamed(document: &Document, offset: usize) -> Result<(&str, Span), Refusal> {
    if !document.is_whole() {
        return Err(refuse(
            "mend the errors of this file first: not every place of a name can be found".to_owned(),
        ));
    }
    match thing_at(document, offset) {
        Some((Thing::Variable(IDX), _)) => {
            Err(refuse("idx holds the counters of the loops; it keeps its name".to_owned()))
        }
        Some((Thing::Variable(name), span)) => Ok((name, span)),
        Some((Thing::Flow(_), _)) => Err(refuse(
            "a flow has the name of its file; rename the file, its header, and what Triggers it".to_owned(),
        )),
        _ => Err(refuse("only variables can be renamed".to_owned())),
    }
}

fn refuse(reason: String) -> Refusal {
    (ErrorCode::RequestFailed, reason)
}

/// The edits of `project.json` that keep an input launchable under its new name.
fn launchable(
    server: &Server,
    document: &Document,
    from: &str,
    to: &str,
) -> Option<(std::path::PathBuf, Vec<TextEdit>)> {
    let project: &Path = server.workspace.project_of(document.path.as_deref()?)?;
    let file = project.join("project.json");
    let text = server.text_of(&file)?;
    let flow = &document.flow.as_ref()?.name.node;
    let span = listed(text.source(), flow, from)?;
    Some((file, vec![TextEdit::new(text_range(&text, span), to.to_owned())]))
}

fn text_range(text: &Text, (start, end): (usize, usize)) -> lsp_types::Range {
    lsp_types::Range::new(text.position(start), text.position(end))
}

/// Where `launchable` lists an input of a flow, without the quotes. Looks at the text, so that nothing else of it
/// changes.
fn listed(json: &str, flow: &str, input: &str) -> Option<(usize, usize)> {
    let after = |from: usize, wanted: &str| {
        json.get(from..).and_then(|rest| rest.find(wanted)).map(|at| from + at + wanted.len())
    };
    let list = after(after(after(0, "\"launchable\"")?, &format!("\"{flow}\""))?, "[")?;
    let end = list + json.get(list..)?.find(']')?;
    let start = list + json.get(list..end)?.find(&format!("\"{input}\""))? + 1;
    Some((start, start + input.len()))
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn an_input_is_found_in_launchable_only() {
        let json =
            r#"{"configs": {"a.b": {"hint": 1}}, "launchable": {"a.c": ["hint"], "a.b": [ "x", "hint" ]}}"#;
        let (start, end) = listed(json, "a.b", "hint").unwrap();
        assert_eq!((&json[start..end], start > json.find("\"x\"").unwrap()), ("hint", true));
        assert_eq!(listed(json, "a.b", "y"), None);
        assert_eq!(listed(json, "a.d", "hint"), None);
        assert_eq!(listed("{", "a", "b"), None);
    }
}
