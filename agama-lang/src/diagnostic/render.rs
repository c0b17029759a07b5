//! A finding as text, with the lines of the source that it speaks of.

use super::Diagnostic;
use crate::ast::Span;
use crate::source::LineIndex;

/// One marked stretch of a line.
struct Mark<'a> {
    line: u32,
    column: u32,
    width: usize,
    sign: char,
    label: &'a str,
}

/// One finding as text, with its source line, for people.
pub fn render(finding: &Diagnostic, source: &str) -> String {
    render_in(finding, &LineIndex::new(source))
}

/// Like [`render`], for many findings in one source.
pub(crate) fn render_in(finding: &Diagnostic, index: &LineIndex<'_>) -> String {
    let mut marks = vec![primary(finding, index)];
    marks.extend(finding.related.iter().map(|(span, label)| {
        let (line, column) = index.line_column(span.start);
        mark(index, line, column, *span, '-', label)
    }));
    marks.sort_by_key(|mark| mark.line);
    let widest = marks.last().map_or(0, |mark| mark.line.to_string().len());
    let gutter = " ".repeat(widest);
    let mut out = format!(
        "{}[{}]: {}\n{gutter}--> {}:{}:{}\n{gutter} |\n",
        finding.severity.word(),
        finding.code,
        finding.message,
        finding.file,
        finding.line,
        finding.column,
    );
    let mut shown = None;
    // Of a file that is no flow there may be no source to show.
    let shows = index.len() > 0;
    for mark in marks.iter().filter(|_| shows) {
        if shown != Some(mark.line) {
            if shown.is_some_and(|last| mark.line > last + 1) {
                out.push_str("...\n");
            }
            let text = index.line(mark.line).replace('\t', " ");
            out.push_str(&format!("{:widest$} | {text}\n", mark.line));
            shown = Some(mark.line);
        }
        let blanks = " ".repeat(usize::try_from(mark.column.saturating_sub(1)).unwrap_or(0));
        let signs = mark.sign.to_string().repeat(mark.width);
        let label = if mark.label.is_empty() { String::new() } else { format!(" {}", mark.label) };
        out.push_str(&format!("{gutter} | {blanks}{signs}{label}\n"));
    }
    if let Some(hint) = &finding.hint {
        out.push_str(&format!("{gutter} = help: {hint}\n"));
    }
    out
}

fn primary<'a>(finding: &'a Diagnostic, index: &LineIndex<'_>) -> Mark<'a> {
    mark(index, finding.line, finding.column, finding.span, '^', "")
}

/// Marks a span in its first line.
fn mark<'a>(
    index: &LineIndex<'_>,
    line: u32,
    column: u32,
    span: Span,
    sign: char,
    label: &'a str,
) -> Mark<'a> {
    let (last_line, last_column) = index.line_column(span.end);
    let before = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
    let room = index.line(line).chars().count().saturating_sub(before);
    let width = if last_line == line {
        usize::try_from(last_column.saturating_sub(column)).unwrap_or(0)
    } else {
        room
    };
    Mark { line, column, width: width.clamp(1, room.max(1)), sign, label }
}
