//! `cargo xtask lint`.

use std::path::Path;

use crate::install::cargo_tool;
use crate::run::{Failure, run, say};

/// Workspaces of their own: they are compiled to WebAssembly.
const APART: [&str; 2] = ["plugins", "docs/playground"];

/// Formatting, clippy on everything, licences and bans, unused dependencies. Advisories need the advisory database,
/// which is fetched over the network: where it can't be reached, that is said and the rest still counts.
pub(crate) fn lint(root: &Path) -> Result<(), Failure> {
    run(root, "cargo", &["fmt", "--all", "--check"])?;
    for apart in APART {
        run(&root.join(apart), "cargo", &["fmt", "--all", "--check"])?;
    }
    run(root, "cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    for apart in APART {
        run(&root.join(apart), "cargo", &["clippy", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    }
    cargo_tool(root, "cargo-deny", "0.20.2")?;
    run(root, "cargo", &["deny", "--log-level", "error", "check", "bans", "licenses", "sources"])?;
    if run(root, "cargo", &["deny", "--log-level", "off", "fetch", "db"]).is_ok() {
        run(root, "cargo", &["deny", "--log-level", "error", "check", "advisories"])?;
    } else {
        say("SKIPPED advisories: their database can't be reached from here");
    }
    cargo_tool(root, "cargo-machete", "0.9.2")?;
    run(root, "cargo-machete", &["."])
}
