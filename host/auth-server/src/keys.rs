//! The key ring: signing keys, made at first start, sealed in the store, parsed once.

use std::collections::BTreeMap;
use std::sync::Arc;

use agamid_core::Env;
use agamid_core::jose::{JoseError, SigningAlgorithm, SigningKey};
use agamid_core::seal::{SealError, Sealer};
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A key as it is stored: PKCS#8, sealed.
#[derive(Clone, Serialize, Deserialize)]
struct SigningKeyRecord {
    kid: String,
    algorithm: SigningAlgorithm,
    sealed: String,
    created_at: Timestamp,
}

impl Record for SigningKeyRecord {
    const KIND: &'static str = "signing_key";
    fn key(&self) -> String {
        self.kid.clone()
    }
}

/// The keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key can't be made or read.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// A key can't be opened.
    #[error(
        "a signing key can't be opened: {0}; is secrets.envelope_key_file the one that this store was made with?"
    )]
    Sealed(#[from] SealError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The keys in use. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing {
    active: Arc<BTreeMap<SigningAlgorithm, SigningKey>>,
    jwks: Arc<Value>,
}

impl KeyRing {
    /// Loads the keys; makes those that are missing.
    pub async fn open(env: &Env, store: &Store, sealer: &Sealer) -> Result<Self, KeyError> {
        let mut active: BTreeMap<SigningAlgorithm, SigningKey> = BTreeMap::new();
        let stored = store.scan::<SigningKeyRecord>(Scan { limit: 1000, ..Scan::default() }).await?;
        for found in stored.records {
            let record = found.record;
            let sealed = STANDARD.decode(&record.sealed).map_err(|_| SealError)?;
            let pkcs8 = sealer.open("signing key", record.kid.as_bytes(), &sealed)?;
            active.insert(record.algorithm, SigningKey::from_pkcs8(record.algorithm, &pkcs8)?);
        }
        let missing = SigningAlgorithm::ALL.into_iter().filter(|algorithm| !active.contains_key(algorithm));
        let making: Vec<_> = missing
            .map(|algorithm| {
                (algorithm, tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)))
            })
            .collect();
        for (algorithm, made) in making {
            let key = made.await.map_err(|_| JoseError::Key(algorithm.name(), "generation stopped"))??;
            let sealed = sealer.seal("signing key", key.kid().as_bytes(), key.pkcs8())?;
            let record = SigningKeyRecord {
                kid: key.kid().to_owned(),
                algorithm,
                sealed: STANDARD.encode(sealed),
                created_at: env.now(),
            };
            let audit = AuditEvent::new("signing_key.created", "server", key.kid());
            store.commit(Batch::new().put(&record, Expect::Absent).audit(audit)).await?;
            active.insert(algorithm, key);
        }
        let jwks = json!({ "keys": active.values().map(SigningKey::jwk).collect::<Vec<_>>() });
        Ok(Self { active: Arc::new(active), jwks: Arc::new(jwks) })
    }

    /// The public keys (RFC 7517 section 5).
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Signs claims as a JWT.
    pub fn sign(&self, algorithm: SigningAlgorithm, typ: &str, claims: &Value) -> Result<String, JoseError> {
        let key = self.active.get(&algorithm).ok_or(JoseError::Key(algorithm.name(), "there is none"))?;
        key.sign(typ, claims)
    }
}
