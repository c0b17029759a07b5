//! Loads, checks, limits and calls Wasm component plugins. The only crate that knows wasmtime.
//!
//! | module | what |
//! | --- | --- |
//! | `host.rs` | [`PluginHost`]: loading, swapping, pinned sets |
//! | `plugin.rs`, [`manifest`] | one component and what it says of itself |
//! | `compiled.rs` | compiled components, kept between starts |
//! | `hooks.rs` | plugins that the server asks |
//! | `set.rs` | routines by name: host modules and plugins; proofs |
//! | `signatures.rs` | their signatures alone, for checks without a server |
//! | `types.rs`, `convert.rs` | WIT types; values across the border |
//! | `call.rs` | one call: fresh store, limits |
//! | [`describe`] | routines as their WIT describes them, for tools |
//!
//! To add a WIT type: a variant in `types.rs`, its arms in `convert.rs`.

mod call;
mod compiled;
mod convert;
pub mod describe;
mod hooks;
mod host;
pub mod manifest;
mod plugin;
mod service;
mod set;
pub mod settings;
mod signatures;
mod types;

pub use compiled::CompiledCache;
pub use host::{LoadError, PluginHost, PluginHostError, PluginHostParts};
pub use service::PluginStatus;
pub use settings::PluginSettings;
pub use signatures::Signatures;

use agamid_store::Kind;

/// The kinds of record of this crate.
pub fn records() -> Vec<Kind> {
    vec![Kind::of::<host::PluginRecord>(), Kind::of::<service::InServiceRecord>()]
}

#[cfg(test)]
mod tests;
