//! Clients: relying parties and services. Names are those of RFC 7591 section 2.

use agamid_core::Env;
use agamid_core::jose::SigningAlgorithm;
use agamid_core::secret::sha256_hex;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Record, Store, StoreError, Versioned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a client authenticates at the token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic.
    #[default]
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
    /// A JWT signed with its key (RFC 7523).
    PrivateKeyJwt,
    /// Not at all: a public client.
    None,
}

impl AuthMethod {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt, Self::None];

    /// As the protocol writes it.
    pub fn name(self) -> &'static str {
        match self {
            AuthMethod::ClientSecretBasic => "client_secret_basic",
            AuthMethod::ClientSecretPost => "client_secret_post",
            AuthMethod::PrivateKeyJwt => "private_key_jwt",
            AuthMethod::None => "none",
        }
    }

    /// Whether it is a secret that both sides know.
    pub fn is_secret(self) -> bool {
        matches!(self, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost)
    }
}

/// A grant at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 6.
    RefreshToken,
    /// RFC 6749 section 4.4.
    ClientCredentials,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];

    /// As the protocol writes it.
    pub fn name(self) -> &'static str {
        match self {
            GrantType::AuthorizationCode => "authorization_code",
            GrantType::RefreshToken => "refresh_token",
            GrantType::ClientCredentials => "client_credentials",
        }
    }

    /// Reads `grant_type`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == text)
    }
}

/// What `sub` is (OpenID Connect Core section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The person's id, the same for every client.
    #[default]
    Public,
    /// Another one for each sector, so that clients can't compare notes.
    Pairwise,
}

/// What access tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A reference that only this server can resolve.
    #[default]
    Opaque,
    /// A signed JWT (RFC 9068), which this server knows too: it can be revoked.
    Jwt,
}

/// A client.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its id.
    pub client_id: String,
    /// What people are shown.
    #[serde(default)]
    pub client_name: String,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its logo; kept, never fetched.
    pub logo_uri: Option<String>,
    /// Its privacy policy; kept, never fetched.
    pub policy_uri: Option<String>,
    /// Its terms of service; kept, never fetched.
    pub tos_uri: Option<String>,
    /// Whom to ask about it.
    #[serde(default)]
    pub contacts: Vec<String>,
    /// SHA-256 of its secret, hex.
    pub secret_hash: Option<String>,
    /// How it authenticates.
    #[serde(default)]
    pub token_endpoint_auth_method: AuthMethod,
    /// The only algorithm of its `private_key_jwt`, if it named one.
    pub token_endpoint_auth_signing_alg: Option<SigningAlgorithm>,
    /// Its public keys, a JWK set: for `private_key_jwt`.
    pub jwks: Option<Value>,
    /// Where its public keys are, instead.
    pub jwks_uri: Option<String>,
    /// What it may ask the token endpoint for.
    #[serde(default = "code_only")]
    pub grant_types: Vec<GrantType>,
    /// Where authorization responses may go; compared byte by byte.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where people may go after a logout; compared byte by byte.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Scopes it may ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// ACR values that are used when a request names none.
    #[serde(default)]
    pub default_acr_values: Vec<String>,
    /// The age of a login, in seconds, that is used when a request has no `max_age`.
    pub default_max_age: Option<u64>,
    /// What its `sub` is.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// A list of redirect URIs at the host that stands for its sector (OpenID Connect Core section 8.1).
    pub sector_identifier_uri: Option<String>,
    /// Whether people are asked before it gets anything.
    #[serde(default = "yes")]
    pub require_consent: bool,
    /// Whether its authorization requests must have a PKCE challenge although it has a secret or a key; those of public
    /// clients must always (RFC 9700 section 2.1.1).
    #[serde(default)]
    pub require_pkce: bool,
    /// Whether its authorization requests must be pushed (RFC 9126 section 6).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// What its ID tokens (and JWT access tokens) are signed with.
    #[serde(default = "rs256")]
    pub id_token_signed_response_alg: SigningAlgorithm,
    /// What its access tokens look like.
    #[serde(default)]
    pub access_token_format: TokenFormat,
    /// Whether it may introspect tokens of other clients: a resource server.
    #[serde(default)]
    pub introspects_all: bool,
    /// SHA-256 of its registration access token (RFC 7592), hex; absent for clients that an operator made.
    pub registration_hash: Option<String>,
    /// Whether it may do nothing.
    #[serde(default)]
    pub disabled: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

fn yes() -> bool {
    true
}

fn rs256() -> SigningAlgorithm {
    SigningAlgorithm::Rs256
}

fn code_only() -> Vec<GrantType> {
    vec![GrantType::AuthorizationCode]
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.client_id)
    }
}

impl Record for Client {
    const KIND: &'static str = "client";
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.client_id.clone()
    }
}

impl Client {
    /// The name to show.
    pub fn display_name(&self) -> &str {
        if self.client_name.is_empty() { &self.client_id } else { &self.client_name }
    }

    /// The stored form of a secret.
    pub fn hash_secret(secret: &str) -> String {
        sha256_hex(secret.as_bytes())
    }

    /// Whether it may use a grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }
}

/// The longest client id that is looked up, in bytes.
const MAX_ID: usize = 256;

/// Whether it can be the id of a client at all.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID && !text.contains('\0')
}

/// Clients.
#[derive(Clone)]
pub struct Clients {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

impl Clients {
    /// An enabled client; what another node changed is seen within a second.
    pub async fn get(&self, client_id: &str) -> Result<Option<Client>, StoreError> {
        if !is_id(client_id) {
            return Ok(None);
        }
        let found = self.store.cached::<Client>(client_id).await?;
        Ok(found.filter(|found| !found.record.disabled).map(|found| found.record.clone()))
    }

    /// A client as it is stored, disabled or not.
    pub async fn versioned(&self, client_id: &str) -> Result<Option<Versioned<Client>>, StoreError> {
        if !is_id(client_id) {
            return Ok(None);
        }
        self.store.get::<Client>(client_id).await
    }

    /// Makes a client, unless there is one with its id.
    pub async fn ensure(&self, mut client: Client) -> Result<(), StoreError> {
        client.created_at = self.env.now();
        let audit = AuditEvent::new("client.created", "server", &client.client_id);
        match self.store.commit(Batch::new().put(&client, Expect::Absent).audit(audit)).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a client: a new one, or one read in this version.
    pub async fn save(
        &self,
        client: &Client,
        expect: Expect,
        event: &'static str,
        actor: &str,
    ) -> Result<(), StoreError> {
        let audit = AuditEvent::new(event, actor, &client.client_id);
        self.store.commit(Batch::new().put(client, expect).audit(audit)).await.map(drop)
    }

    /// Removes a client. Its tokens are dead from then on: each check looks for it.
    pub async fn delete(&self, client_id: &str, actor: &str) -> Result<(), StoreError> {
        let audit = AuditEvent::new("client.deleted", actor, client_id);
        self.store.commit(Batch::new().delete::<Client>(client_id, Expect::Any).audit(audit)).await.map(drop)
    }
}
