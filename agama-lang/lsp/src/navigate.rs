//! The thing at a place: where it is defined, and where else it stands.

use std::path::Path;

use agama_lang::ast::Span;
use agama_lang::parse::parse_partial;
use agama_lang::symbols::{CallSite, Symbols, TemplateSite};
use lsp_types::{DocumentHighlight, DocumentHighlightKind, Location, Position, Range};
use serde_json::{Value, json};

use crate::address::address_of;
use crate::document::Document;
use crate::origin;
use crate::scan::{self, Kind};
use crate::server::Server;
use crate::text::{Text, bytes};

/// What stands at a place.
pub(crate) enum Thing<'a> {
    Variable(&'a str),
    Template(&'a TemplateSite),
    /// A flow's qualified name, in its header or behind `Trigger`.
    Flow(&'a str),
    Routine(&'a CallSite),
    /// Any other word.
    Word(&'a str),
}

/// What stands at an offset, and where it begins and ends.
pub(crate) fn thing_at(document: &Document, offset: usize) -> Option<(Thing<'_>, Span)> {
    if let Some((name, span)) = document.variable_at(offset) {
        return Some((Thing::Variable(name), span));
    }
    let symbols = &document.symbols;
    if let Some(site) = symbols.templates.iter().find(|site| covers(site.template.span, offset)) {
        return Some((Thing::Template(site), site.template.span));
    }
    if let Some(site) = symbols.triggers.iter().find(|site| covers(site.flow.span, offset)) {
        return Some((Thing::Flow(&site.flow.node), site.flow.span));
    }
    for site in &symbols.calls {
        let whole = Span { start: site.package.span.start, end: site.function.span.end };
        if covers(whole, offset) {
            return Some((Thing::Routine(site), whole));
        }
    }
    let header = document.flow.as_ref().map(|flow| &flow.name).filter(|name| !name.node.is_empty());
    if let Some(name) = header.filter(|name| covers(name.span, offset)) {
        return Some((Thing::Flow(&name.node), name.span));
    }
    word_at(&document.text, offset)
}

fn word_at(text: &Text, offset: usize) -> Option<(Thing<'_>, Span)> {
    let line = text.line_of(offset);
    let tokens = scan::line(text.line(line), text.line_start(line));
    let at = tokens
        .iter()
        .position(|token| token.kind == Kind::Word && token.at.start <= offset && offset <= token.at.end)?;
    // Behind a dot a word is a property, whatever it looks like.
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    let token = tokens.get(at)?;
    if before.is_some_and(|before| {
        before.at.end == token.at.start && text.source().get(before.at.clone()) == Some(".")
    }) {
        return None;
    }
    let span = Span { start: crate::text::small(token.at.start), end: crate::text::small(token.at.end) };
    Some((Thing::Word(text.source().get(token.at.clone())?), span))
}

fn covers(span: Span, offset: usize) -> bool {
    let (start, end) = bytes(span);
    start <= offset && offset <= end
}

/// Answers `textDocument/definition`.
pub(crate) fn definition(server: &Server, document: &Document, offset: usize) -> Value {
    let Some((thing, _)) = thing_at(document, offset) else { return Value::Null };
    let found: Vec<Location> = match thing {
        Thing::Variable(name) => origin::definitions(document, name, offset)
            .into_iter()
            .map(|definition| here(document, definition.span))
            .collect(),
        Thing::Template(site) => {
            let file = document.path.as_deref().and_then(|path| server.workspace.template(path, &site.path));
            file.and_then(|file| on_line(&file, 0)).into_iter().collect()
        }
        Thing::Flow(name) => {
            let entry = server.workspace.flow(document.path.as_deref(), name);
            let file = entry.and_then(|entry| entry.path.as_deref());
            file.and_then(|file| header_of(server, file)).into_iter().collect()
        }
        Thing::Routine(site) => {
            let routine = server.routines.find(&site.package.node, &site.function.node);
            let declared = routine.and_then(|routine| routine.declared.as_ref());
            declared.and_then(|at| on_line(&at.file, at.line)).into_iter().collect()
        }
        Thing::Word(_) => Vec::new(),
    };
    json!(found)
}

/// Answers `textDocument/references`.
pub(crate) fn references(server: &Server, document: &Document, offset: usize, declared: bool) -> Value {
    let Some((thing, _)) = thing_at(document, offset) else { return Value::Null };
    match thing {
        Thing::Variable(name) => {
            let Some(variable) = document.symbols.variables.get(name) else { return Value::Null };
            let definitions = variable.definitions.iter().map(|definition| definition.span);
            let uses = variable.uses.iter().map(|place| place.span);
            let mut spans: Vec<Span> = definitions.filter(|_| declared).chain(uses).collect();
            spans.sort_by_key(|span| span.start);
            json!(spans.into_iter().map(|span| here(document, span)).collect::<Vec<_>>())
        }
        Thing::Flow(name) => {
            let header = server.workspace.flow(document.path.as_deref(), name);
            let header =
                header.filter(|_| declared).and_then(|entry| header_of(server, entry.path.as_deref()?));
            let mut found: Vec<Location> = header.into_iter().collect();
            found.extend(everywhere(server, |_, symbols| {
                let sites = symbols.triggers.iter().filter(|site| site.flow.node == name);
                sites.map(|site| site.flow.span).collect()
            }));
            json!(found)
        }
        Thing::Template(wanted) => {
            let file = document.path.as_deref();
            let project = file.and_then(|file| server.workspace.project_of(file));
            json!(everywhere(server, |path, symbols| {
                if server.workspace.project_of(path) != project {
                    return Vec::new();
                }
                let sites = symbols.templates.iter().filter(|site| site.path == wanted.path);
                sites.map(|site| site.template.span).collect()
            }))
        }
        Thing::Routine(wanted) => json!(everywhere(server, |_, symbols| {
            let same = |site: &&CallSite| {
                site.package.node == wanted.package.node && site.function.node == wanted.function.node
            };
            symbols.calls.iter().filter(same).map(|site| site.function.span).collect()
        })),
        Thing::Word(_) => Value::Null,
    }
}

/// Answers `textDocument/documentHighlight`.
pub(crate) fn highlights(document: &Document, offset: usize) -> Value {
    let variable = document.variable_at(offset).and_then(|(name, _)| document.symbols.variables.get(name));
    let Some(variable) = variable else { return Value::Null };
    let mark = |span: Span, writes: bool| DocumentHighlight {
        range: document.text.range(span),
        kind: Some(if writes { DocumentHighlightKind::WRITE } else { DocumentHighlightKind::READ }),
    };
    let definitions = variable.definitions.iter().map(|definition| mark(definition.span, true));
    let uses = variable.uses.iter().map(|place| mark(place.span, place.changes));
    json!(definitions.chain(uses).collect::<Vec<_>>())
}

/// The places that `find` names, in every flow of the workspace.
fn everywhere(server: &Server, find: impl Fn(&Path, &Symbols) -> Vec<Span>) -> Vec<Location> {
    let mut found = Vec::new();
    for path in server.workspace.files() {
        let Some((text, symbols, uri)) = read(server, path) else { continue };
        let spans = find(path, &symbols);
        found.extend(spans.into_iter().map(|span| Location::new(uri.clone(), text.range(span))));
    }
    found
}

fn read(server: &Server, path: &Path) -> Option<(Text, Symbols, lsp_types::Uri)> {
    let text = server.text_of(path)?;
    let symbols = Symbols::of(&parse_partial(text.source(), "").0?);
    Some((text, symbols, address_of(path)?))
}

fn here(document: &Document, span: Span) -> Location {
    Location::new(document.uri.clone(), document.text.range(span))
}

fn on_line(path: &Path, line: u32) -> Option<Location> {
    let start = Position::new(line, 0);
    Some(Location::new(address_of(path)?, Range::new(start, start)))
}

/// The name in the header of a flow's file; its start where it has none.
fn header_of(server: &Server, path: &Path) -> Option<Location> {
    let text = server.text_of(path)?;
    let name = parse_partial(text.source(), "").0.map(|flow| flow.name.span);
    let range = name.map(|span| text.range(span)).unwrap_or_default();
    Some(Location::new(address_of(path)?, range))
}
