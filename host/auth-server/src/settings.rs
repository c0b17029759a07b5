//! Section `oauth` of the settings.

use serde::{Deserialize, Serialize};

/// How long things live, in seconds, and who may register clients.
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
    /// A refresh token that is not used; each use gives a new one.
    pub refresh_token_lifetime: u64,
    /// How long a used refresh token still answers with its successor.
    pub refresh_grace: u64,
    /// A pushed authorization request.
    pub pushed_request_lifetime: u64,
    /// How long a signing key signs before the next one does; 0: until somebody rotates.
    pub key_rotation: u64,
    /// How long a signing key is published before it signs.
    pub key_publication: u64,
    /// Who may register clients.
    pub registration: Registration,
}

/// Who may register clients (RFC 7591 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Everybody: for development.
    Open,
    /// Who has an access token with the scope `config.clients.write`.
    Token,
}

impl Default for OauthSettings {
    fn default() -> Self {
        Self {
            transaction_lifetime: 3600,
            code_lifetime: 60,
            access_token_lifetime: 600,
            id_token_lifetime: 600,
            refresh_token_lifetime: 30 * 24 * 3600,
            refresh_grace: 10,
            pushed_request_lifetime: 60,
            key_rotation: 90 * 24 * 3600,
            key_publication: 24 * 3600,
            registration: Registration::Token,
        }
    }
}
