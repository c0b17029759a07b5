//! A text as editors see it: lines, and columns counted in UTF-16 units.

use agama_lang::ast::Span;
use lsp_types::{Position, Range, TextDocumentContentChangeEvent};

/// A text with its lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    source: String,
    /// Where each line begins. Lines end with LF, CRLF or a lone CR, as the protocol says.
    starts: Vec<usize>,
}

impl Text {
    pub(crate) fn new(source: String) -> Self {
        let mut starts = vec![0];
        let bytes = source.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                starts.push(at + 1);
            }
        }
        Self { source, starts }
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The byte of a position. A column past the end of its line is the end of the line; one inside a character is its
    /// start; a line past the end is the end of the text.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let line = usize::try_from(position.line).unwrap_or(usize::MAX);
        let Some(start) = self.starts.get(line).copied() else { return self.source.len() };
        let mut left = usize::try_from(position.character).unwrap_or(usize::MAX);
        let mut offset = start;
        for c in self.line(line).chars() {
            if left < c.len_utf16() {
                break;
            }
            left -= c.len_utf16();
            offset += c.len_utf8();
        }
        offset
    }

    /// The position of a byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.source.len());
        let line = self.line_of(offset);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.source.get(start..offset).unwrap_or_default();
        Position::new(small(line), small(before.encode_utf16().count()))
    }

    /// The 0-based line of a byte.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Where a 0-based line begins; the end of the text for lines that are not there.
    pub(crate) fn line_start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.source.len())
    }

    /// A 0-based line without its end.
    pub(crate) fn line(&self, line: usize) -> &str {
        let text = self.source.get(self.line_start(line)..self.line_start(line.saturating_add(1)));
        text.unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The line end that the text uses.
    pub(crate) fn line_end(&self) -> &'static str {
        if self.source.contains("\r\n") { "\r\n" } else { "\n" }
    }

    pub(crate) fn range(&self, span: Span) -> Range {
        let (start, end) = bytes(span);
        Range::new(self.position(start), self.position(end))
    }

    pub(crate) fn slice(&self, span: Span) -> &str {
        let (start, end) = bytes(span);
        self.source.get(start..end).unwrap_or_default()
    }

    /// The text after an editor's change.
    pub(crate) fn changed(self, change: TextDocumentContentChangeEvent) -> Self {
        let Some(range) = change.range else { return Self::new(change.text) };
        let (one, other) = (self.offset(range.start), self.offset(range.end));
        let mut source = self.source;
        source.replace_range(one.min(other)..one.max(other), &change.text);
        Self::new(source)
    }
}

/// A span as offsets of a string.
pub(crate) fn bytes(span: Span) -> (usize, usize) {
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    (wide(span.start), wide(span.end))
}

/// An offset for the protocol or the tree: texts are far smaller than 4 GiB.
pub(crate) fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf16_units_and_lines_end_with_lf_crlf_or_cr() {
        let text = Text::new("a🦎b\r\nç = \"🦎\"\rx\n".to_owned());
        assert_eq!(text.lines(), 4);
        for (offset, line, column) in [(0, 0, 0), (1, 0, 1), (5, 0, 3), (6, 0, 4), (8, 1, 0), (10, 1, 1)] {
            assert_eq!(text.position(offset), Position::new(line, column), "{offset}");
            assert_eq!(text.offset(Position::new(line, column)), offset);
        }
        assert_eq!(text.line(0), "a🦎b");
        assert_eq!(text.position(99), Position::new(3, 0));
    }

    #[test]
    fn positions_that_are_nowhere_are_the_nearest_place() {
        let text = Text::new("a🦎b\r\nx".to_owned());
        assert_eq!(text.offset(Position::new(0, 2)), 1, "inside a character");
        assert_eq!(text.offset(Position::new(0, 99)), 6, "past the end of the line, before its CR");
        assert_eq!(text.offset(Position::new(7, 0)), 9, "past the last line");
    }

    #[test]
    fn changes_replace_their_range_whichever_way_round_it_is() {
        let change = |start: (u32, u32), end: (u32, u32), text: &str| TextDocumentContentChangeEvent {
            range: Some(Range::new(Position::new(start.0, start.1), Position::new(end.0, end.1))),
            range_length: None,
            text: text.to_owned(),
        };
        let text = Text::new("x = \"🦎\"\r\ny = 1".to_owned());
        let text = text.changed(change((0, 5), (0, 7), "é"));
        assert_eq!(text.source(), "x = \"é\"\r\ny = 1");
        let text = text.changed(change((1, 5), (1, 4), "22"));
        assert_eq!(text.source(), "x = \"é\"\r\ny = 22");
        let text = text.changed(change((0, 7), (1, 0), ""));
        assert_eq!(text.source(), "x = \"é\"y = 22");
    }
}
