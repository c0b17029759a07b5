//! Source texts, and places in them.

use crate::ast::Span;
use crate::diagnostic::{Code, Diagnostic, Sink};

/// Sources are at most this long, in bytes.
pub const MAX_SOURCE: usize = 1024 * 1024;

/// The text of a file's bytes, or why it is none.
pub fn text<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, Vec<Diagnostic>> {
    let mut found = Vec::new();
    if fits(bytes.len(), &mut Sink::new("", file, &mut found)) {
        match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => {
                let at = error.valid_up_to();
                let (good, bad) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
                let good = std::str::from_utf8(good).unwrap_or_default();
                let message = match (at, bad) {
                    (0, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) => "the file is UTF-16, not UTF-8".to_owned(),
                    _ => format!("the byte 0x{:02X} is no UTF-8", bad.first().copied().unwrap_or_default()),
                };
                let here = Span { start: to_u32(at), end: to_u32(at) };
                let mut sink = Sink::new(good, file, &mut found);
                sink.error(Code::BadCharacter, here, message, "save the file as UTF-8");
            }
        }
    }
    Err(found)
}

/// Whether a source is small enough to be looked at; reports it if not.
pub(crate) fn fits(length: usize, sink: &mut Sink<'_>) -> bool {
    if length > MAX_SOURCE {
        let message = format!("the source has {length} bytes; {MAX_SOURCE} are allowed");
        sink.error(Code::TooLarge, Span::default(), message, "split the flow into subflows and Trigger them");
    }
    length <= MAX_SOURCE
}

/// Finds line and column of a byte offset.
#[derive(Debug, Clone)]
pub struct LineIndex<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Indexes a source text.
    pub fn new(source: &'a str) -> Self {
        let starts = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { source, starts }
    }

    /// 1-based line and column (in characters) of an offset; offsets past the end count as the end.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.source.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.source.get(start..offset).map_or(0, |text| text.chars().count());
        (to_u32(line), to_u32(column).saturating_add(1))
    }

    /// The text of a 1-based line, without its end.
    pub fn line(&self, line: u32) -> &'a str {
        let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(self.source.len());
        let end = self.starts.get(index + 1).copied().unwrap_or(self.source.len());
        self.source.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// The text of a span.
    pub fn text(&self, span: crate::ast::Span) -> &'a str {
        let place = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        self.source.get(place(span.start)..place(span.end)).unwrap_or_default()
    }

    /// The text of a span on one line, shortened where it is long.
    pub(crate) fn excerpt(&self, span: crate::ast::Span) -> String {
        const LONGEST: usize = 60;
        let text = self.text(span);
        let mut words = String::new();
        for word in text.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
            if words.len() > LONGEST {
                break;
            }
        }
        match words.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
            None => words,
        }
    }

    /// Whether the last line is ended.
    pub(crate) fn ends_with_newline(&self) -> bool {
        self.source.ends_with('\n')
    }

    /// The length of the source in bytes.
    pub(crate) fn len(&self) -> u32 {
        to_u32(self.source.len())
    }
}

/// Saturating conversion: sources are at most 1 MiB.
pub(crate) fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::LineIndex;

    #[test]
    fn columns_count_characters() {
        let index = LineIndex::new("ab\r\nçé = 1\n");
        assert_eq!(index.line_column(0), (1, 1));
        assert_eq!(index.line_column(4), (2, 1));
        assert_eq!(index.line_column(8), (2, 3));
        assert_eq!(index.line_column(99), (3, 1));
        assert_eq!(index.line(2), "çé = 1");
    }
}
