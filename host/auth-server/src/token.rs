//! Access tokens and the families they belong to.

use agamid_core::id::{FamilyId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, TokenKind, sha256_hex};
use agamid_core::time::Timestamp;
use agamid_store::Record;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// All tokens that come from one authorization. They die together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenFamily {
    pub(crate) id: FamilyId,
    pub(crate) client: String,
    pub(crate) person: Option<PersonId>,
    /// The browser session they end with; absent where `offline_access` was granted.
    pub(crate) session: Option<SessionId>,
    pub(crate) revoked: bool,
    pub(crate) expires_at: Timestamp,
}

impl Record for TokenFamily {
    const KIND: &'static str = "token_family";
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// An access token, by the hash of its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) hash: String,
    /// Absent where no person stands behind it (client credentials).
    pub(crate) family: Option<FamilyId>,
    pub(crate) client: String,
    pub(crate) person: Option<PersonId>,
    /// `sub` as its client sees it.
    pub(crate) subject: String,
    pub(crate) scopes: Vec<String>,
    /// Claims that the `claims` parameter asked userinfo for.
    pub(crate) claims: Vec<String>,
    /// Who may accept it.
    pub(crate) audience: Vec<String>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Record for AccessToken {
    const KIND: &'static str = "token";
    fn key(&self) -> String {
        self.hash.clone()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// The longest access token that is looked up, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// The key of an access token that somebody presents: opaque ones prove their form first, JWTs are known by their
/// whole text.
pub(crate) fn access_token_hash(text: &str) -> Option<String> {
    if let Ok(hash) = OpaqueToken::parse(TokenKind::AccessToken, text) {
        return Some(hash);
    }
    let is_jwt = text.len() <= MAX_TOKEN && text.matches('.').count() == 2;
    is_jwt.then(|| jwt_hash(text))
}

/// The key of a JWT access token: as that of an opaque one it begins with the time, here of the `jti`.
pub(crate) fn jwt_hash(jwt: &str) -> String {
    let hash = sha256_hex(jwt.as_bytes());
    jwt_time(jwt).map_or_else(|| hash.clone(), |time| format!("{time}{hash}"))
}

/// The first characters of the `jti`, which in a JWT of ours is a ULID.
fn jwt_time(jwt: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        jti: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let time = claims.jti.get(..10)?;
    time.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| time.to_owned())
}
