//! A logical line as tokens. Only lines that parse come here, so that words need no closer look.

/// A piece of a logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A word, number, string or variable with its accessors, without blanks.
    Word(std::borrow::Cow<'a, str>),
    /// One of `= | , : [ ] { }`.
    Mark(char),
    /// A comment inside the logical line.
    Comment {
        /// From the `//` on.
        text: &'a str,
        /// Nothing stands before it in its line.
        alone: bool,
    },
}

impl Token<'_> {
    /// The text, comments aside.
    pub(super) fn text(&self) -> &str {
        match self {
            Token::Word(text) => text,
            Token::Mark('=') => "=",
            Token::Mark('|') => "|",
            Token::Mark(',') => ",",
            Token::Mark(':') => ":",
            Token::Mark('[') => "[",
            Token::Mark(']') => "]",
            Token::Mark('{') => "{",
            Token::Mark(_) => "}",
            Token::Comment { .. } => "",
        }
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text() == text
    }
}

/// Splits a logical line, from its first to its last token in the source.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut alone = false;
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let skipped = rest.len() - trimmed.len();
        alone |= rest.get(..skipped).is_some_and(|blanks| blanks.contains('\n'));
        rest = trimmed;
        let Some(first) = rest.chars().next() else { return found };
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            found.push(Token::Comment { text: rest.get(..length).unwrap_or_default().trim_end(), alone });
            length
        } else if is_mark(first) || first == '[' {
            found.push(Token::Mark(first));
            first.len_utf8()
        } else {
            let length = word(rest);
            found.push(Token::Word(without_index_blanks(rest.get(..length).unwrap_or_default())));
            length
        };
        alone = false;
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '=' | '|' | ',' | ':' | ']' | '{' | '}')
}

/// The length of the word at the start of `text`: accessors, with blanks in their brackets, belong to it.
fn word(text: &str) -> usize {
    let mut in_string = false;
    let mut in_index = false;
    for (at, c) in text.char_indices() {
        let ends = matches!(c, ' ' | '\t' | '\r' | '\n') || is_mark(c) || text.get(at..at + 2) == Some("//");
        match c {
            '"' => in_string = !in_string,
            _ if in_string => {}
            '[' => in_index = true,
            ']' if in_index => in_index = false,
            _ if ends && !in_index => return at.max(c.len_utf8()),
            _ => {}
        }
    }
    text.len()
}

/// `x[ 0 ]` is `x[0]`.
fn without_index_blanks(word: &str) -> std::borrow::Cow<'_, str> {
    if word.starts_with('"') || !word.contains([' ', '\t']) {
        return word.into();
    }
    let mut in_string = false;
    let kept = word.chars().filter(|c| {
        in_string ^= *c == '"';
        in_string || !matches!(c, ' ' | '\t')
    });
    kept.collect::<String>().into()
}
