//! Section `plugins` of the settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which plugins are accepted, what they may do, what they may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginSettings {
    /// Accept components whose digest is not listed. For development.
    pub allow_unsigned: bool,
    /// SHA-256 (hex) of accepted components, by plugin name.
    pub digests: BTreeMap<String, String>,
    /// What each plugin is trusted with, by plugin name.
    pub grants: BTreeMap<String, Grant>,
    /// What one call may use up.
    pub limits: Limits,
}

/// What a plugin is trusted with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Methods (`otp`) that its functions may add to the proof ledger.
    pub proves: Vec<String>,
    /// Hooks (`password-policy`) that it is asked at.
    pub hooks: Vec<String>,
}

/// What one call may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Processor time, in milliseconds.
    pub cpu_ms: u64,
    /// The whole call, waiting included, in milliseconds.
    pub call_ms: u64,
    /// Memory, in bytes.
    pub memory_bytes: usize,
    /// Elements of all tables.
    pub table_elements: usize,
    /// Calls of one plugin at a time; more wait. 0: half the processor's cores, so that a plugin that does its worst
    /// leaves the other half to everybody else.
    pub concurrency: usize,
}

impl Limits {
    /// Calls of one plugin at a time on a machine with so many cores.
    pub(crate) fn turns(&self, cores: usize) -> usize {
        if self.concurrency == 0 { (cores / 2).max(1) } else { self.concurrency }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpu_ms: 250, call_ms: 5_000, memory_bytes: 64 << 20, table_elements: 10_000, concurrency: 0 }
    }
}

#[expect(clippy::derivable_impls, reason = "that unsigned plugins are refused by default is worth reading")]
impl Default for PluginSettings {
    fn default() -> Self {
        Self {
            allow_unsigned: false,
            digests: BTreeMap::new(),
            grants: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}
