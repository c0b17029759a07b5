//! How findings are printed.

use agama_lang::diagnostic::{Diagnostic, Severity};
use agama_lang::report::{self, FileReport};

use super::command::Format;
use crate::out;

/// A file and what was found in it.
pub(crate) struct Checked {
    /// Its text.
    pub(crate) source: String,
    /// In the order of the text.
    pub(crate) findings: Vec<Diagnostic>,
}

/// How many findings are errors, how many warnings.
pub(crate) fn count(all: &[Checked]) -> (usize, usize) {
    let findings = all.iter().flat_map(|checked| &checked.findings);
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.partition(|found| found.severity == Severity::Error);
    (errors.len(), warnings.len())
}

/// Prints all findings.
pub(crate) fn show(all: &[Checked], format: Format) {
    match format {
        Format::Json => {
            out::line(&report::json(&files(all)).to_string());
        }
        Format::Sarif => out::line(&report::sarif(&files(all)).to_string()),
        Format::Text => out::line(paint(&report::text(&files(all)), out::colours()).trim_end()),
    }
}

fn files(all: &[Checked]) -> Vec<FileReport<'_>> {
    all.iter().map(|checked| FileReport { source: &checked.source, findings: &checked.findings }).collect()
}

const BOLD_RED: &str = "\x1b[1;31m";
const BOLD_YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";

/// A rendered finding with its heading, marks and help coloured.
pub(crate) fn paint(text: &str, colours: bool) -> String {
    if !colours {
        return text.to_owned();
    }
    let mut colour = BOLD_RED;
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        let end = line.get(body.len()..).unwrap_or_default();
        let marks = body.trim_start_matches([' ', '|']);
        let begins = ["error[", "warning["].iter().any(|word| body.starts_with(word));
        if let Some((heading, rest)) = body.split_once("]: ").filter(|_| begins) {
            colour = if heading.starts_with("warning") { BOLD_YELLOW } else { BOLD_RED };
            out.push_str(&format!("{colour}{heading}]{PLAIN}: {rest}{end}"));
        } else if !marks.is_empty() && marks.chars().all(|c| c == '^') {
            out.push_str(&format!("{}{colour}{marks}{PLAIN}{end}", body.trim_end_matches('^')));
        } else if let Some((gutter, help)) = help_of(body) {
            out.push_str(&format!("{gutter}{CYAN}= help:{PLAIN} {help}{end}"));
        } else {
            out.push_str(line);
        }
    }
    out
}

/// A line that helps, rather than a line of source with these words in it.
fn help_of(line: &str) -> Option<(&str, &str)> {
    line.split_once("= help: ").filter(|(gutter, _)| gutter.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::paint;

    #[test]
    fn only_headings_marks_and_help_are_coloured() {
        let text =
            "warning[AGM0205]: x]: y\n --> a.flow:1:1\n  |\n1 | error[1]: = help: ^^\n  | ^^\n  = help: z\n";
        assert_eq!(paint(text, false), text);
        let painted = paint(text, true);
        assert_eq!(
            painted,
            "\x1b[1;33mwarning[AGM0205]\x1b[0m: x]: y\n --> a.flow:1:1\n  |\n1 | error[1]: = help: ^^\n  | \x1b[1;33m^^\x1b[0m\n  \x1b[36m= help:\x1b[0m z\n"
        );
    }
}
