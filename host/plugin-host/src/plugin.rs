//! One loaded plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agamid_core::secret::sha256_hex;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::call::Guest;
use crate::compiled::CompiledCache;
use crate::hooks;
use crate::manifest::{self, Manifest};
use crate::types::{self, Interface};

/// A component, compiled, with what is known of it. Immutable.
pub(crate) struct Plugin {
    pub(crate) manifest: Manifest,
    /// SHA-256 of the component, hex.
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
    /// By the name that flows use: the full WIT name, and the functions.
    pub(crate) interfaces: BTreeMap<String, (String, Interface)>,
    /// The full WIT names of the hooks it answers.
    pub(crate) hooks: BTreeSet<String>,
    pub(crate) ready: InstancePre<Guest>,
    /// A permit for each call that may run at a time.
    pub(crate) turns: Arc<Semaphore>,
}

impl Plugin {
    /// Checks and compiles a component. The reason of a refusal says what to do.
    pub(crate) fn load(
        engine: &wasmtime::Engine,
        compiled: Option<&CompiledCache>,
        turns: usize,
        bytes: Vec<u8>,
    ) -> Result<Self, String> {
        let manifest = manifest::of_component(&bytes)?;
        let exports = types::of_component(&bytes)?;
        if let Some(import) = exports.imports.first() {
            return Err(format!(
                "it imports {import}; plugins are given nothing but their arguments: remove the import, and pass in what the function needs"
            ));
        }
        let package = format!("{}.", manifest.name.replace(':', "."));
        if let Some(foreign) = exports.interfaces.keys().find(|name| !name.starts_with(&package)) {
            return Err(format!("it exports {foreign}, which is outside its own package {}", manifest.name));
        }
        for (name, (full, interface)) in &exports.hooks {
            hooks::accept(name, full, interface)?;
        }
        let hooks: BTreeSet<String> = exports.hooks.into_values().map(|(full, _)| full).collect();
        if exports.interfaces.is_empty() && hooks.is_empty() {
            return Err("it exports no interface".to_owned());
        }
        let digest = sha256_hex(&bytes);
        let component = match compiled.and_then(|compiled| compiled.get(engine, &digest)) {
            Some(component) => component,
            None => {
                let component = Component::new(engine, &bytes)
                    .map_err(|error| format!("it can't be compiled: {error}"))?;
                if let Some(compiled) = compiled {
                    compiled.put(engine, &digest, &component);
                }
                component
            }
        };
        let ready = Linker::new(engine)
            .instantiate_pre(&component)
            .map_err(|error| format!("it can't be instantiated: {error}"))?;
        let turns = Arc::new(Semaphore::new(turns));
        Ok(Self { manifest, digest, bytes, interfaces: exports.interfaces, hooks, ready, turns })
    }
}
