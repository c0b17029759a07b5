//! From logical lines to the syntax tree. Recovers: one run reports every mistake it finds.
//!
//! `line.rs` reads one line with pest, `block.rs` builds blocks from indents, `explain.rs` says what is wrong with a
//! line that is no statement.

mod block;
mod explain;
mod header;
mod line;
mod literal;

use crate::ast::Flow;
use crate::diagnostic::{Diagnostic, Sink};
use crate::source::MAX_SOURCE;

pub use grammar::KEYWORDS;
pub(crate) use grammar::{Grammar, Rule};

/// What pest makes of the grammar.
mod grammar {
    use pest_derive::Parser;

    /// Words that can't be names (after a dot they can).
    pub const KEYWORDS: &[&str] = &[
        "Flow",
        "Basepath",
        "Timeout",
        "Configs",
        "Inputs",
        "Log",
        "Trigger",
        "Call",
        "RRF",
        "RFAC",
        "When",
        "Otherwise",
        "Repeat",
        "Match",
        "Quit",
        "Finish",
        "is",
        "not",
        "and",
        "or",
        "seconds",
        "to",
        "using",
        "null",
        "false",
        "true",
    ];

    #[derive(Parser)]
    #[grammar = "agama.pest"]
    pub(crate) struct Grammar;
}

/// Parses a source text. The tree is there when no error was found.
pub fn parse(source: &str, file: &str) -> (Option<Flow>, Vec<Diagnostic>) {
    let (flow, found) = parse_partial(source, file);
    let clean = !crate::diagnostic::has_errors(&found);
    (flow.filter(|_| clean), found)
}

/// Parses a source text, and answers what could be read of it even when there are errors: for editors.
pub fn parse_partial(source: &str, file: &str) -> (Option<Flow>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut sink = Sink::new(source, file, &mut found);
    let lines = crate::layout::lines(source, &mut sink);
    // Of a source that is too large nothing was looked at, and nothing more is to be said.
    let flow = if source.len() > MAX_SOURCE { None } else { block::flow(&lines, &mut sink) };
    found.sort_by_key(|finding| (finding.span.start, finding.span.end));
    (flow, found)
}
