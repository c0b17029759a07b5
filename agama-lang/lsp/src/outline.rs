//! The outline of a file, and flows by name.

use agama_lang::ast::Span;
use agama_lang::symbols::{OutlineItem, OutlineKind};
use lsp_types::{Range, SymbolKind};
use serde_json::{Value, json};

use crate::address::address_of;
use crate::document::Document;
use crate::server::Server;

/// Answers `textDocument/documentSymbol`.
pub(crate) fn outline(document: &Document) -> Value {
    let Some(flow) = document.flow.as_ref().filter(|flow| !flow.name.node.is_empty()) else {
        return json!([]);
    };
    let mut children: Vec<Value> = Vec::new();
    let header = flow
        .configs
        .iter()
        .map(|name| (name, "properties"))
        .chain(flow.inputs.iter().map(|name| (name, "input")));
    for (name, what) in header {
        let range = document.text.range(name.span);
        children.push(entry(&name.node, what, SymbolKind::VARIABLE, range, range, Vec::new()));
    }
    children.extend(document.symbols.outline.iter().map(|item| symbol(document, item)));
    let all = Range::new(Default::default(), document.text.position(document.text.source().len()));
    json!([entry(
        &flow.name.node,
        "flow",
        SymbolKind::MODULE,
        all,
        document.text.range(flow.name.span),
        children
    )])
}

fn symbol(document: &Document, item: &OutlineItem) -> Value {
    let (kind, what) = match item.kind {
        OutlineKind::Page => (SymbolKind::INTERFACE, "page"),
        OutlineKind::Redirect => (SymbolKind::EVENT, "redirect"),
        OutlineKind::Subflow => (SymbolKind::MODULE, "subflow"),
        OutlineKind::Call => (SymbolKind::FUNCTION, "call"),
        OutlineKind::Condition => (SymbolKind::BOOLEAN, "condition"),
        OutlineKind::Choice => (SymbolKind::ENUM, "choice"),
        OutlineKind::Label => (SymbolKind::ENUM_MEMBER, "label"),
        OutlineKind::Loop => (SymbolKind::ARRAY, "loop"),
        OutlineKind::End => (SymbolKind::CONSTANT, "end"),
    };
    let name = item.label(document.text.source());
    let children = item.children.iter().map(|child| symbol(document, child)).collect();
    let whole = Span { start: item.whole.start, end: item.whole.end.max(item.span.end) };
    entry(&name, what, kind, document.text.range(whole), document.text.range(item.span), children)
}

fn entry(
    name: &str,
    detail: &str,
    kind: SymbolKind,
    range: Range,
    selection: Range,
    children: Vec<Value>,
) -> Value {
    json!({
        "name": name,
        "detail": detail,
        "kind": kind,
        "range": range,
        "selectionRange": selection,
        "children": children,
    })
}

/// Answers `workspace/symbol`: flows whose name contains the letters of the query in order.
pub(crate) fn flows(server: &Server, query: &str) -> Value {
    let found = server.workspace.flows().filter(|(name, _)| contains_in_order(name, query));
    let shown: Vec<Value> = found
        .filter_map(|(name, entry)| {
            let uri = address_of(entry.path.as_deref()?)?;
            let location = json!({"uri": uri, "range": Range::default()});
            Some(json!({"name": name, "kind": SymbolKind::MODULE, "location": location}))
        })
        .collect();
    json!(shown)
}

fn contains_in_order(name: &str, query: &str) -> bool {
    let mut letters = name.chars().map(|c| c.to_ascii_lowercase());
    query.chars().all(|wanted| letters.any(|c| c == wanted.to_ascii_lowercase()))
}
