//! `// allow AGM0204: reason` silences a finding: at the end of its line, alone on the line above, or, before `Flow`, in
//! the whole file.

use super::{Code, Diagnostic, Sink};
use crate::ast::{Flow, Span};
use crate::check::lines;
use crate::layout::comment_start;
use crate::source::{LineIndex, to_u32};

/// One code of one comment.
struct Allow<'a> {
    number: &'a str,
    code: Option<Code>,
    /// The 1-based line that it covers; none for the whole file.
    line: Option<u32>,
    span: Span,
    /// The comment, for deleting it.
    comment: Span,
    alone: bool,
    used: bool,
}

/// Drops the findings that comments of the source allow, and reports the comments that allow nothing.
pub(crate) fn apply(flow: &Flow, source: &str, file: &str, found: &mut Vec<Diagnostic>) {
    if !source.contains("allow AGM") {
        return;
    }
    let mut allows = collect(source);
    allows.sort_by_key(|allow| (allow.code, allow.line));
    let index = LineIndex::new(source);
    let broken: Vec<(u32, u32)> = lines(flow)
        .into_iter()
        .map(|span| (index.line_column(span.start).0, index.line_column(span.end).0))
        .filter(|(first, last)| last > first)
        .collect();
    found.retain(|finding| !silenced(finding, &broken, &mut allows));
    let mut sink = Sink::new(source, file, found);
    for allow in allows.iter().filter(|allow| !allow.used) {
        report(allow, &mut sink);
    }
}

/// `broken` has the first and the last line of each statement that goes over several; what is allowed in one of its lines
/// is allowed in all.
fn silenced(finding: &Diagnostic, broken: &[(u32, u32)], allows: &mut [Allow<'_>]) -> bool {
    if !finding.code.can_be_allowed() {
        return false;
    }
    let at = broken.partition_point(|(first, _)| *first <= finding.line);
    let around = at.checked_sub(1).and_then(|at| broken.get(at)).filter(|(_, last)| *last >= finding.line);
    let (first, last) = around.copied().unwrap_or((finding.line, finding.line));
    let mut silenced = false;
    for (from, to) in [(None, None), (Some(first), Some(last))] {
        let start = allows.partition_point(|allow| (allow.code, allow.line) < (Some(finding.code), from));
        let end = allows.partition_point(|allow| (allow.code, allow.line) <= (Some(finding.code), to));
        let fitting = allows.get_mut(start..end).unwrap_or_default();
        silenced |= !fitting.is_empty();
        // All of a statement are used together.
        if fitting.first().is_some_and(|allow| !allow.used) {
            fitting.iter_mut().for_each(|allow| allow.used = true);
        }
    }
    silenced
}

fn report(allow: &Allow<'_>, sink: &mut Sink<'_>) {
    let number = allow.number;
    let (message, hint) = match allow.code {
        None => (format!("there is no finding {number}"), "the numbers are listed in docs/diagnostics.md"),
        Some(code) if !code.can_be_allowed() => (
            format!("{number} can't be allowed: such a flow can't run"),
            "mend the flow, and delete the comment",
        ),
        Some(_) if allow.line.is_none() => {
            (format!("nothing in this file is reported as {number}"), "delete the comment")
        }
        Some(_) => (
            format!("this comment allows {number}, which is not reported here"),
            "delete the comment; it counts for its own line or, alone on a line, for the next one",
        ),
    };
    let comment = allow.comment;
    let finding = sink.report(Code::UselessAllow, allow.span, message, hint);
    if allow.alone {
        finding.mend("Delete the comment", vec![(comment, String::new())]);
    }
}

/// The allowing comments of a source.
fn collect(source: &str) -> Vec<Allow<'_>> {
    let mut found = Vec::new();
    // Comments alone on their lines, which cover the next line with code.
    let mut waiting = Vec::new();
    let mut header_seen = false;
    let mut start = 0;
    for (number, text) in (1u32..).zip(source.split('\n')) {
        let at = comment_start(text);
        let before = text.get(..at).unwrap_or_default().trim_matches(['\u{feff}', ' ', '\t', '\r']);
        let has_code = !before.is_empty();
        let comment = text.get(at..).unwrap_or_default();
        if has_code {
            let line = header_seen.then_some(number);
            found.extend(waiting.drain(..).map(|allow| Allow { line, ..allow }));
            header_seen = true;
        }
        let into = if has_code { &mut found } else { &mut waiting };
        read(comment, start + at, has_code.then_some(number), into);
        start += text.len() + 1;
    }
    // Behind the last statement there is nothing to allow.
    found.extend(waiting.into_iter().map(|allow| Allow { line: Some(u32::MAX), ..allow }));
    found
}

/// Reads the codes of one comment, which begins at byte `at`.
fn read<'a>(comment: &'a str, at: usize, line: Option<u32>, into: &mut Vec<Allow<'a>>) {
    let text = comment.trim_end();
    let Some(list) =
        text.strip_prefix("//").map(str::trim_start).and_then(|text| text.strip_prefix("allow "))
    else {
        return;
    };
    let span =
        |from: usize, length: usize| Span { start: to_u32(at + from), end: to_u32(at + from + length) };
    let whole = span(0, text.len());
    let first = into.len();
    let list = list.split(':').next().unwrap_or_default();
    let mut offset =
        text.len() - text.strip_prefix("//").map_or(0, |rest| rest.trim_start().len()) + "allow ".len();
    for word in list.split([' ', '\t', ',']) {
        if word.starts_with("AGM") {
            into.push(Allow {
                number: word,
                code: Code::of_number(word),
                line,
                span: span(offset, word.len()),
                comment: whole,
                alone: true,
                used: false,
            });
        } else if !word.is_empty() {
            break;
        }
        offset += word.len() + 1;
    }
    if into.len() > first + 1 {
        into.iter_mut().skip(first).for_each(|allow| allow.alone = false);
    }
}
