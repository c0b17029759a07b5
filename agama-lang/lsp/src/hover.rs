//! What is said of the thing at a place.

use agama_lang::symbols::{Definition, Role};
use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};
use serde_json::{Value, json};

use crate::document::Document;
use crate::navigate::{Thing, thing_at};
use crate::origin::{self, Origin};
use crate::server::Server;
use crate::settings::Routine;
use crate::words;
use crate::workspace::FlowEntry;

/// So many places where a variable is assigned are listed.
const MOST_PLACES: usize = 6;

/// Answers `textDocument/hover`.
pub(crate) fn hover(server: &Server, document: &Document, offset: usize) -> Value {
    let Some((thing, span)) = thing_at(document, offset) else { return Value::Null };
    let value = match thing {
        Thing::Variable(name) => variable(server, document, name, offset),
        Thing::Template(site) => {
            let posted = origin::posted(server, document, site);
            template(server, document, &site.path, &posted)
        }
        Thing::Flow(name) => {
            let entry = server.workspace.flow(document.path.as_deref(), name);
            entry.map_or_else(
                || format!("No flow `{name}` is in this workspace."),
                |entry| flow_text(name, entry),
            )
        }
        Thing::Routine(site) => match server.routines.find(&site.package.node, &site.function.node) {
            Some(routine) => routine_text(routine),
            None => return Value::Null,
        },
        Thing::Word(word) => match words::find(word) {
            Some(word) => format!("```agama\n{}\n```\n\n{}", word.shape, word.about),
            None => return Value::Null,
        },
    };
    let contents = HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value });
    json!(Hover { contents, range: Some(document.text.range(span)) })
}

/// A flow, for people.
pub(crate) fn flow_text(name: &str, entry: &FlowEntry) -> String {
    let mut out = format!("```agama\nTrigger {name}");
    for input in &entry.inputs {
        out.push_str(&format!(" {input}"));
    }
    out.push_str("\n```");
    if !entry.about.is_empty() {
        out.push_str(&format!("\n\n{}", entry.about));
    }
    out
}

/// A routine, for people.
pub(crate) fn routine_text(routine: &Routine) -> String {
    let mut out = format!("```wit\n// {}\n{}\n```", routine.package, routine.signature);
    if !routine.docs.is_empty() {
        out.push_str(&format!("\n\n{}", routine.docs));
    }
    out
}

fn variable(server: &Server, document: &Document, name: &str, offset: usize) -> String {
    let definitions = origin::definitions(document, name, offset);
    if definitions.is_empty() && name == agama_lang::symbols::IDX {
        return "The counters of the loops that run: `idx[0]` is that of the outermost, from 0.".to_owned();
    }
    if definitions.is_empty() {
        return format!("Nothing assigns `{name}`.");
    }
    let mut out = String::new();
    for definition in definitions.iter().take(MOST_PLACES) {
        let line = document.text.range(definition.span).start.line + 1;
        let what = match definition.role {
            Role::Input => "an input of this flow",
            Role::Configs => "the properties of this flow, from `project.json`",
            Role::LoopItem => "takes each element in turn",
            Role::Error => "the error that was caught, or null",
            Role::Assigned => "assigned",
        };
        out.push_str(&format!("line {line}: {what}\n"));
        if !matches!(definition.role, Role::Input | Role::Configs) {
            out.push_str(&format!(
                "```agama\n{}\n```\n",
                one_line(document.text.slice(definition.statement))
            ));
        }
        out.push_str(&more(server, document, definition));
    }
    out.truncate(out.trim_end().len());
    let left = definitions.len().saturating_sub(MOST_PLACES);
    if left > 0 {
        out.push_str(&format!("\n\nand in {left} more places"));
    }
    out
}

/// What is known of the value that a definition gives.
fn more(server: &Server, document: &Document, definition: &Definition) -> String {
    match origin::origin(document, definition) {
        Origin::Page(site) => {
            let posted = origin::posted(server, document, site);
            if posted.is_empty() { String::new() } else { format!("fields: {}\n\n", listed(&posted)) }
        }
        Origin::Routine(site) if definition.role == Role::Assigned => {
            let routine = server.routines.find(&site.package.node, &site.function.node);
            let result = routine.map(|routine| routine.result.as_str()).filter(|result| !result.is_empty());
            result.map(|result| format!("`{result}`\n\n")).unwrap_or_default()
        }
        Origin::Subflow(site) => format!("what `{}` finished with\n\n", site.flow.node),
        _ => String::new(),
    }
}

fn template(server: &Server, document: &Document, path: &str, posted: &[String]) -> String {
    let there = document.path.as_deref().and_then(|file| server.workspace.template(file, path));
    match there {
        None => format!("`web/{path}`"),
        Some(_) if posted.is_empty() => format!("`web/{path}` posts no field that its text names."),
        Some(_) => format!("`web/{path}` posts {}.", listed(posted)),
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
