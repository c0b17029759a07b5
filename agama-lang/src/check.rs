//! Checks on a parsed flow. What the reference would refuse, and what names a thing that does not exist or does not fit,
//! is an error; the rest are warnings.
//!
//! ```text
//! header, variables, references, loops, templates   look at the statements
//! paths, errors                                     follow the control-flow graph (cfg.rs)
//! values                                            follows values along it: what may be null, is secret, proves whom
//! ```
//!
//! To add a check: a file here, a [`crate::diagnostic::Code`], a line in [`check`], fixtures, a page in
//! `docs/diagnostics`.

mod arguments;
mod cfg;
mod errors;
pub mod facts;
pub mod header;
mod loops;
mod near;
mod paths;
mod proving;
mod recursion;
mod references;
mod route;
mod templates;
mod values;
mod variables;
mod walk;
mod wit;

use crate::ast::Flow;
use crate::diagnostic::Sink;
use facts::Facts;

pub use proving::proving_flows;
pub use values::proves;
pub(crate) use walk::lines;
pub use walk::triggers;

/// Runs every check.
pub fn check(flow: &Flow, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let mut types = wit::Types::default();
    header::check(flow, sink);
    variables::check(flow, sink);
    references::check(flow, facts, &mut types, sink);
    loops::check(flow, sink);
    templates::check(flow, facts, sink);
    let cfg = cfg::Cfg::of(flow);
    paths::check(flow, &cfg, sink);
    errors::check(&cfg, sink);
    values::check(flow, &cfg, facts, types, sink);
}
