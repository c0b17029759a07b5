//! From source to program, in one call.

use std::sync::Arc;

use crate::ast::Flow;
use crate::check::facts::Facts;
use crate::check::header::name_matches;
use crate::diagnostic::{Diagnostic, Sink, apply_allows, has_errors};
use crate::ir::Program;
use crate::{check, lower, parse, source};

/// What came of compiling one source.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// There when nothing found is an error.
    pub program: Option<Arc<Program>>,
    /// Everything found, in the order of the source.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a source. `file` is what findings call it.
pub fn compile(source: &str, file: &str, facts: &dyn Facts) -> Compiled {
    compile_parsed(parse::parse(source, file), source, file, None, facts)
}

/// Compiles a file as it was read: bytes that are no UTF-8 are refused where they stand.
pub fn compile_bytes(bytes: &[u8], file: &str, facts: &dyn Facts) -> Compiled {
    match source::text(bytes, file) {
        Ok(source) => compile(source, file, facts),
        Err(refused) => Compiled { program: None, diagnostics: refused },
    }
}

/// Compiles a source whose tree is known already, as a project does; `expected` is the name its file demands.
pub fn compile_parsed(
    parsed: (Option<Flow>, Vec<Diagnostic>),
    source: &str,
    file: &str,
    expected: Option<&str>,
    facts: &dyn Facts,
) -> Compiled {
    let (flow, mut diagnostics) = parsed;
    let Some(flow) = flow else { return Compiled { program: None, diagnostics } };
    let mut sink = Sink::new(source, file, &mut diagnostics);
    if let Some(expected) = expected {
        name_matches(&flow, expected, &mut sink);
    }
    check::check(&flow, facts, &mut sink);
    apply_allows(&flow, source, file, &mut diagnostics);
    diagnostics.sort_by_key(|finding| (finding.span.start, finding.span.end));
    let program = (!has_errors(&diagnostics)).then(|| Arc::new(lower::lower(&flow, source)));
    Compiled { program, diagnostics }
}
