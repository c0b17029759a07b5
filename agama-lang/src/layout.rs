//! From text to logical lines: comments and blank lines gone, literals and conditions that span lines joined, each
//! line with its indent and a map back to the source.

use crate::ast::Span;
use crate::diagnostic::{Code, Sink};
use crate::source::{fits, to_u32};

/// One literal is at most this long, in bytes.
pub const MAX_LITERAL: usize = 64 * 1024;
/// So many findings about the shape of one source are reported; a text that has more is no flow.
pub const MOST_FINDINGS: usize = 1_000;
/// Blocks, and literals, nest at most this deep.
pub const MAX_NESTING: usize = 200;

/// One logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Characters before the first token.
    pub indent: usize,
    /// The text without indent, comment and trailing blanks; parts of several physical lines joined by one blank.
    pub text: String,
    /// Whether its shape was reported already, so that nothing more need be said when it can't be read.
    pub reported: bool,
    /// Where parts of `text` stand in the source: (offset in `text`, offset in the source), ascending.
    parts: Vec<(usize, usize)>,
}

impl Line {
    /// The source span of a range of `text`.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let begin = self.source_offset(start);
        let finish = if end > start { self.source_offset(end - 1) + 1 } else { begin };
        Span { start: to_u32(begin), end: to_u32(finish.max(begin)) }
    }

    /// The span of the whole line.
    pub fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    fn source_offset(&self, offset: usize) -> usize {
        let index = self.parts.partition_point(|(at, _)| *at <= offset);
        let (at, source) = self.parts.get(index.saturating_sub(1)).copied().unwrap_or_default();
        source + (offset - at)
    }
}

/// One physical line that has a token.
struct Physical<'a> {
    indent: usize,
    text: &'a str,
    at: usize,
}

/// Splits a source into logical lines; nothing when it is too large to be looked at.
pub fn lines(source: &str, sink: &mut Sink<'_>) -> Vec<Line> {
    if fits(source.len(), sink) { join(&physical_lines(source, sink), sink) } else { Vec::new() }
}

/// Characters that no source may hold, with their names.
const BAD: [(char, &str); 2] = [('\0', "a NUL character"), ('\u{c}', "a form feed")];

fn physical_lines<'a>(source: &'a str, sink: &mut Sink<'_>) -> Vec<Physical<'a>> {
    let mut found = Vec::new();
    let start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut at = start;
    let mut lone = false;
    for raw in source.get(start..).unwrap_or_default().split_inclusive(['\n', '\r']) {
        let begin = at;
        at += raw.len();
        if raw.ends_with('\r') && !source.get(at..).is_some_and(|rest| rest.starts_with('\n')) && !lone {
            // Reported once, and taken for the line end it was meant to be: files of old editors have thousands.
            lone = true;
            let message = "a carriage return alone ends no line";
            sink.error(
                Code::BadCharacter,
                place(at - 1, 1),
                message,
                "save the file with LF or CRLF line ends",
            );
        }
        let text = raw.trim_end_matches(['\n', '\r']);
        for (bad, name) in BAD {
            if let Some(offset) = text.find(bad).filter(|_| sink.count() < MOST_FINDINGS) {
                let message = format!("{name} may not stand in a source");
                sink.error(Code::BadCharacter, place(begin + offset, 1), message, "delete it");
            }
        }
        let body = text.trim_start_matches(BLANKS);
        let skipped = text.len() - body.len();
        let indent = text.bytes().take(skipped).filter(|byte| matches!(byte, b' ' | b'\t')).count();
        let code = body.get(..comment_start(body)).unwrap_or(body).trim_end_matches(BLANKS);
        if !code.is_empty() {
            found.push(Physical { indent, text: code, at: begin + skipped });
        }
    }
    found
}

/// What may stand around the code of a line; the last two were reported already.
const BLANKS: [char; 4] = [' ', '\t', '\u{c}', '\0'];

fn place(at: usize, length: usize) -> Span {
    Span { start: to_u32(at), end: to_u32(at + length) }
}

/// Where a comment begins in a line: at `//` outside a string; at the end if there is none.
pub(crate) fn comment_start(text: &str) -> usize {
    let mut in_string = false;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => in_string = !in_string,
            b'/' if !in_string && bytes.get(at + 1) == Some(&b'/') => return at,
            _ => {}
        }
    }
    text.len()
}

