//! What the demo and the tests need besides Rust, git and a C compiler, and how it gets here.

use std::path::Path;

use crate::run::{Failure, exists, run, say};

/// Names under which Chromium is installed.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Finds Chromium, or installs it. `Ok(None)` when it can't be had here, with the reason already said.
pub(crate) fn chromium() -> Option<String> {
    find(&CHROMIUM).or_else(|| {
        debian_packages(&["chromium"], "the browser tests drive a real browser");
        find(&CHROMIUM)
    })
}

/// Finds Node.js with npm, or installs them.
pub(crate) fn node() -> bool {
    if exists("node") && exists("npm") {
        return true;
    }
    debian_packages(&["nodejs", "npm"], "the browser tests are written for Node.js");
    exists("node") && exists("npm")
}

/// The servers that the tests start for themselves: Debian package, program, what for.
const SERVERS: [(&str, &str, &str); 3] = [
    ("postgresql", "postgres", "the store of several nodes"),
    ("slapd", "slapd", "the directory of people"),
    ("redis-server", "redis-server", "the shared cache"),
];

/// Installs the servers that are missing; answers those that stay so.
pub(crate) fn servers() -> Vec<&'static str> {
    for (package, program, why) in SERVERS {
        if !is_server(program) {
            debian_packages(&[package], why);
        }
    }
    SERVERS.iter().filter(|(_, program, _)| !is_server(program)).map(|(package, ..)| *package).collect()
}

/// Whether a server is on the path or where Debian puts it.
fn is_server(program: &str) -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    exists(program)
        || Path::new("/usr/sbin").join(program).exists()
        || versions.into_iter().any(|version| version.path().join("bin").join(program).exists())
}

/// A cargo command of its own (`cargo-deny`), installed from crates.io when missing.
pub(crate) fn cargo_tool(root: &Path, name: &str, version: &str) -> Result<(), Failure> {
    if exists(name) {
        return Ok(());
    }
    say(&format!(
        "installing {name} {version} with cargo (by hand: cargo install --locked {name}@{version})"
    ));
    run(root, "cargo", &["install", "--locked", "--quiet", &format!("{name}@{version}")])
}

fn find(names: &[&str]) -> Option<String> {
    names.iter().find(|name| exists(name)).map(|name| (*name).to_owned())
}

/// Installs Debian packages where that is possible; says how to do it by hand elsewhere.
pub(crate) fn debian_packages(packages: &[&str], why: &str) {
    let list = packages.join(" ");
    if !exists("apt-get") || !is_root() {
        say(&format!(
            "{list} is missing ({why}); install it by hand, on Debian: sudo apt-get install {list}"
        ));
        return;
    }
    say(&format!("installing {list} with apt-get: {why}"));
    let here = Path::new("/");
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    let done = run(here, "apt-get", &["update", "--quiet"]).and_then(|()| run(here, "apt-get", &install));
    if let Err(error) = done {
        say(&format!("{list} could not be installed: {error}"));
    }
}

fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
