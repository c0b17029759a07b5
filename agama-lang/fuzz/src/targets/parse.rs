//! Any bytes compile or are refused, and what is said about them has a place in them.

use std::collections::BTreeSet;

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile_bytes;
use agama_lang::diagnostic::{has_errors, render};

use super::kind_of;

/// So many findings are rendered.
const RENDERED: usize = 20;

pub(super) fn run(input: &[u8]) -> String {
    let compiled = compile_bytes(input, "a.b.flow", &NoFacts);
    let found = &compiled.diagnostics;
    assert_eq!(
        compiled.program.is_none(),
        has_errors(found),
        "refused without an error, or with one and compiled"
    );
    let text = String::from_utf8_lossy(input);
    let mut kinds = BTreeSet::new();
    for (number, finding) in found.iter().enumerate() {
        assert!(finding.line >= 1 && finding.column >= 1, "{finding:?} has no place");
        assert!(!finding.message.is_empty(), "{finding:?} says nothing");
        assert!(finding.span.start <= finding.span.end, "{finding:?} ends before it starts");
        if let Ok(source) = std::str::from_utf8(input) {
            let end = usize::try_from(finding.span.end).unwrap_or(usize::MAX);
            assert!(end <= source.len(), "{finding:?} lies outside of the source");
        }
        if number < RENDERED {
            assert!(render(finding, &text).contains(&finding.message), "{finding:?} is not rendered");
        }
        kinds.insert(format!("{} {}", finding.code, kind_of(&finding.message)));
    }
    let compiles = compiled.program.map_or(0, |program| program.to_string().lines().count().min(40));
    format!("{compiles} {kinds:?}")
}
