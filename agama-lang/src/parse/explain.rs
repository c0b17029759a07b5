//! What is wrong with a line that is no statement, and how it is said in Agama.
//!
//! `tokens.rs` cuts the line roughly, without a grammar; `habits.rs` knows what other languages write; `shapes.rs` and
//! `literals.rs` know how a statement, or the list or map in it, should look.

mod habits;
mod literals;
mod shapes;
mod tokens;

use self::tokens::Look;
use crate::diagnostic::{Code, Sink};
use crate::layout::Line;

/// What is said about a line: the part of it that is wrong, message and hint.
struct Verdict {
    code: Code,
    start: usize,
    end: usize,
    message: String,
    hint: String,
}

impl Verdict {
    fn new(
        code: Code,
        (start, end): (usize, usize),
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { code, start, end, message: message.into(), hint: hint.into() }
    }
}

/// Reports a line that is no statement; `at` is the offset up to which the grammar understood it.
pub(super) fn statement(line: &Line, at: usize, sink: &mut Sink<'_>) {
    let look = Look::new(&line.text, at);
    let rules = habits::RULES.iter().chain(shapes::RULES);
    let verdict = rules.into_iter().find_map(|rule| rule(&look)).unwrap_or_else(|| rest(&look));
    say(line, verdict, sink);
}

/// Reports a line below `Match` that is no label.
pub(super) fn label(line: &Line, sink: &mut Sink<'_>) {
    let look = Look::new(&line.text, 0);
    let (message, hint) = match look.word(0) {
        Some("Otherwise") => (
            "this Otherwise stands among the labels",
            "Otherwise stands in the column of its Match, behind the last label's block",
        ),
        Some("case" | "default") => (
            "a label is only its value",
            "write the value alone in its line, the statements indented below it; Otherwise instead of default",
        ),
        _ if look.text.ends_with(':') => ("a label has no colon", "write the value alone in its line"),
        _ => (
            "this is no label of a Match",
            "below Match stand labels (a literal or a variable each), and indented below each its statements",
        ),
    };
    say(line, Verdict::new(Code::Syntax, look.whole(), message, hint), sink);
}

fn say(line: &Line, verdict: Verdict, sink: &mut Sink<'_>) {
    let end = verdict.end.min(line.text.len());
    let span = line.span(verdict.start.min(end), end);
    sink.error(verdict.code, span, verdict.message, verdict.hint);
}

/// Nothing more is known than where the grammar stopped.
fn rest(look: &Look<'_>) -> Verdict {
    let hint = shapes::shape(look);
    if look.at >= look.text.len() {
        let end = look.text.len();
        return Verdict::new(Code::Syntax, (end, end), "the line ends too early", hint);
    }
    let (start, end) = look.stop();
    let word = look.text.get(start..end).unwrap_or_default();
    let foreign = word.chars().next().filter(|c| !c.is_ascii());
    let message = if let Some(c) = foreign {
        let hint = if c.is_whitespace() || c.escape_debug().len() > 1 {
            "delete it, or put an ordinary blank there"
        } else {
            "names are made of the letters a to z, digits and _; other characters stand in strings and comments"
        };
        let end = start + c.len_utf8();
        let message = format!("the character {} (U+{:04X}) can't stand here", c.escape_debug(), u32::from(c));
        return Verdict::new(Code::Syntax, (start, end), message, hint);
    } else if start == 0 {
        format!("`{word}` begins no statement")
    } else {
        format!("`{word}` can't stand here")
    };
    Verdict::new(Code::Syntax, (start, end), message, hint)
}

/// What kind of block a line opens, as far as its words tell.
pub(super) enum Opens {
    Statements,
    Loop,
    Arms,
    Overrides,
    Header,
}

/// Guesses the block below a line that could not be read.
pub(super) fn opens(text: &str) -> Opens {
    let look = Look::new(text, 0);
    let has = |words: &[&str]| words.iter().any(|word| look.has(word));
    if look.word(0) == Some("Flow") {
        Opens::Header
    } else if matches!(look.word(0), Some("Match" | "switch")) {
        Opens::Arms
    } else if matches!(look.word(0), Some("for" | "while" | "foreach" | "do")) || has(&["Repeat", "Iterate"])
    {
        Opens::Loop
    } else if has(&["Trigger"]) {
        Opens::Overrides
    } else {
        Opens::Statements
    }
}

/// The first word of a text.
pub(super) fn first(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// The first keyword among the words of a text.
pub(super) fn keyword_in(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| tokens::KEYWORDS.contains(word))
}

/// Whether a word is another one with a slip: other case, one letter more, less or different, two swapped.
pub(super) fn near(word: &str, meant: &str) -> bool {
    if word == meant || word.len() < 2 {
        return false;
    }
    if word.eq_ignore_ascii_case(meant) {
        return true;
    }
    let (a, b) = (word.to_ascii_lowercase(), meant.to_ascii_lowercase());
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let longest = a.len().max(b.len());
    let one = a.len().abs_diff(b.len()) <= 1 && start + end + 1 >= longest;
    let swapped = a.len() == b.len()
        && start + end + 2 >= longest
        && a.get(start) == b.get(start + 1)
        && a.get(start + 1) == b.get(start);
    meant.len() > 2 && (one || swapped)
}
