//! Section `flows` of the settings.

use agama_lang::vm::Limits;
use serde::{Deserialize, Serialize};

/// How flows run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowSettings {
    /// The ACR value that is used when a request and its client name none: `agama_<qualified flow name>`.
    pub default_acr: String,
    /// The longest a run may take, in seconds; a flow's own `Timeout` may be shorter.
    pub run_lifetime_seconds: u64,
    /// What a run may use up.
    pub limits: Limits,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { default_acr: String::new(), run_lifetime_seconds: 1800, limits: Limits::default() }
    }
}
