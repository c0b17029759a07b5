//! Section `oauth` of the settings.

use serde::{Deserialize, Serialize};

/// How long things live, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthSettings {
    /// An authorization transaction: from the request to the answer, the login included.
    pub transaction_lifetime: u64,
    /// An authorization code.
    pub code_lifetime: u64,
    /// An access token.
    pub access_token_lifetime: u64,
    /// An ID token.
    pub id_token_lifetime: u64,
}

impl Default for OauthSettings {
    fn default() -> Self {
        Self {
            transaction_lifetime: 3600,
            code_lifetime: 60,
            access_token_lifetime: 600,
            id_token_lifetime: 600,
        }
    }
}
