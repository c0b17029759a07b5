//! What the program says to whoever started it. The log goes elsewhere (`telemetry.rs`).

use std::io::Write;

/// A line on standard output. A closed pipe is not our error.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// A line on standard error.
pub(crate) fn error(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}