/// How deep brackets are open at the end of `text`, starting from `depth`, and the deepest they ever were.
fn depth_after(text: &str, mut depth: usize) -> (usize, usize) {
    let mut in_string = false;
    let mut deepest = depth;
    for byte in text.bytes() {
        match byte {
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (depth, deepest)
}

fn join(physical: &[Physical<'_>], sink: &mut Sink<'_>) -> Vec<Line> {
    let mut joined = Vec::new();
    let mut rest = physical.iter().peekable();
    while let Some(first) = rest.next() {
        let mut line = Line {
            indent: first.indent,
            text: first.text.to_owned(),
            reported: false,
            parts: vec![(0, first.at)],
        };
        let (mut depth, mut deepest) = depth_after(first.text, 0);
        while let Some(next) = rest.peek() {
            let goes_on = if depth > 0 {
                literal_goes_on(&mut line, next, sink)
            } else {
                condition_goes_on(&line, next, sink)
            };
            if !goes_on {
                break;
            }
            line.text.push(' ');
            line.parts.push((line.text.len(), next.at));
            line.text.push_str(next.text);
            (depth, deepest) = {
                let (after, most) = depth_after(next.text, depth);
                (after, deepest.max(most))
            };
            rest.next();
        }
        if deepest > MAX_NESTING {
            let message = format!("literals nest {deepest} deep; {MAX_NESTING} are allowed");
            sink.error(Code::TooLarge, line.whole(), message, "build the value in several assignments");
        } else if line.text.len() > MAX_LITERAL {
            let message = format!("this line has {} bytes; {MAX_LITERAL} are allowed", line.text.len());
            sink.error(Code::TooLarge, line.whole(), message, "move the data into the flow's configuration");
        } else {
            joined.push(line);
        }
    }
    joined
}

/// An open list or map goes on in the next line, if the break is beside a comma. A break elsewhere is reported once
/// per literal, and joined all the same when the next line can't be a statement: one mistake gives one message.
fn literal_goes_on(line: &mut Line, next: &Physical<'_>, sink: &mut Sink<'_>) -> bool {
    let text = line.text.as_str();
    if text.ends_with(',') || next.text.starts_with(',') {
        return true;
    }
    if !assigns_literal(text) {
        return false;
    }
    let opens = text.ends_with(['[', '{', ':']);
    let no_statement = next.text.starts_with([']', '}', '[', '{', '"', '-']) || is_entry(next.text);
    if !opens && !no_statement {
        return false;
    }
    if !line.reported {
        line.reported = true;
        sink.error(
            Code::LiteralBreak,
            place(next.at, next.text.len()),
            "a list or map may go on in the next line only beside a comma",
            "put the first element behind the opening bracket, the closing bracket behind the last element, and a comma between two",
        );
    }
    true
}

/// Whether a line begins `target = [` or `target = {`.
fn assigns_literal(text: &str) -> bool {
    text.split_once('=').is_some_and(|(_, value)| value.trim_start().starts_with(['[', '{']))
}

/// Whether a line reads `name: …`, as only the inside of a map does.
fn is_entry(text: &str) -> bool {
    let name = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    name > 0 && text.get(name..).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

fn condition_goes_on(line: &Line, next: &Physical<'_>, sink: &mut Sink<'_>) -> bool {
    if !(starts_with_word(&line.text, "When") || starts_with_word(&line.text, "Quit")) {
        return false;
    }
    let ends = ends_with_word(&line.text, "and") || ends_with_word(&line.text, "or");
    let begins = starts_with_word(next.text, "and") || starts_with_word(next.text, "or");
    // In another column only what can be nothing else is taken for the rest of the condition.
    let connects = begins || ends && (next.indent == line.indent || next.text.contains(" is "));
    if connects && next.indent != line.indent {
        let message = format!(
            "the condition goes on in column {}; it must go on in column {}, below its When",
            next.indent + 1,
            line.indent + 1
        );
        let hint = "align the line with the When it belongs to";
        sink.error(Code::ConditionColumn, place(next.at, next.text.len()), message, hint);
    }
    connects
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(continues_name))
}

fn ends_with_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|rest| rest.ends_with([' ', '\t', '"', ']']))
}

fn continues_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> (Vec<(usize, String)>, usize) {
        let mut found = Vec::new();
        let mut sink = Sink::new(source, "test", &mut found);
        let lines = lines(source, &mut sink);
        (lines.into_iter().map(|line| (line.indent, line.text)).collect(), found.len())
    }

    #[test]
    fn comments_and_blank_lines_vanish_but_not_inside_strings() {
        let (lines, errors) = texts("\u{feff}// x\r\n\r\na = \"b // c\" // d\r\n   \n\tb = 1");
        assert_eq!(errors, 0);
        assert_eq!(lines, [(0, "a = \"b // c\"".to_owned()), (1, "b = 1".to_owned())]);
    }

    #[test]
    fn literals_go_on_beside_commas_with_comments_in_between() {
        let (lines, errors) = texts("a = [1, // one\n // two\n      2\n , 3]\nb = 1");
        assert_eq!(errors, 0);
        assert_eq!(lines, [(0, "a = [1, 2 , 3]".to_owned()), (0, "b = 1".to_owned())]);
        assert_eq!(texts("a = [\n 1]").1, 1);
    }

    #[test]
    fn conditions_go_on_in_the_column_of_their_when() {
        let (lines, errors) = texts("  When a is b\n\n  and c is d or\n  e is f\n    Finish true");
        assert_eq!(errors, 0);
        assert_eq!(lines[0], (2, "When a is b and c is d or e is f".to_owned()));
        assert_eq!(texts("When a is b\n  and c is d").1, 1);
    }

    #[test]
    fn spans_lead_back_to_the_source() {
        let source = "a = [1,\n     22]";
        let mut found = Vec::new();
        let line = lines(source, &mut Sink::new(source, "test", &mut found)).remove(0);
        let at = line.text.find("22").unwrap();
        let span = line.span(at, at + 2);
        assert_eq!(&source[span.start as usize..span.end as usize], "22");
    }
}
