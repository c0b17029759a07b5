//! The language from outside: what compiles, what is refused, what programs do, and what must hold for any text.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test stop it where something is wrong")]

mod checks;
mod compile;
mod docs;
mod format;
mod generate;
mod graph;
mod limits;
mod properties;
mod rehearse;
mod run;
mod support;
mod world;
