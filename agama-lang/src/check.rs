//! Checks on a parsed flow. What the reference would refuse, and what names a thing that does not exist, is an error;
//! the rest are warnings.
//!
//! To add a check: a file here, a [`crate::diagnostic::Code`], a line in [`check`], fixtures.

pub mod facts;
pub mod header;
mod paths;
mod references;
mod variables;
mod walk;

use crate::ast::Flow;
use crate::diagnostic::Sink;
use facts::Facts;

/// Runs every check.
pub fn check(flow: &Flow, facts: &dyn Facts, sink: &mut Sink<'_>) {
    header::check(flow, sink);
    variables::check(flow, sink);
    paths::check(flow, sink);
    references::check(flow, facts, sink);
}
