//! Tests of the running binary, laid out like its routes, and of the rules of the house (`tidy`).
//!
//! They start `agamid demo` on free ports of the loopback interface, each on a data directory of its own. The binary
//! is the one that `cargo build -p agamid` left (`AGAMID_BIN` names another).

mod backup;
mod cli;
mod clients;
mod faults;
mod flow_tools;
mod lsp;
mod nodes;
mod protocol;
mod redis;
mod reload;
mod restart;
#[expect(clippy::disallowed_methods, reason = "a measuring program: time is what it measures")]
mod scale;
#[cfg(test)]
#[path = "scale/tests.rs"]
mod scale_tests;
mod security;
mod support;
mod tidy;
