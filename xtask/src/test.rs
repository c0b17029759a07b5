//! `cargo xtask test`.

use std::path::Path;
use std::process::Command;

use crate::run::{Failure, run, run_command, skip};
use crate::{demo, install, plugins};

/// Every test: units, plugins, protocol, browser, faults.
pub(crate) fn test(root: &Path) -> Result<(), Failure> {
    plugins::build_all(root)?;
    run(&root.join("plugins"), "cargo", &["test", "--quiet"])?;
    run(root, "cargo", &["build", "--package", "agamid"])?;
    run_command(
        Command::new("cargo")
            .args(["test", "--workspace"])
            .env("AGAMID_BIN", demo::server(root))
            .env("INSTA_UPDATE", "no")
            .current_dir(root),
    )?;
    browser(root)
}

/// The journeys in headless Chromium, against the built binary.
fn browser(root: &Path) -> Result<(), Failure> {
    if !install::node() {
        return skip("browser tests", "Node.js is not installed");
    }
    let Some(chromium) = install::chromium() else {
        return skip("browser tests", "Chromium is not installed");
    };
    let folder = root.join("tests").join("browser");
    run(&folder, "npm", &["ci", "--no-fund", "--no-audit"])?;
    run_command(
        Command::new("node")
            .args(["--test", "--test-concurrency=1"])
            .env("AGAMID_BIN", demo::server(root))
            .env("CHROMIUM", chromium)
            .current_dir(&folder),
    )
}
