//! `cargo xtask plugins`: guest components from `plugins/*` into `plugins/dist`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::Digest as _;

use crate::run::{Failure, exists, output_within, run_command, say, skip};

const TARGET: &str = "wasm32-unknown-unknown";
/// How long `rustup target add` may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Debian's compiler for this target, where rustup has none.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// Builds every plugin and writes `NAME.wasm` and `SHA256SUMS`. A file is only touched when it differs.
pub(crate) fn build_all(root: &Path) -> Result<(), Failure> {
    let folder = root.join("plugins");
    let dist = folder.join("dist");
    let tool_chain = match tool_chain() {
        Ok(found) => found,
        // The components in `plugins/dist` are committed, so that everything else runs.
        Err(reason) => {
            return skip("building the plugins", &format!("{reason}; plugins/dist stays as it is"));
        }
    };
    let built = tool_chain.build(&folder)?;
    let mut sums = String::new();
    for name in plugins(&folder)? {
        let module = built.join(format!("{}.wasm", name.replace('-', "_")));
        let manifest = folder.join(&name).join("plugin.toml");
        let component = component(&module, &manifest)?;
        let file = format!("{name}.wasm");
        let digest: String =
            sha2::Sha256::digest(&component).iter().map(|byte| format!("{byte:02x}")).collect();
        say(&format!("plugins/dist/{file}: {} bytes, {digest}", component.len()));
        sums.push_str(&format!("{digest}  {file}\n"));
        write_if_new(&dist.join(&file), &component)?;
    }
    write_if_new(&dist.join("SHA256SUMS"), sums.as_bytes())
}

/// Folders of `plugins/` that have a `plugin.toml`.
fn plugins(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let entry = entry.map_err(|error| error.to_string())?;
        if entry.path().join("plugin.toml").exists() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// A module with its WIT in a custom section becomes a component, the manifest goes into another.
fn component(module: &Path, manifest: &Path) -> Result<Vec<u8>, Failure> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let encoded = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&read(module)?)
        .and_then(|mut encoder| encoder.encode());
    let mut component = encoded.map_err(|error| format!("{}: {error:#}", module.display()))?;
    let section =
        wasm_encoder::CustomSection { name: "agamid:manifest".into(), data: read(manifest)?.into() };
    wasm_encoder::ComponentSection::append_to_component(&section, &mut component);
    Ok(component)
}

fn write_if_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        let new = path.with_extension("new");
        std::fs::write(&new, content)?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}

/// What compiles to WebAssembly here.
enum ToolChain {
    Rustup,
    Debian,
}

/// Takes an installed target, else asks rustup for it, else Debian.
fn tool_chain() -> Result<ToolChain, Failure> {
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
        crate::install::debian_packages(&DEBIAN, "plugins are compiled to WebAssembly");
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
    fn build(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let home = std::env::home_dir().unwrap_or_default();
        // No path of this machine goes into a component.
        let flags = [
            format!("--remap-path-prefix={}=/plugins", folder.display()),
            format!("--remap-path-prefix={}=/home", home.display()),
        ];
        // This variable splits at a character that no path has.
        let flags = |more: &[&str]| {
            flags.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>().join("\u{1f}")
        };
        let arguments = ["build", "--release", "--locked", "--quiet", "--target", TARGET];
        let mut command = match self {
            ToolChain::Rustup => {
                say(&format!("building plugins with rustup's target {TARGET}"));
                let mut command = Command::new("cargo");
                command.args(arguments).env("CARGO_ENCODED_RUSTFLAGS", flags(&[]));
                command
            }
            ToolChain::Debian => {
                say("building plugins with Debian's rustc-web");
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
