//! One canonical layout for every flow: 4 blanks a level, one blank between words, at most one empty line, LF.
//! Comments stay where they are; the meaning never changes; formatting twice is formatting once.
//!
//! | file | what |
//! | --- | --- |
//! | `tokens.rs` | a logical line as tokens and comments |
//! | `shape.rs` | how one logical line is laid out, over several lines if it must |

mod shape;
mod tokens;

use crate::diagnostic::{Diagnostic, Sink};
use crate::layout::{self, Line};
use crate::parse::parse;
use shape::{INDENT, Rows, shape};
use tokens::{Token, tokens};

/// The canonical text of a source, or its syntax errors. `file` is what findings call it.
pub fn format(source: &str, file: &str) -> Result<String, Vec<Diagnostic>> {
    let (flow, found) = parse(source, file);
    if flow.is_none() {
        return Err(found);
    }
    let lines = layout::lines(source, &mut Sink::new(source, file, &mut Vec::new()));
    Ok(Writer::new(source, &lines).write())
}

/// What stands between two logical lines.
enum Between<'a> {
    Blank,
    Comment { indent: usize, text: &'a str },
}

struct Writer<'a> {
    source: &'a str,
    lines: &'a [Line],
    out: String,
    /// Indents of the open blocks, as the author wrote them.
    open: Vec<usize>,
    /// An empty line is due before the next thing that is written.
    blank: bool,
    /// The lines seen so far belong to the header.
    in_header: bool,
}

impl<'a> Writer<'a> {
    fn new(source: &'a str, lines: &'a [Line]) -> Self {
        let out = String::with_capacity(source.len());
        Self { source, lines, out, open: Vec::new(), blank: false, in_header: true }
    }

    fn write(mut self) -> String {
        let mut at = 0;
        let mut end = 0;
        while let Some(line) = self.lines.get(at) {
            let (start, stop) = range(line);
            let (trailing, between) = self.gap(end, start);
            self.append_comment(trailing);
            let before = self.open.clone();
            self.open_and_close(line.indent);
            self.between(&between, &before);
            end = stop;
            at += 1 + self.line(at, line, &mut end);
        }
        let (trailing, between) = self.gap(end, self.source.len());
        self.append_comment(trailing);
        let before = std::mem::replace(&mut self.open, vec![0]);
        self.between(&between, &before);
        self.out
    }

    /// The rest of the line that ends at `from`, a comment or nothing; and the lines between it and `to`.
    fn gap(&self, from: usize, to: usize) -> (Option<&'a str>, Vec<Between<'a>>) {
        let text = self.source.get(from..to).unwrap_or_default();
        let mut parts = text.trim_start_matches('\u{feff}').split('\n').peekable();
        let trailing =
            if from == 0 { None } else { parts.next().map(str::trim).filter(|text| !text.is_empty()) };
        let mut between = Vec::new();
        while let Some(part) = parts.next() {
            let text = part.trim();
            if !text.is_empty() {
                let indent = part.chars().take_while(|c| matches!(c, ' ' | '\t')).count();
                between.push(Between::Comment { indent, text });
            } else if parts.peek().is_some() {
                between.push(Between::Blank);
            }
        }
        (trailing, between)
    }

    fn append_comment(&mut self, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.out.truncate(self.out.trim_end_matches('\n').len());
            self.out.push(' ');
            self.out.push_str(comment);
            self.out.push('\n');
        }
    }

    fn open_and_close(&mut self, indent: usize) {
        while self.open.last().is_some_and(|open| *open > indent) {
            self.open.pop();
        }
        if self.open.last().is_none_or(|open| *open < indent) {
            self.open.push(indent);
        }
    }

    fn depth(&self) -> usize {
        self.open.len().saturating_sub(1)
    }

    /// Writes the comments before the next logical line, which `open` knows already; `before` are the blocks open
    /// behind the last one. A comment belongs to the deepest of these blocks that it is indented enough for.
    fn between(&mut self, between: &[Between<'_>], before: &[usize]) {
        let opens = self.open.len() > before.len();
        let leaves_header = self.in_header && !before.is_empty() && self.depth() == 0;
        let mut in_header = self.in_header;
        let mut at_start = opens;
        for item in between {
            match item {
                Between::Blank => self.blank |= !(in_header && !before.is_empty() || at_start),
                Between::Comment { indent, text } => {
                    let fits = before.iter().filter(|open| **open <= *indent).count().saturating_sub(1);
                    let depth = if opens { self.depth() } else { fits.max(self.depth()) };
                    if leaves_header && in_header && depth == 0 {
                        (self.blank, in_header) = (true, false);
                    }
                    self.row(depth, text);
                    at_start = false;
                }
            }
        }
        if leaves_header && in_header {
            self.blank = true;
        }
        self.in_header &= !leaves_header;
    }

    /// Writes a logical line; answers how many further ones it took with it.
    fn line(&mut self, at: usize, line: &Line, end: &mut usize) -> usize {
        let (start, stop) = range(line);
        let tokens = tokens(self.source.get(start..stop).unwrap_or_default());
        if line.text.starts_with("Override templates") {
            return self.overrides(at, line, &tokens, end);
        }
        let mut rows = Rows::new(self.depth() * INDENT);
        shape(&tokens, &mut rows);
        self.rows(rows);
        0
    }

    /// One pair stands beside `Override templates`, several stand below it.
    fn overrides(&mut self, at: usize, line: &Line, tokens: &[Token<'_>], end: &mut usize) -> usize {
        let pairs = tokens.get(2..).unwrap_or_default();
        let below = self.lines.get(at + 1..).unwrap_or_default();
        let below = below.iter().take_while(|next| next.indent == line.indent && next.text.starts_with('"'));
        let below: Vec<&Line> = below.collect();
        if let ([], [only]) = (pairs, below.as_slice()) {
            let (start, stop) = range(only);
            let apart = self.source.get(*end..start).is_some_and(|gap| gap.contains("//"));
            if !apart {
                *end = stop;
                let text = self.source.get(start..stop).unwrap_or_default();
                let mut joined = tokens.to_vec();
                joined.extend(tokens::tokens(text));
                let mut rows = Rows::new(self.depth() * INDENT);
                shape(&joined, &mut rows);
                self.rows(rows);
                return 1;
            }
        }
        let mut rows = Rows::new(self.depth() * INDENT);
        let several = pairs.len() > 2 || !pairs.is_empty() && !below.is_empty();
        if several {
            shape(tokens.get(..2).unwrap_or_default(), &mut rows);
            for pair in pairs.chunks(2) {
                rows.next(self.depth() * INDENT);
                shape(pair, &mut rows);
            }
        } else {
            shape(tokens, &mut rows);
        }
        self.rows(rows);
        0
    }

    fn row(&mut self, depth: usize, text: &str) {
        self.begin();
        self.out.extend(std::iter::repeat_n(' ', depth * INDENT));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn rows(&mut self, rows: Rows) {
        self.begin();
        for row in rows.finish() {
            self.out.push_str(row.trim_end());
            self.out.push('\n');
        }
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.blank) && !self.out.is_empty() {
            self.out.push('\n');
        }
    }
}

fn range(line: &Line) -> (usize, usize) {
    let span = line.whole();
    (usize::try_from(span.start).unwrap_or(0), usize::try_from(span.end).unwrap_or(0))
}
