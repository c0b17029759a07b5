//! Compiling to WebAssembly, with whatever this machine has for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::install::debian_packages;
use crate::run::{Failure, exists, output_within, run_command, say};

const TARGET: &str = "wasm32-unknown-unknown";
/// How long `rustup target add` may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Debian's compiler for this target, where rustup has none.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// What compiles to WebAssembly here.
pub(crate) enum ToolChain {
    Rustup,
    Debian,
}

/// What to compile.
pub(crate) struct Build<'a> {
    /// For the progress line.
    pub(crate) what: &'a str,
    /// The workspace.
    pub(crate) folder: &'a Path,
    /// Paths of this machine, and what stands for them in the modules.
    pub(crate) hidden: &'a [(&'a Path, &'a str)],
}

/// Takes an installed target, else asks rustup for it, else Debian; `why` is for the person who sees it happen.
pub(crate) fn tool_chain(why: &str) -> Result<ToolChain, Failure> {
    if target_installed() {
        return Ok(ToolChain::Rustup);
    }
    if exists("rustup") {
        say(&format!("installing the target {TARGET} with rustup (by hand: rustup target add {TARGET})"));
        if output_within(Command::new("rustup").args(["target", "add", TARGET]), PATIENCE).is_some()
            && target_installed()
        {
            return Ok(ToolChain::Rustup);
        }
    }
    if !Path::new("/usr/lib/rustlib/src/rust/library").exists() {
        debian_packages(&DEBIAN, why);
    }
    if Path::new("/usr/bin/cargo").exists() && exists("wasm-ld-19") {
        return Ok(ToolChain::Debian);
    }
    Err(format!(
        "no compiler for {TARGET}: run `rustup target add {TARGET}`, or on Debian install {}",
        DEBIAN.join(" ")
    ))
}

fn target_installed() -> bool {
    let libraries = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    libraries.is_ok_and(|found| {
        found.status.success() && Path::new(String::from_utf8_lossy(&found.stdout).trim()).exists()
    })
}

impl ToolChain {
    /// Compiles the workspace; answers the folder with the modules.
    pub(crate) fn build(&self, build: &Build<'_>) -> Result<PathBuf, Failure> {
        let Build { what, folder, hidden } = *build;
        let home = std::env::home_dir().unwrap_or_default();
        // No path of this machine goes into a module.
        let flags: Vec<String> = hidden
            .iter()
            .chain(&[(home.as_path(), "/home")])
            .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()))
            .collect();
        // This variable splits at a character that no path has.
        let flags = |more: &[&str]| {
            flags.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>().join("\u{1f}")
        };
        let arguments = ["build", "--release", "--locked", "--quiet", "--target", TARGET];
        let mut command = match self {
            ToolChain::Rustup => {
                say(&format!("building {what} with rustup's target {TARGET}"));
                let mut command = Command::new("cargo");
                command.args(arguments).env("CARGO_ENCODED_RUSTFLAGS", flags(&[]));
                command
            }
            ToolChain::Debian => {
                say(&format!("building {what} with Debian's rustc-web"));
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .args(arguments)
                    .arg("-Zbuild-std=std,panic_abort")
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19")
                    .env("CARGO_ENCODED_RUSTFLAGS", flags(&["-Clinker-flavor=wasm-ld"]));
                command
            }
        };
        let target = folder.join("target");
        run_command(command.env("CARGO_TARGET_DIR", &target).current_dir(folder))?;
        Ok(target.join(TARGET).join("release"))
    }
}
