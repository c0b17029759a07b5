//! `cargo xtask test`.

use std::path::Path;
use std::process::Command;

use crate::run::{Failure, run, run_command, skip};
use crate::{demo, docs, install, plugins};

/// Every test: units, plugins, protocol, client libraries, browser, faults.
pub(crate) fn test(root: &Path) -> Result<(), Failure> {
    plugins::build_all(root)?;
    run(&root.join("plugins"), "cargo", &["test", "--quiet"])?;
    docs::build(root)?;
    run(&root.join("docs/playground"), "cargo", &["test", "--quiet"])?;
    for server in install::servers() {
        skip(server, "it is not installed: the tests that start one will fail")?;
    }
    run(root, "cargo", &["build", "--package", "agamid"])?;
    run_command(
        Command::new("cargo")
            .args(["test", "--workspace"])
            .env("AGAMID_BIN", demo::server(root))
            .env("INSTA_UPDATE", "no")
            .current_dir(root),
    )?;
    in_node(root, "clients", &[])?;
    extension(root)?;
    browser(root)
}

/// The VS Code extension: its own tests, which also package it.
fn extension(root: &Path) -> Result<(), Failure> {
    if !install::node() {
        return skip("VS Code extension", "Node.js is not installed");
    }
    let folder = root.join("sdk").join("vscode");
    run(&folder, "npm", &["ci", "--no-fund", "--no-audit"])?;
    run(&folder, "npm", &["test"])
}

/// The journeys in headless Chromium.
fn browser(root: &Path) -> Result<(), Failure> {
    let Some(chromium) = install::chromium() else {
        return skip("browser tests", "Chromium is not installed");
    };
    in_node(root, "browser", &[("CHROMIUM", &chromium)])
}

/// The Node.js tests of a folder of `tests`, against the built binary.
fn in_node(root: &Path, folder: &str, environment: &[(&str, &str)]) -> Result<(), Failure> {
    if !install::node() {
        return skip(&format!("{folder} tests"), "Node.js is not installed");
    }
    let folder = root.join("tests").join(folder);
    run(&folder, "npm", &["ci", "--no-fund", "--no-audit"])?;
    run_command(
        Command::new("node")
            .args(["--test", "--test-concurrency=1"])
            .env("AGAMID_BIN", demo::server(root))
            .envs(environment.iter().copied())
            .current_dir(&folder),
    )
}
