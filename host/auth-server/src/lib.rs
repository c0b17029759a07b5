//! OAuth 2 and OpenID Connect.
//!
//! | where | what |
//! | --- | --- |
//! | `router.rs` | every path, its method and its specification |
//! | `oauth/authorize.rs` | the authorization endpoint; `authorize/decide.rs` decides, `authorize/proceed.rs` acts |
//! | `oauth/token.rs` | the token endpoint; `oauth/grant/` has a file for each grant |
//! | `oauth/issue.rs` | the one place that issues tokens |
//! | `oauth/` | pushed requests, introspection, revocation, registration |
//! | `oidc/` | metadata, keys, userinfo, logout |
//! | [`client`], [`keys`], `token.rs`, `transaction.rs` | the records |
//! | `client_keys.rs` | the public keys of clients, their own or fetched from `jwks_uri` |
//! | [`verifier`] | checks tokens for our own APIs |
//!
//! To add a grant: a variant of [`client::GrantType`], a file in `oauth/grant/` that ends in `AuthServer::issue`, an arm
//! in `oauth/token.rs`, a row in the policy test.

mod claims_parameter;
pub mod client;
mod client_keys;
#[cfg(feature = "testing")]
pub mod copies;
pub mod error;
pub mod keys;
mod oauth;
mod oidc;
mod router;
mod scope;
pub mod settings;
mod subject;
mod token;
mod transaction;
pub mod verifier;

use std::sync::Arc;

use agamid_core::Env;
use agamid_core::id::OrgId;
use agamid_core::outgoing::HttpClient;
use agamid_core::seal::Sealer;
use agamid_flow_engine::Engine;
use agamid_identity::Identity;
use agamid_store::{Kind, Store};
use agamid_web::Web;

use client::Clients;
use client_keys::ClientKeys;
use keys::{KeyError, KeyRing};
pub use oauth::authorize::explain::Check;
pub use settings::OauthSettings;

/// The kinds of record of this crate.
pub fn records() -> Vec<Kind> {
    vec![
        Kind::of::<client::Client>(),
        Kind::of::<transaction::Transaction>(),
        Kind::of::<token::TokenFamily>(),
        Kind::of::<token::AccessToken>(),
        Kind::of::<oidc::end_session::Logout>(),
        Kind::of::<subject::PairwiseKeyRecord>(),
        Kind::of::<keys::record::SigningKeyRecord>(),
        Kind::of::<keys::record::RotationRecord>(),
    ]
}
use subject::Subjects;

/// The audience of the admin listener's APIs.
pub const ADMIN_AUDIENCE: &str = "urn:agamid:admin";

/// What the server is made of.
pub struct AuthServerParts {
    /// Time and randomness.
    pub env: Env,
    /// Where records live.
    pub store: Store,
    /// Seals private keys.
    pub sealer: Sealer,
    /// Pages and cookies.
    pub web: Web,
    /// Runs logins.
    pub engine: Engine,
    /// People.
    pub identity: Identity,
    /// The organisation whose people log in.
    pub organisation: OrgId,
    /// Fetches what clients name.
    pub http: Arc<dyn HttpClient>,
    /// Section `oauth`.
    pub settings: OauthSettings,
}

/// The authorization server. Cheap to clone.
#[derive(Clone)]
pub struct AuthServer(Arc<Inner>);

struct Inner {
    parts: AuthServerParts,
    clients: Clients,
    keys: KeyRing,
    subjects: Subjects,
    client_keys: ClientKeys,
    metadata: oidc::metadata::Written,
}

impl AuthServer {
    /// Loads the keys; makes them at first start.
    pub async fn new(parts: AuthServerParts) -> Result<Self, KeyError> {
        let keys = KeyRing::open(&parts.env, &parts.store, &parts.sealer, &parts.settings).await?;
        let subjects = Subjects::open(&parts.env, &parts.store, &parts.sealer).await?;
        let client_keys = ClientKeys::new(parts.env.clone(), Arc::clone(&parts.http));
        let clients = Clients { env: parts.env.clone(), store: parts.store.clone() };
        Ok(Self(Arc::new(Inner {
            parts,
            clients,
            keys,
            subjects,
            client_keys,
            metadata: Default::default(),
        })))
    }

    /// Clients.
    pub fn clients(&self) -> &Clients {
        &self.0.clients
    }

    pub(crate) fn env(&self) -> &Env {
        &self.0.parts.env
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.parts.store
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.parts.sealer
    }

    pub(crate) fn web(&self) -> &Web {
        &self.0.parts.web
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.parts.engine
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.parts.identity
    }

    pub(crate) fn organisation(&self) -> &OrgId {
        &self.0.parts.organisation
    }

    pub(crate) fn settings(&self) -> &OauthSettings {
        &self.0.parts.settings
    }

    /// Signing keys.
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    pub(crate) fn metadata(&self) -> &oidc::metadata::Written {
        &self.0.metadata
    }

    pub(crate) fn client_keys(&self) -> &ClientKeys {
        &self.0.client_keys
    }

    pub(crate) fn http(&self) -> &dyn HttpClient {
        &*self.0.parts.http
    }

    pub(crate) fn subjects(&self) -> &Subjects {
        &self.0.subjects
    }
}

#[cfg(test)]
mod tests;
