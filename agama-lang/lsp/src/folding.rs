//! What can be folded: blocks, and comments of several lines. By indents alone, so that it works in broken files.

use lsp_types::{FoldingRange, FoldingRangeKind};

use crate::text::{Text, small};

/// Answers `textDocument/foldingRange`.
pub(crate) fn ranges(text: &Text) -> Vec<FoldingRange> {
    let mut found = Vec::new();
    // Lines that may have something indented below them: (line, indent).
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut last = 0;
    let mut comment: Option<(usize, usize)> = None;
    for number in 0..text.lines() {
        let line = text.line(number);
        let code = line.trim_start_matches([' ', '\t']);
        if code.starts_with("//") {
            comment = Some((comment.map_or(number, |(first, _)| first), number));
            continue;
        }
        close_comment(&mut comment, &mut found);
        if code.trim_end().is_empty() {
            continue;
        }
        let indent = line.len() - code.len();
        while let Some((first, _)) = open.pop_if(|(_, outer)| *outer >= indent) {
            fold(first, last, None, &mut found);
        }
        open.push((number, indent));
        last = number;
    }
    close_comment(&mut comment, &mut found);
    open.into_iter().for_each(|(first, _)| fold(first, last, None, &mut found));
    found.sort_by_key(|range| (range.start_line, range.end_line));
    found
}

fn close_comment(comment: &mut Option<(usize, usize)>, found: &mut Vec<FoldingRange>) {
    if let Some((first, last)) = comment.take() {
        fold(first, last, Some(FoldingRangeKind::Comment), found);
    }
}

fn fold(first: usize, last: usize, kind: Option<FoldingRangeKind>, found: &mut Vec<FoldingRange>) {
    if last > first {
        found.push(FoldingRange {
            start_line: small(first),
            end_line: small(last),
            kind,
            ..FoldingRange::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::ranges;
    use crate::text::Text;

    #[test]
    fn blocks_and_comments_fold_even_in_a_broken_file() {
        let source = "\
// one
// two
Flow a
    Basepath \"\"

When x is
    Log x
        When y

    // alone
Finish (
";
        let found: Vec<(u32, u32, bool)> = ranges(&Text::new(source.to_owned()))
            .into_iter()
            .map(|range| (range.start_line, range.end_line, range.kind.is_some()))
            .collect();
        assert_eq!(found, [(0, 1, true), (2, 3, false), (5, 7, false), (6, 7, false)]);
    }
}
