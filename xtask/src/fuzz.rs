//! `cargo xtask fuzz`.

use std::path::Path;

use crate::run::{Failure, run};

/// Fuzzes the language: all targets, or the one named first in `arguments`.
pub(crate) fn fuzz(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    let mut all = vec!["run", "--release", "--package", "agama-lang-fuzz", "--"];
    all.extend(arguments.iter().map(String::as_str));
    run(root, "cargo", &all)
}
