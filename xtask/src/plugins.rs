//! `cargo xtask plugins`: guest components from `plugins/*` into `plugins/dist`.

use std::path::Path;

use sha2::Digest as _;

use crate::run::{Failure, say, skip};
use crate::wasm::{Build, tool_chain};

/// Builds every plugin and writes `NAME.wasm` and `SHA256SUMS`. A file is only touched when it differs.
pub(crate) fn build_all(root: &Path) -> Result<(), Failure> {
    let folder = root.join("plugins");
    let dist = folder.join("dist");
    let tool_chain = match tool_chain("plugins are compiled to WebAssembly") {
        Ok(found) => found,
        // The components in `plugins/dist` are committed, so that everything else runs.
        Err(reason) => {
            return skip("building the plugins", &format!("{reason}; plugins/dist stays as it is"));
        }
    };
    let built =
        tool_chain.build(&Build { what: "plugins", folder: &folder, hidden: &[(&folder, "/plugins")] })?;
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
