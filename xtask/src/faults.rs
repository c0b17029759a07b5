//! `cargo xtask faults`.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::demo;
use crate::run::{Failure, run, run_command, say};

/// What the columns are.
const HEAD: &str = "# Faults

What was done to running servers under load, and what a journal outside of them found afterwards. *Lost*: acknowledged
and gone. *Revived*: ended and alive again. *Twice*: used up and used again. *Wrong*: neither done nor a clear 503.
Recovery is counted from the end of the fault (for a killed node: from its start) until logins work again.

| experiment | acknowledged | refused (503) | unanswered | lost | revived | twice | wrong | recovery, median ms | longest ms |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

/// How much is done.
#[derive(Args)]
pub(crate) struct Faults {
    /// Starts, loads and kills of a node, for each store.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Writers at once.
    #[arg(long, default_value_t = 8)]
    writers: u32,
    /// How often each fault of the database, and a full disk, is repeated.
    #[arg(long, default_value_t = 10)]
    repeats: u32,
    /// Only experiments whose name has this: kill, disk or database.
    #[arg(long, default_value = "")]
    only: String,
    /// Of the release binary.
    #[arg(long)]
    release: bool,
}

/// Kills, fills, stops and pauses; the figures go to `target/faults.md`.
pub(crate) fn faults(root: &Path, plan: &Faults) -> Result<(), Failure> {
    let report = root.join("target").join("faults.md");
    let mut build = vec!["build", "--package", "agamid"];
    build.extend(plan.release.then_some("--release"));
    run(root, "cargo", &build)?;
    fs::write(&report, HEAD).map_err(|error| format!("{}: {error}", report.display()))?;
    let binary = if plan.release { demo::release(root) } else { demo::server(root) };
    let name = format!("faults::{}", plan.only);
    // Also after a failure: the report says which experiment it was.
    let done = run_command(
        Command::new("cargo")
            .args(["test", "--package", "agamid-tests", "--test", "agamid", "--", &name])
            .args(["--nocapture", "--test-threads=1"])
            .env("AGAMID_BIN", binary)
            .env("FAULTS_ROUNDS", plan.rounds.to_string())
            .env("FAULTS_WRITERS", plan.writers.to_string())
            .env("FAULTS_REPEATS", plan.repeats.to_string())
            .env("FAULTS_REPORT", &report)
            .current_dir(root),
    );
    let text = fs::read_to_string(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    for row in text.lines().filter(|line| line.starts_with('|')) {
        say(row);
    }
    say(&format!("the report is {}", report.display()));
    done
}
