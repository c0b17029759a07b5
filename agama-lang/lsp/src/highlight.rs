//! Colours with meaning: what each word of a file is. From the words alone, helped by the tree where there is one, so
//! that a half-written line keeps its colours.

use lsp_types::{SemanticToken, SemanticTokens};

use crate::document::Document;
use crate::scan::{self, Kind, Token};
use crate::text::{Text, small};
use agama_lang::symbols::{KEYWORDS, Role};

/// The kinds of tokens, in the order of their numbers.
pub(crate) const TYPES: [&str; 9] =
    ["keyword", "variable", "parameter", "property", "string", "number", "comment", "function", "namespace"];
/// The marks, in the order of their bits.
pub(crate) const MODIFIERS: [&str; 1] = ["declaration"];

const KEYWORD: u32 = 0;
const VARIABLE: u32 = 1;
const PARAMETER: u32 = 2;
const PROPERTY: u32 = 3;
const STRING: u32 = 4;
const NUMBER: u32 = 5;
const COMMENT: u32 = 6;
const FUNCTION: u32 = 7;
const NAMESPACE: u32 = 8;
const DECLARATION: u32 = 1;

/// Words that are keywords only beside others.
const PAIRS: [(&str, &str); 3] = [("Iterate", "over"), ("times", "max"), ("Override", "templates")];

/// Answers `textDocument/semanticTokens/full`.
pub(crate) fn tokens(document: &Document) -> SemanticTokens {
    let text = &document.text;
    let mut data = Vec::new();
    let mut before = (0, 0);
    for line in 0..text.lines() {
        let tokens = scan::line(text.line(line), text.line_start(line));
        for (at, token) in tokens.iter().enumerate() {
            let Some((kind, marks)) = meaning(document, text, &tokens, at) else { continue };
            let start = text.position(token.at.start);
            let shown = text.source().get(token.at.clone()).unwrap_or_default();
            let column = if start.line == before.0 { start.character - before.1 } else { start.character };
            data.push(SemanticToken {
                delta_line: start.line - before.0,
                delta_start: column,
                length: small(shown.encode_utf16().count()),
                token_type: kind,
                token_modifiers_bitset: marks,
            });
            before = (start.line, start.character);
        }
    }
    SemanticTokens { result_id: None, data }
}

fn meaning(document: &Document, text: &Text, tokens: &[Token], at: usize) -> Option<(u32, u32)> {
    let token = tokens.get(at)?;
    let word = Line { text, tokens };
    match token.kind {
        Kind::Comment => Some((COMMENT, 0)),
        Kind::Text if word.touches_before(at, ".") => Some((PROPERTY, 0)),
        Kind::Text => Some((STRING, 0)),
        Kind::Number => Some((NUMBER, 0)),
        Kind::Sign => None,
        Kind::Word => Some(word.meaning(document, at)),
    }
}

/// The tokens of a line.
struct Line<'a> {
    text: &'a Text,
    tokens: &'a [Token],
}

impl<'a> Line<'a> {
    fn shown(&self, at: usize) -> &'a str {
        let token = self.tokens.get(at);
        token.and_then(|token| self.text.source().get(token.at.clone())).unwrap_or_default()
    }

    fn before(&self, at: usize) -> &'a str {
        at.checked_sub(1).map_or("", |at| self.shown(at))
    }

    fn touches_before(&self, at: usize, sign: &str) -> bool {
        let joined =
            |before: &Token| self.tokens.get(at).is_some_and(|token| token.at.start == before.at.end);
        self.before(at) == sign && at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(joined)
    }

    fn meaning(&self, document: &Document, at: usize) -> (u32, u32) {
        let word = self.shown(at);
        let head = self.head_of_name(at);
        let introduced = self.before(head);
        let ahead = self.shown(at + 1);
        if introduced == "Trigger" || introduced == "Flow" {
            return (NAMESPACE, if introduced == "Flow" { DECLARATION } else { 0 });
        }
        if self.touches_before(at, "#") {
            return (FUNCTION, 0);
        }
        if introduced == "Call" && self.has_hash(at) {
            return (NAMESPACE, 0);
        }
        if self.touches_before(at, ".") {
            return (PROPERTY, 0);
        }
        if ahead == ":" {
            return (PROPERTY, 0);
        }
        let paired = PAIRS
            .iter()
            .any(|(one, two)| (*one == word && ahead == *two) || (*two == word && self.before(at) == *one));
        if KEYWORDS.contains(&word) || paired {
            return (KEYWORD, 0);
        }
        let start = self.tokens.get(at).map_or(0, |token| small(token.at.start));
        let variable = document.symbols.variables.get(word);
        // Definitions stand in the order of the source, so that of an input is the first.
        let definition = variable.and_then(|variable| {
            variable.definitions.binary_search_by_key(&start, |definition| definition.span.start).ok()
        });
        let first = variable.and_then(|variable| variable.definitions.first());
        let input = first.is_some_and(|definition| definition.role == Role::Input);
        (if input { PARAMETER } else { VARIABLE }, if definition.is_some() { DECLARATION } else { 0 })
    }

    /// Where the qualified name that this word belongs to begins.
    fn head_of_name(&self, mut at: usize) -> usize {
        while at > 1 && self.touches_before(at, ".") {
            at -= 2;
        }
        at
    }

    /// Whether the qualified name that goes on here has a `#`.
    fn has_hash(&self, mut at: usize) -> bool {
        while self.shown(at + 1) == "." {
            at += 2;
        }
        self.shown(at + 1) == "#"
    }
}
