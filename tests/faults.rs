//! Faults under load, with a journal outside of the servers: what was acknowledged is there, what was ended stays
//! ended, what was used once is not used twice, and in between the answer is a clear 503.
//!
//! `cargo xtask test` runs the short form. `cargo xtask faults` runs the long one and writes its figures down.

mod database;
mod disk;
mod kill;
mod load;
mod plan;

/// Whoever repeats a refresh in time gets the same successor: so a token whose answer was lost can be asked for again.
const GRACE: &str = "[lock.oauth]\nrefresh_grace = 120\n";
