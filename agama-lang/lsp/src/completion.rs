//! What may be written at a place.

use std::collections::BTreeSet;

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionTextEdit, Documentation, MarkupContent,
    MarkupKind, Range, TextEdit,
};
use serde_json::{Value, json};

use crate::document::Document;
use crate::hover::{flow_text, routine_text};
use crate::origin;
use crate::server::Server;
use crate::statement::{Place, here};
use crate::text::small;
use crate::words::{self, Stands, WORDS, Word};
use crate::workspace::flow_name;

/// Endings of files that can be shown with `RRF`.
const TEMPLATES: [&str; 6] = [".html", ".htm", ".ftl", ".ftlh", ".ftlx", ".xhtml"];

/// Answers `textDocument/completion`.
pub(crate) fn complete(server: &Server, document: &Document, offset: usize) -> Value {
    let found = here(&document.text, offset);
    let text = &document.text;
    let range = Range::new(text.position(found.replaces.start), text.position(found.replaces.end));
    let mut list = List { range, items: Vec::new() };
    match found.place {
        Place::Nothing => {}
        Place::FlowHeader => {
            let name = document.path.as_deref().and_then(flow_name);
            name.iter()
                .for_each(|name| list.add(name, name, CompletionItemKind::MODULE, "the name of this file"));
        }
        Place::HeaderLine => {
            list.words(|word| word.place == Stands::Header && !has_line(document, word.word))
        }
        Place::Statement { assigned } => {
            let fits = |word: &Word| match word.place {
                Stands::Valued => true,
                Stands::Statement => !assigned,
                Stands::Value => assigned,
                _ => false,
            };
            list.words(fits);
            list.variables(document, offset);
            if !assigned {
                list.words(|word| word.word == "Override templates");
            }
        }
        Place::Value { compared } => {
            list.variables(document, offset);
            list.words(|word| word.place == Stands::Value || (compared && word.word == "not"));
        }
        Place::Words(words) => list.named(words),
        Place::ErrorName => list.add("E", "E", CompletionItemKind::VARIABLE, "holds the error, or null"),
        Place::FlowName => flows(server, document, &mut list),
        Place::Callee => {
            routines(server, &mut list);
            list.variables(document, offset);
        }
        Place::Property { base, path } => {
            for property in origin::properties(server, document, &base, &path, offset) {
                let inserts = spelled(&property.name);
                list.add(&property.name, &inserts, CompletionItemKind::FIELD, &property.about);
            }
        }
        Place::Template { quoted, overriding } => templates(server, document, quoted, overriding, &mut list),
        Place::Basepath => basepaths(server, document, &mut list),
    }
    json!(CompletionList { is_incomplete: false, items: list.items })
}

/// The items, in the order in which they are shown.
struct List {
    range: Range,
    items: Vec<CompletionItem>,
}

impl List {
    fn add(&mut self, label: &str, inserts: &str, kind: CompletionItemKind, detail: &str) {
        self.items.push(CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            detail: Some(detail.to_owned()).filter(|detail| !detail.is_empty()),
            sort_text: Some(format!("{:04}", self.items.len())),
            filter_text: Some(inserts.trim_end().to_owned()),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(self.range, inserts.to_owned()))),
            ..CompletionItem::default()
        });
    }

    /// Says more of the item that was added last.
    fn explain(&mut self, text: String) {
        if let Some(item) = self.items.last_mut() {
            let content = MarkupContent { kind: MarkupKind::Markdown, value: text };
            item.documentation = Some(Documentation::MarkupContent(content));
        }
    }

    fn words(&mut self, fits: impl Fn(&Word) -> bool) {
        for word in WORDS.iter().filter(|word| fits(word)) {
            self.add(word.word, word.inserts, CompletionItemKind::KEYWORD, word.shape);
            self.explain(word.about.to_owned());
        }
    }

    fn named(&mut self, wanted: &[&str]) {
        for wanted in wanted {
            match words::find(wanted) {
                Some(word) if word.word == *wanted => self.words(|other| other.word == *wanted),
                _ => {
                    let inserts = format!("{wanted} ");
                    self.add(wanted, &inserts, CompletionItemKind::KEYWORD, "");
                }
            }
        }
    }

    /// The flow's variables: those that have a value by then first. The one being typed is not offered to itself.
    fn variables(&mut self, document: &Document, offset: usize) {
        let here = small(offset);
        let mut found: Vec<(bool, &str, &str)> = Vec::new();
        for (name, variable) in &document.symbols.variables {
            let elsewhere = |span: &agama_lang::ast::Span| !(span.start <= here && here <= span.end);
            let mut places = variable.definitions.iter().map(|definition| definition.span).filter(elsewhere);
            if let Some(first) = places.next() {
                let detail = variable.definitions.first().map_or("", |definition| role(definition.role));
                found.push((first.start > here, name, detail));
            }
        }
        found.sort_unstable();
        for (_, name, detail) in found {
            self.add(name, name, CompletionItemKind::VARIABLE, detail);
        }
    }
}

fn role(role: agama_lang::symbols::Role) -> &'static str {
    use agama_lang::symbols::Role;
    match role {
        Role::Input => "input",
        Role::Configs => "properties of this flow",
        Role::Assigned => "variable",
        Role::LoopItem => "loop variable",
        Role::Error => "error, or null",
    }
}

/// A property as it is written behind a dot.
fn spelled(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

fn has_line(document: &Document, word: &str) -> bool {
    document.text.source().lines().any(|line| line.split_whitespace().next() == Some(word))
}

fn flows(server: &Server, document: &Document, list: &mut List) {
    let own = document.path.as_deref();
    let mut seen = BTreeSet::new();
    for (name, entry) in server.workspace.flows() {
        // A flow can't Trigger itself.
        if (own.is_some() && entry.path.as_deref() == own) || !seen.insert(name) {
            continue;
        }
        let detail = entry.inputs.join(" ");
        list.add(name, name, CompletionItemKind::MODULE, &detail);
        list.explain(flow_text(name, entry));
    }
}

fn routines(server: &Server, list: &mut List) {
    for routine in server.routines.all() {
        let name = format!("{}#{}", routine.package, routine.function);
        list.add(&name, &name, CompletionItemKind::FUNCTION, &routine.signature);
        list.explain(routine_text(routine));
    }
}

fn templates(server: &Server, document: &Document, quoted: bool, overriding: bool, list: &mut List) {
    let Some(project) = document.path.as_deref().and_then(|path| server.workspace.project_of(path)) else {
        return;
    };
    let base = document.flow.as_ref().map(|flow| flow.basepath.node.as_str()).unwrap_or_default();
    for file in server.workspace.web_files(project) {
        let shown = if overriding || base.is_empty() {
            Some(file)
        } else {
            file.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'))
        };
        let Some(shown) = shown.filter(|_| TEMPLATES.iter().any(|ending| file.ends_with(ending))) else {
            continue;
        };
        let inserts = if quoted { shown.to_owned() } else { format!("\"{shown}\"") };
        list.add(shown, &inserts, CompletionItemKind::FILE, &format!("web/{file}"));
    }
}

fn basepaths(server: &Server, document: &Document, list: &mut List) {
    let Some(project) = document.path.as_deref().and_then(|path| server.workspace.project_of(path)) else {
        return;
    };
    let folders: BTreeSet<&str> = server
        .workspace
        .web_files(project)
        .filter_map(|file| file.rsplit_once('/').map(|(folder, _)| folder))
        .collect();
    for folder in folders {
        list.add(folder, folder, CompletionItemKind::FOLDER, &format!("web/{folder}"));
    }
}
