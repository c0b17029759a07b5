//! The words of a text, without a grammar: works in texts that can't be parsed.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `// …`
    Comment,
    /// `"…"`, or from a quote to the end of the line.
    Text,
    /// Digits.
    Number,
    /// A name or keyword.
    Word,
    /// Any other character.
    Sign,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: Range<usize>,
}

/// The tokens of one line, or of the part of it that is given. `from` is added to their places.
pub(crate) fn line(text: &str, from: usize) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        let (kind, length) = token(rest, first);
        if !matches!(first, ' ' | '\t' | '\u{feff}') {
            found.push(Token { kind, at: from + at..from + at + length });
        }
        at += length;
    }
    found
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    let until = |end: fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
    if rest.starts_with("//") {
        (Kind::Comment, rest.len())
    } else if first == '"' {
        let inside = rest.get(1..).unwrap_or_default();
        (Kind::Text, inside.find('"').map_or(rest.len(), |close| close + 2))
    } else if first.is_ascii_digit() {
        let digits = until(|c| !c.is_ascii_digit());
        let tail = rest.get(digits..).unwrap_or_default();
        let fraction =
            tail.strip_prefix('.').map(|tail| tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len()));
        (Kind::Number, digits + fraction.filter(|length| *length > 0).map_or(0, |length| length + 1))
    } else if first.is_ascii_alphabetic() {
        (Kind::Word, until(|c| !(c.is_ascii_alphanumeric() || c == '_')))
    } else {
        (Kind::Sign, first.len_utf8())
    }
}

/// A line up to its comment.
pub(crate) fn without_comment(text: &str) -> &str {
    let comment = line(text, 0).into_iter().find(|token| token.kind == Kind::Comment);
    text.get(..comment.map_or(text.len(), |token| token.at.start)).unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(Kind, &str)> {
        line(text, 0).into_iter().map(|token| (token.kind, &text[token.at])).collect()
    }

    #[test]
    fn a_line_falls_into_its_tokens() {
        use Kind::{Comment, Number, Sign, Text, Word};
        assert_eq!(
            shown("  x.y = \"a // b\" -12.5 // c \""),
            [
                (Word, "x"),
                (Sign, "."),
                (Word, "y"),
                (Sign, "="),
                (Text, "\"a // b\""),
                (Sign, "-"),
                (Number, "12.5"),
                (Comment, "// c \""),
            ]
        );
        assert_eq!(shown("ü \"open"), [(Sign, "ü"), (Text, "\"open")]);
        assert_eq!(shown("3.x"), [(Number, "3"), (Sign, "."), (Word, "x")]);
    }
}
