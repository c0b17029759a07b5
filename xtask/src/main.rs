//! The developer commands: `cargo xtask demo`, `test`, `lint`, `bench`, `scale`, `fuzz`, `faults`, `plugins`, `docs`.
//!
//! Each prints one line per step, what it installs and why, and how to do it by hand where it can't. A missing part
//! is skipped by name on a developer's machine and is a failure in CI (`CI=true`).

mod bench;
mod demo;
mod docs;
mod faults;
mod fuzz;
mod install;
mod lint;
mod plugins;
mod run;
mod scale;
mod test;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The developer commands of Agamid.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what is missing, builds server and plugins, and starts the demo.
    Demo {
        /// Passed on to `agamid demo`: --port, --data, --flows, --plugins, --no-open.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Installs what is missing and runs every test.
    Test,
    /// Formatting, clippy, licences and bans, unused dependencies.
    Lint,
    /// Figures of the release binary, beside the raw cost of the same cryptography.
    Bench,
    /// Figures of the release binary with many people, into `target/scale.md`.
    Scale {
        /// How many people, one after the other, growing.
        #[arg(long, default_value = "0,100000,1000000")]
        people: String,
        /// On what they are: sled, postgres, or both.
        #[arg(long, default_value = "sled,postgres")]
        store: String,
    },
    /// Builds all guest components into `plugins/dist`.
    Plugins,
    /// Fuzzes the language.
    Fuzz {
        /// parse, format_roundtrip, compile_run or state_decode (all without it), --seconds (of each), --seed.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kills, fills, stops and pauses running servers under load; the figures go to `target/faults.md`.
    Faults(faults::Faults),
    /// Builds the playground into `target/docs`.
    Docs,
}

fn main() -> ExitCode {
    let root = root();
    let result = match Arguments::parse().command {
        Command::Demo { arguments } => demo::demo(&root, &arguments),
        Command::Test => test::test(&root),
        Command::Lint => lint::lint(&root),
        Command::Bench => bench::bench(&root),
        Command::Scale { people, store } => scale::scale(&root, &people, &store),
        Command::Fuzz { arguments } => fuzz::fuzz(&root, &arguments),
        Command::Faults(plan) => faults::faults(&root, &plan),
        Command::Plugins => plugins::build_all(&root),
        Command::Docs => docs::build(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The repository: this crate's parent folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
