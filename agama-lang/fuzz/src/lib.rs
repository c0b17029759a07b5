//! Fuzzing of the Agama language: what must hold for any bytes.
//!
//! ```text
//! seeds (fixtures of the language) ─▶ mutate ─▶ target ─▶ behaviour never seen before? ─▶ keep as a further seed
//! ```
//!
//! A [`targets::Target`] takes any bytes, panics where something does not hold, and answers a *behaviour*: which
//! findings, effects and errors came of the input. The [`driver`] keeps inputs whose behaviour is new and mutates them
//! further, so that it works its way in without instrumented code. A run is determined by its seed.
//!
//! To add a target: a file in `targets/`, a line in [`targets::ALL`].

pub mod corpus;
pub mod driver;
pub mod mutate;
pub mod targets;
