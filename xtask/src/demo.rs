//! `cargo xtask demo`.

use std::path::Path;
use std::process::Command;

use crate::plugins;
use crate::run::{Failure, run, run_command, say};

/// Builds server and plugins and starts the demo, which runs until interrupted.
pub(crate) fn demo(root: &Path, arguments: &[String]) -> Result<(), Failure> {
    plugins::build_all(root)?;
    run(root, "cargo", &["build", "--package", "agamid"])?;
    say("starting the demo; stop it with Ctrl-C");
    run_command(Command::new(server(root)).arg("demo").args(arguments).current_dir(root))
}

/// The server's binary as `cargo build` leaves it.
pub(crate) fn server(root: &Path) -> std::path::PathBuf {
    target(root).join("debug").join(format!("agamid{}", std::env::consts::EXE_SUFFIX))
}

/// The server's binary as `cargo build --release` leaves it.
pub(crate) fn release(root: &Path) -> std::path::PathBuf {
    target(root).join("release").join(format!("agamid{}", std::env::consts::EXE_SUFFIX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo itself tells the target directory through the environment"
)]
fn target(root: &Path) -> std::path::PathBuf {
    std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root.join("target"), |dir| root.join(dir))
}
