//! `cargo xtask scale`.

use std::path::Path;
use std::process::Command;

use crate::demo;
use crate::run::{Failure, run, run_command};

/// Fills a store with many people and measures the release binary on it; not part of the tests, since it depends on the
/// machine. A small form of it is.
pub(crate) fn scale(root: &Path, people: &str, stores: &str) -> Result<(), Failure> {
    run(root, "cargo", &["build", "--release", "--package", "agamid"])?;
    run_command(
        Command::new("cargo")
            .args(["bench", "--package", "agamid-tests", "--bench", "scale"])
            .env("AGAMID_BIN", demo::release(root))
            .env("SCALE_STEPS", people)
            .env("SCALE_STORES", stores)
            .env("SCALE_REPORT", root.join("target").join("scale.md"))
            .current_dir(root),
    )
}
