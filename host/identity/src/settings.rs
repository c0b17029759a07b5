//! Section `identity` of the settings.

use serde::{Deserialize, Serialize};

use crate::lockout::LockoutSettings;

/// Sessions and passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// How long a browser session lasts, in seconds.
    pub session_lifetime_seconds: u64,
    /// The shortest password, in characters.
    pub password_min_length: usize,
    /// When attempts to log in are refused.
    pub lockout: LockoutSettings,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            session_lifetime_seconds: 12 * 3600,
            password_min_length: 8,
            lockout: LockoutSettings::default(),
        }
    }
}
