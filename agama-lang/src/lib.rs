//! The Agama language, pure: no I/O, no async, no clock, no HTML.
//!
//! ```text
//! source ─▶ layout (logical lines, indents) ─▶ parse (pest, per line) ─▶ ast ─▶ check ─▶ lower ─▶ ir ─▶ vm
//! ```
//!
//! [`compile`] turns a source text into a [`ir::Program`] and a list of [`diagnostic::Diagnostic`]s;
//! [`vm`] runs programs: it hands out [`effect::Effect`]s and takes [`effect::Resume`]s, and its whole state is
//! plain data that can be saved at every pause ([`state`]).

pub mod ast;
pub mod check;
pub mod diagnostic;
pub mod effect;
pub mod ir;
pub mod value;
