//! The Agama language, pure: no I/O, no async, no clock, no HTML.
//!
//! ```text
//! source ─▶ layout (logical lines, indents) ─▶ parse (pest, per line) ─▶ ast ─▶ check ─▶ lower ─▶ ir ─▶ vm
//! ```
//!
//! [`compile::compile`] turns a source text into an [`ir::Program`] and a list of [`diagnostic::Diagnostic`]s;
//! [`vm`] runs programs: it hands out [`effect::Effect`]s and takes [`effect::Resume`]s, and its whole state is
//! plain data that can be saved at every pause ([`state`]).
//!
//! To add a statement: a rule in `agama.pest`, a variant in [`ast`], reading it in `parse/line.rs`, an instruction in
//! [`ir`], lowering it in [`lower`], doing it in `vm/machine.rs`, fixtures in `tests/fixtures`.

pub mod ast;
pub mod check;
pub mod compile;
pub mod diagnostic;
pub mod effect;
pub mod format;
pub mod graph;
pub mod ir;
pub mod layout;
pub mod lower;
pub mod parse;
pub mod rehearse;
pub mod report;
pub mod source;
pub mod state;
pub mod symbols;
pub mod value;
pub mod vm;
