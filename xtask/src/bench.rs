//! `cargo xtask bench`.

use std::path::Path;
use std::process::Command;

use crate::demo;
use crate::run::{Failure, run, run_command};

/// Figures of the language and of the release binary; not part of the tests, since they depend on the machine.
pub(crate) fn bench(root: &Path) -> Result<(), Failure> {
    run(root, "cargo", &["bench", "--package", "agama-lang-bench"])?;
    run(root, "cargo", &["build", "--release", "--package", "agamid"])?;
    run_command(
        Command::new("cargo")
            .args(["bench", "--package", "agamid-tests", "--bench", "figures"])
            .env("AGAMID_BIN", demo::release(root))
            .current_dir(root),
    )
}
