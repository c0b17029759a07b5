//! Section `identity` of the settings.

use serde::{Deserialize, Serialize};

use crate::lockout::LockoutSettings;
use crate::password::policy::PasswordSettings;

/// Sessions and passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// How long a browser session lasts, in seconds.
    pub session_lifetime_seconds: u64,
    /// What passwords must be like.
    pub password: PasswordSettings,
    /// The former name of `password.min_length`, as older stores have it: the longer of the two counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_min_length: Option<usize>,
    /// Whether no two persons of an organisation may have the same primary mail address; an organisation's policy may
    /// say otherwise.
    pub unique_primary_mail: bool,
    /// When attempts to log in are refused.
    pub lockout: LockoutSettings,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            session_lifetime_seconds: 12 * 3600,
            password: PasswordSettings::default(),
            password_min_length: None,
            unique_primary_mail: false,
            lockout: LockoutSettings::default(),
        }
    }
}

impl IdentitySettings {
    /// The password rules, with those of the former name.
    pub(crate) fn password_rules(&self) -> PasswordSettings {
        let mut rules = self.password.clone();
        rules.min_length = rules.min_length.max(self.password_min_length.unwrap_or(0));
        rules
    }
}
