//! A line cut into pieces, roughly: good enough to find what its author meant.

pub(super) use crate::parse::KEYWORDS;

/// The words that begin a statement or stand behind its `=`.
pub(super) const VERBS: &[&str] = &[
    "Log",
    "Finish",
    "RRF",
    "RFAC",
    "Call",
    "Trigger",
    "When",
    "Otherwise",
    "Match",
    "Repeat",
    "Iterate",
    "Quit",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and underscores, beginning with a letter or underscore.
    Word,
    /// Digits and what is stuck to them.
    Number,
    /// A closed string.
    Text,
    /// A string that never closes.
    Open,
    /// Anything else: operators as one piece, other characters alone.
    Sign,
}

/// One piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Operators of other languages that are one piece.
const OPERATORS: &[&str] = &[
    "===", "!==", "==", "!=", "<>", "&&", "||", "<=", ">=", "=>", "->", "++", "--", "+=", "-=", "*=", "/=",
    ":=", "??", "?.", "/*", "*/", "::", "${",
];

/// A line, its pieces, and how far the grammar got.
pub(super) struct Look<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) tokens: Vec<Token>,
}

impl<'a> Look<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        let mut tokens = Vec::new();
        let mut start = 0;
        while let Some(c) = text.get(start..).and_then(|rest| rest.chars().next()) {
            let rest = text.get(start..).unwrap_or_default();
            let (kind, length) = piece(c, rest);
            if !matches!(c, ' ' | '\t') {
                tokens.push(Token { kind, start, end: start + length });
            }
            start += length;
        }
        Self { text, at: at.min(text.len()), tokens }
    }

    /// The text of a token; empty behind the last one.
    pub(super) fn piece(&self, number: usize) -> &'a str {
        self.tokens.get(number).map_or("", |token| self.text.get(token.start..token.end).unwrap_or_default())
    }

    /// The text of a token that is a word.
    pub(super) fn word(&self, number: usize) -> Option<&'a str> {
        self.tokens.get(number).filter(|token| token.kind == Kind::Word).map(|_| self.piece(number))
    }

    pub(super) fn kind(&self, number: usize) -> Option<Kind> {
        self.tokens.get(number).map(|token| token.kind)
    }

    /// Start and end of a token.
    pub(super) fn span(&self, number: usize) -> (usize, usize) {
        self.tokens.get(number).map_or((self.text.len(), self.text.len()), |token| (token.start, token.end))
    }

    pub(super) fn whole(&self) -> (usize, usize) {
        (0, self.text.len())
    }

    /// Whether blanks stand before a token.
    pub(super) fn apart(&self, number: usize) -> bool {
        let before = number.checked_sub(1).and_then(|before| self.tokens.get(before));
        before.is_none_or(|before| self.tokens.get(number).is_some_and(|token| token.start > before.end))
    }

    /// The number of the first token that is one of these words or signs.
    pub(super) fn find(&self, pieces: &[&str]) -> Option<usize> {
        (0..self.tokens.len()).find(|number| {
            !matches!(self.kind(*number), Some(Kind::Text | Kind::Open))
                && pieces.contains(&self.piece(*number))
        })
    }

    /// Whether this word or sign is there, outside strings.
    pub(super) fn has(&self, piece: &str) -> bool {
        self.find(&[piece]).is_some()
    }

    /// The number of the token at which the grammar stopped.
    pub(super) fn stopped(&self) -> usize {
        self.tokens.iter().position(|token| token.end > self.at).unwrap_or(self.tokens.len())
    }

    /// The part at which the grammar stopped: up to the next blank, a string as a whole.
    pub(super) fn stop(&self) -> (usize, usize) {
        let number = self.stopped();
        let (start, end) = self.span(number);
        let start = start.max(self.at);
        if self.kind(number) == Some(Kind::Sign) {
            return (start, end);
        }
        (start, end.max(start))
    }

    /// The number of the verb of the statement: its first word, or the one behind `=`.
    pub(super) fn verb(&self) -> usize {
        if self.word(0).is_some_and(|word| VERBS.contains(&word)) {
            return 0;
        }
        self.find(&["="]).map_or(0, |number| number + 1)
    }
}

fn piece(c: char, rest: &str) -> (Kind, usize) {
    let run = |accept: fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
    if matches!(c, ' ' | '\t') {
        return (Kind::Sign, run(|c| matches!(c, ' ' | '\t')));
    }
    if c == '"' {
        let inner = rest.get(1..).unwrap_or_default();
        return match inner.find('"') {
            Some(end) => (Kind::Text, end + 2),
            None => (Kind::Open, rest.len()),
        };
    }
    if c.is_ascii_alphabetic() || c == '_' {
        return (Kind::Word, run(|c| c.is_ascii_alphanumeric() || c == '_'));
    }
    if c.is_ascii_digit() {
        return (Kind::Number, run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
    }
    let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
    (Kind::Sign, operator.map_or(c.len_utf8(), |operator| operator.len()))
}
