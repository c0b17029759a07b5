//! What must hold, target by target.

mod compile_run;
mod format_roundtrip;
mod parse;
mod state_decode;

pub use format_roundtrip::format_roundtrip;

use crate::corpus;

/// One target: a function that takes any bytes.
pub struct Target {
    /// As it is called on the command line.
    pub name: &'static str,
    /// Panics where something does not hold; answers what kind of thing happened.
    pub run: fn(&[u8]) -> String,
    /// What to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const ALL: &[Target] = &[
    Target { name: "parse", run: parse::run, seeds: corpus::fixtures },
    Target { name: "compile_run", run: compile_run::run, seeds: corpus::fixtures },
    Target { name: "state_decode", run: state_decode::run, seeds: state_decode::seeds },
    Target {
        name: "format_roundtrip",
        run: |input| format_roundtrip(input, agama_lang::format::format),
        seeds: corpus::fixtures,
    },
];

/// A message without its numbers and quoted parts: its kind.
fn kind_of(message: &str) -> String {
    let mut kind = String::new();
    let mut quoted = false;
    for c in message.chars() {
        match c {
            '`' | '"' => quoted = !quoted,
            c if quoted || c.is_ascii_digit() => {}
            c => kind.push(c),
        }
    }
    kind
}
