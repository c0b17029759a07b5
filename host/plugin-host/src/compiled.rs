//! Compiled components, kept between starts: compiling takes far longer than everything else at a start.
//!
//! A compiled component is machine code that wasmtime runs as it is, so nothing is loaded that this server did not write
//! itself: each file carries a MAC under the node's key over its name and content, and the name holds the digest of
//! the component and what the code was made for (wasmtime's version and settings).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use agamid_core::seal::Sealer;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Files that are kept; the oldest go.
const MOST: usize = 64;
const PURPOSE: &str = "compiled component";
/// Length of a MAC, in bytes.
const MAC: usize = 32;

/// The folder with the compiled components.
pub struct CompiledCache {
    folder: PathBuf,
    sealer: Sealer,
}

impl CompiledCache {
    /// A cache in `folder`, which is made when it is needed; `sealer` has the node's key.
    pub fn new(folder: PathBuf, sealer: Sealer) -> Self {
        Self { folder, sealer }
    }

    /// The compiled form of a component with this digest, if this very server, or one with its key, wrote it.
    pub(crate) fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let name = name(engine, digest);
        let file = std::fs::read(self.folder.join(&name)).ok()?;
        let (mac, code) = file.split_at_checked(MAC)?;
        if !self.sealer.verify_mac(PURPOSE, &signed(&name, code), mac) {
            tracing::warn!(
                event = "plugin.compiled_refused",
                name,
                "not written by this server; compiled anew"
            );
            return None;
        }
        #[expect(unsafe_code, reason = "the MAC proves that the bytes are what `put` got from wasmtime")]
        // SAFETY: `Component::deserialize` trusts its input. The MAC covers all of it, and only `put` makes one.
        let component = unsafe { Component::deserialize(engine, code) };
        component.ok()
    }

    /// Keeps a compiled component. Failing costs time at the next start and nothing else.
    pub(crate) fn put(&self, engine: &Engine, digest: &str, component: &Component) {
        if let Err(error) = self.try_put(&name(engine, digest), component) {
            tracing::warn!(event = "plugin.not_kept", folder = %self.folder.display(), error);
        }
    }

    fn try_put(&self, name: &str, component: &Component) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let code = component.serialize().map_err(|error| error.to_string())?;
        let mac = self.sealer.mac(PURPOSE, &signed(name, &code)).map_err(|error| error.to_string())?;
        std::fs::create_dir_all(&self.folder).map_err(text)?;
        let new = self.folder.join(format!("{name}.new"));
        std::fs::write(&new, [&mac[..], &code].concat()).map_err(text)?;
        std::fs::rename(&new, self.folder.join(name)).map_err(text)?;
        prune(&self.folder).map_err(text)
    }
}

fn name(engine: &Engine, digest: &str) -> String {
    let mut made_for = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut made_for);
    format!("{digest}-{:016x}.cwasm", made_for.finish())
}

fn signed(name: &str, code: &[u8]) -> Vec<u8> {
    [name.as_bytes(), &[0], code].concat()
}

fn prune(folder: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    for (_, old) in files.iter().take(files.len().saturating_sub(MOST)) {
        std::fs::remove_file(old)?;
    }
    Ok(())
}
