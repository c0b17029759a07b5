//! Mends for findings: what the hint says, done.

use std::path::Path;

use agama_lang::ast::Span;
use agama_lang::diagnostic::{Code, Diagnostic};
use lsp_types::{Position, Range, TextEdit};
use serde_json::{Value, json};

use crate::address::address_of;
use crate::document::Document;
use crate::near::nearest;
use crate::server::{Server, diagnostic};
use crate::text::bytes;
use crate::workspace::flow_name;

/// What a new template holds.
const NEW_TEMPLATE: &str = "\
{% extends \"agamid/base.html\" %}
{% import \"agamid/forms.html\" as forms %}
{% block title %}{% endblock %}
{% block content %}
{% call forms.form(step) %}
{{ forms.button(\"Continue\") }}
{% endcall %}
{% endblock %}
";

/// Answers `textDocument/codeAction`: mends for the findings that a range touches.
pub(crate) fn actions(server: &Server, document: &Document, range: Range) -> Vec<Value> {
    let (start, end) = (document.text.offset(range.start), document.text.offset(range.end));
    let touched = document.findings.iter().filter(|finding| {
        let (first, last) = bytes(finding.span);
        first <= end && start <= last
    });
    touched.flat_map(|finding| for_finding(server, document, finding)).collect()
}

fn for_finding(server: &Server, document: &Document, finding: &Diagnostic) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut mend = |title: String, edits: Vec<TextEdit>| {
        let changes = json!({"changes": {document.uri.as_str(): edits}});
        found.push(action(document, finding, title, changes, true));
    };
    if let Some(fix) = &finding.fix {
        let edit = |(span, text): &(Span, String)| TextEdit::new(document.text.range(*span), text.clone());
        mend(fix.title.clone(), fix.edits.iter().map(edit).collect());
    } else if let Some(name) = finding.hint.as_deref().and_then(meant) {
        let range = document.text.range(finding.span);
        mend(format!("Write {name}"), vec![TextEdit::new(range, name.to_owned())]);
    }
    if let Some((span, name)) = meant_of_workspace(server, document, finding) {
        let range = document.text.range(span);
        mend(format!("Write {name}"), vec![TextEdit::new(range, name)]);
    }
    let expected = document.path.as_deref().and_then(flow_name);
    if let (Code::NameMismatch, Some(name)) = (finding.code, expected) {
        let range = document.text.range(finding.span);
        mend(format!("Name the flow {name}, like its file"), vec![TextEdit::new(range, name)]);
    }
    if let Some((title, edits)) = create_template(server, document, finding) {
        found.push(action(document, finding, title, edits, true));
    }
    if finding.code.can_be_allowed() {
        let number = finding.code.number();
        let here = json!({"changes": {document.uri.as_str(): [silence_here(document, finding)]}});
        found.push(action(document, finding, format!("Allow {number} here"), here, false));
        let file = json!({"changes": {document.uri.as_str(): [silence_file(document, number)]}});
        found.push(action(document, finding, format!("Allow {number} in this file"), file, false));
    }
    found
}

fn action(document: &Document, finding: &Diagnostic, title: String, edit: Value, preferred: bool) -> Value {
    json!({
        "title": title,
        "kind": "quickfix",
        "diagnostics": [diagnostic(document, finding)],
        "isPreferred": preferred,
        "edit": edit,
    })
}

/// The name in a hint `did you mean name?`.
fn meant(hint: &str) -> Option<&str> {
    let name = hint.strip_prefix("did you mean ")?.split('?').next()?;
    (!name.contains(char::is_whitespace)).then_some(name)
}

/// The flow, template or function that was meant: where it stands, and what to write there.
fn meant_of_workspace(server: &Server, document: &Document, finding: &Diagnostic) -> Option<(Span, String)> {
    let symbols = &document.symbols;
    match finding.code {
        Code::MissingFlow => {
            let site = symbols.triggers.iter().find(|site| site.flow.span == finding.span)?;
            let own = document.path.as_deref();
            let others =
                server.workspace.flows().filter(|(_, entry)| own.is_none() || entry.path.as_deref() != own);
            let name = nearest(&site.flow.node, others.map(|(name, _)| name))?;
            Some((site.flow.span, name.to_owned()))
        }
        Code::MissingTemplate => {
            let site = symbols.templates.iter().find(|site| site.template.span == finding.span)?;
            let project = server.workspace.project_of(document.path.as_deref()?)?;
            let path = nearest(&site.path, server.workspace.web_files(project))?;
            let base = site.path.strip_suffix(site.template.node.as_str())?;
            Some((site.template.span, format!("\"{}\"", path.strip_prefix(base)?)))
        }
        Code::MissingRoutine => {
            let site = symbols.calls.iter().find(|site| site.package.span == finding.span)?;
            let name = nearest(&site.function.node, server.routines.of(&site.package.node))?;
            Some((site.function.span, name.to_owned()))
        }
        _ => None,
    }
}

/// A comment on a line of its own above the finding; or, where such a comment stands there, the code behind it.
fn silence_here(document: &Document, finding: &Diagnostic) -> TextEdit {
    let text = &document.text;
    let number = finding.code.number();
    let line = text.line_of(bytes(finding.span).0);
    let above = line.checked_sub(1).map(|above| (above, text.line(above)));
    if let Some((above, allowed)) = above.filter(|(_, line)| line.trim_start().starts_with("// allow AGM")) {
        let codes = allowed.split(':').next().unwrap_or(allowed).trim_end().len();
        let at = text.position(text.line_start(above) + codes);
        return TextEdit::new(Range::new(at, at), format!(" {number}"));
    }
    let shown = text.line(line);
    let indent = shown.get(..shown.len() - shown.trim_start_matches([' ', '\t']).len()).unwrap_or_default();
    let at = text.position(text.line_start(line));
    TextEdit::new(Range::new(at, at), format!("{indent}// allow {number}{}", text.line_end()))
}

fn silence_file(document: &Document, number: &str) -> TextEdit {
    let bom = if document.text.source().starts_with('\u{feff}') { 1 } else { 0 };
    let at = Position::new(0, bom);
    TextEdit::new(Range::new(at, at), format!("// allow {number}{}", document.text.line_end()))
}

/// Creates the template that is missing, where the editor can create files.
fn create_template(server: &Server, document: &Document, finding: &Diagnostic) -> Option<(String, Value)> {
    if finding.code != Code::MissingTemplate || !server.client.creates_files {
        return None;
    }
    let site = document.symbols.templates.iter().find(|site| site.template.span == finding.span)?;
    let inside = site.path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if !inside || !site.path.ends_with(".html") {
        return None;
    }
    let project = server.workspace.project_of(document.path.as_deref()?)?;
    let uri = address_of(&project.join("web").join(Path::new(&site.path)))?;
    let start = Range::default();
    let edit = json!({"documentChanges": [
        {"kind": "create", "uri": uri, "options": {"ignoreIfExists": true}},
        {"textDocument": {"uri": uri, "version": null}, "edits": [TextEdit::new(start, NEW_TEMPLATE.to_owned())]},
    ]});
    Some((format!("Create web/{}", site.path), edit))
}
