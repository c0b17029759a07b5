//! Clients: relying parties and services.

use agamid_core::Env;
use agamid_core::jose::SigningAlgorithm;
use agamid_core::secret::sha256_hex;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

/// How a client authenticates at the token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic.
    #[default]
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
    /// Not at all: a public client.
    None,
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
    /// SHA-256 of its secret, hex.
    pub secret_hash: Option<String>,
    /// How it authenticates.
    #[serde(default)]
    pub token_endpoint_auth_method: AuthMethod,
    /// Where authorization responses may go; compared byte by byte.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Scopes it may ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// ACR values that are used when a request names none.
    #[serde(default)]
    pub default_acr_values: Vec<String>,
    /// Whether people are asked before it gets anything.
    #[serde(default = "yes")]
    pub require_consent: bool,
    /// What its ID tokens are signed with.
    #[serde(default = "rs256")]
    pub id_token_signed_response_alg: SigningAlgorithm,
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

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.client_id)
    }
}

impl Record for Client {
    const KIND: &'static str = "client";
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
}

/// The longest client id that is looked up, in bytes.
const MAX_ID: usize = 256;

/// Clients.
#[derive(Clone)]
pub struct Clients {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

impl Clients {
    /// An enabled client.
    pub async fn get(&self, client_id: &str) -> Result<Option<Client>, StoreError> {
        if client_id.is_empty() || client_id.len() > MAX_ID || client_id.contains('\0') {
            return Ok(None);
        }
        let found = self.store.get::<Client>(client_id).await?.map(|found| found.record);
        Ok(found.filter(|client| !client.disabled))
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
}
