//! The key ring: signing keys, sealed in the store, parsed once, rotated.
//!
//! A key has three ages, all told by `active_from` and the clock, so that every node agrees without talking: *next*
//! (published, not yet used, so that everybody who caches the key set knows it in time), *active* (the newest that has
//! begun), *old* (still published until the last token it signed is over; then it is destroyed). A key that got into
//! wrong hands is revoked: it leaves the key set at once and nothing it signed is accepted any more.

mod inspect;
pub(crate) mod record;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::jose::{JoseError, SigningAlgorithm, SigningKey};
use agamid_core::seal::{SealError, Sealer};
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Store, StoreError, Versioned};
use arc_swap::ArcSwap;
use serde::Serialize;
use serde_json::{Value, json};

use crate::settings::OauthSettings;
use record::{Rotation, SigningKeyRecord};

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
    /// A key that is to be revoked is not there.
    #[error("there is no signing key {0}; `agamid key list` shows them")]
    Unknown(String),
}

/// How old a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Age {
    /// Published, not yet used.
    Next,
    /// Signs.
    Active,
    /// Verifies what it signed.
    Old,
}

/// A key, as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStatus {
    /// Its id (RFC 7638).
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Next, active or old.
    pub age: Age,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// From when it signs (RFC 3339).
    pub active_from: String,
}

/// How keys age; from the settings.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    /// How long a key is active; `None`: until somebody rotates.
    rotation: Option<Duration>,
    /// How long a key is published before it signs.
    publish: Duration,
    /// How long it is published after it signed last.
    keep: Duration,
}

impl Schedule {
    fn of(settings: &OauthSettings) -> Self {
        let longest = settings.access_token_lifetime.max(settings.id_token_lifetime);
        let rotation = Duration::from_secs(settings.key_rotation);
        Self {
            rotation: (!rotation.is_zero()).then_some(rotation),
            publish: Duration::from_secs(settings.key_publication),
            keep: Duration::from_secs(longest).max(HINTS) + SLACK,
        }
    }
}

/// An application sends the ID token of a login as a hint for as long as that login lasts.
const HINTS: Duration = Duration::from_secs(24 * 3600);
/// How often the keys are looked at where nobody tells of changes, and how long to wait after a failure.
const LOOK: Duration = Duration::from_secs(10);
/// For clocks that differ, and for requests under way.
const SLACK: Duration = Duration::from_secs(60);

/// A key in use.
struct Held {
    key: SigningKey,
    created_at: Timestamp,
    active_from: Timestamp,
}

/// What is in use at one time: for each algorithm its keys, oldest first.
#[derive(Default)]
struct Ring {
    keys: BTreeMap<SigningAlgorithm, Vec<Arc<Held>>>,
    jwks: Arc<Value>,
    document: axum::body::Bytes,
}

/// The keys.
pub struct KeyRing {
    env: Env,
    store: Store,
    sealer: Sealer,
    schedule: Schedule,
    ring: ArcSwap<Ring>,
}

impl KeyRing {
    /// Loads the keys; makes those that are missing.
    pub async fn open(
        env: &Env,
        store: &Store,
        sealer: &Sealer,
        settings: &OauthSettings,
    ) -> Result<Self, KeyError> {
        let ring = Self {
            env: env.clone(),
            store: store.clone(),
            sealer: sealer.clone(),
            schedule: Schedule::of(settings),
            ring: ArcSwap::default(),
        };
        ring.maintain().await?;
        Ok(ring)
    }

    /// Keeps the keys in order for good: learns at once what other nodes change, and does what is due.
    pub async fn keep(&self) {
        let mut changes = self.store.changes();
        let patience = self.store.patience().min(LOOK);
        while changes.of::<SigningKeyRecord>(patience).await {
            if let Err(error) = self.maintain().await {
                tracing::error!(event = "signing_key.maintenance_failed", %error);
                tokio::time::sleep(patience).await;
            }
        }
    }

    /// Learns what other nodes changed, makes the keys that are due, destroys those that are over. Called at the start and
    /// every few seconds.
    pub async fn maintain(&self) -> Result<(), KeyError> {
        let mut changed = self.load().await?;
        let now = self.env.now();
        for algorithm in SigningAlgorithm::ALL {
            let keys = self.of(algorithm);
            let Some(active) = keys.iter().rev().find(|held| held.active_from <= now) else {
                changed |= self.make(algorithm, now, "server").await?;
                continue;
            };
            if let Some(rotation) = self.schedule.rotation {
                let due = active.active_from.plus(rotation);
                let has_next = keys.iter().any(|held| held.active_from > now);
                if !has_next && due <= now.plus(self.schedule.publish) {
                    changed |=
                        self.make(algorithm, due.max(now.plus(self.schedule.publish)), "server").await?;
                }
            }
            for (old, successor) in keys.iter().zip(keys.iter().skip(1)) {
                if successor.active_from.plus(self.schedule.keep) <= now {
                    self.destroy(old, "signing_key.destroyed", "server").await?;
                    changed = true;
                }
            }
        }
        if changed {
            self.load().await?;
        }
        Ok(())
    }

    /// Publishes a next key of every algorithm that has none; each signs once everybody can know it.
    pub async fn rotate(&self, actor: &str) -> Result<(), KeyError> {
        self.load().await?;
        let now = self.env.now();
        for algorithm in SigningAlgorithm::ALL {
            if !self.of(algorithm).iter().any(|held| held.active_from > now) {
                self.make(algorithm, now.plus(self.schedule.publish), actor).await?;
            }
        }
        self.load().await.map(drop)
    }

    /// Takes a key out of use at once: it is in wrong hands. Where it was active, another one is from now on.
    pub async fn revoke(&self, kid: &str, actor: &str) -> Result<(), KeyError> {
        self.load().await?;
        let now = self.env.now();
        let ring = self.ring.load_full();
        let all = || ring.keys.values().flatten();
        let bad =
            all().find(|held| held.key.kid() == kid).ok_or_else(|| KeyError::Unknown(kid.to_owned()))?;
        let algorithm = bad.key.algorithm();
        let others = self.of(algorithm);
        let others = || others.iter().filter(|held| held.key.kid() != kid);
        let newer = || others().filter(|held| held.active_from > bad.active_from);
        let is_active = bad.active_from <= now && !newer().any(|held| held.active_from <= now);
        if is_active {
            match newer().next() {
                Some(next) => self.begin_now(next, actor).await?,
                None => drop(self.make(algorithm, now, actor).await?),
            }
        }
        self.destroy(bad, "signing_key.revoked", actor).await?;
        tracing::warn!(event = "signing_key.revoked", kid, actor);
        self.load().await.map(drop)
    }

    /// All keys, newest first within their algorithm.
    pub fn status(&self) -> Vec<KeyStatus> {
        let now = self.env.now();
        let ring = self.ring.load();
        let mut found = Vec::new();
        for keys in ring.keys.values() {
            let mut age = Age::Next;
            for held in keys.iter().rev() {
                age = match age {
                    Age::Next if held.active_from <= now => Age::Active,
                    Age::Next => Age::Next,
                    Age::Active | Age::Old => Age::Old,
                };
                found.push(KeyStatus {
                    kid: held.key.kid().to_owned(),
                    algorithm: held.key.algorithm(),
                    age,
                    created_at: held.created_at.to_string(),
                    active_from: held.active_from.to_string(),
                });
            }
        }
        found
    }

    /// The public keys (RFC 7517 section 5).
    pub fn jwks(&self) -> Arc<Value> {
        Arc::clone(&self.ring.load().jwks)
    }

    /// The same, as it is sent.
    pub fn document(&self) -> axum::body::Bytes {
        self.ring.load().document.clone()
    }

    /// Signs claims as a JWT.
    pub fn sign(&self, algorithm: SigningAlgorithm, typ: &str, claims: &Value) -> Result<String, JoseError> {
        let now = self.env.now();
        let ring = self.ring.load();
        let keys = ring.keys.get(&algorithm).map(Vec::as_slice).unwrap_or_default();
        let active = keys.iter().rev().find(|held| held.active_from <= now);
        active.ok_or(JoseError::Key(algorithm.name(), "there is none"))?.key.sign(typ, claims)
    }

    fn of(&self, algorithm: SigningAlgorithm) -> Vec<Arc<Held>> {
        self.ring.load().keys.get(&algorithm).cloned().unwrap_or_default()
    }

    /// Reads the stored keys; says whether they are others than before. Those that are known are not parsed again.
    async fn load(&self) -> Result<bool, KeyError> {
        let records = SigningKeyRecord::all(&self.store).await?;
        let before = self.ring.load_full();
        let known: BTreeMap<&str, &Arc<Held>> =
            before.keys.values().flatten().map(|held| (held.key.kid(), held)).collect();
        let mut keys: BTreeMap<SigningAlgorithm, Vec<Arc<Held>>> = BTreeMap::new();
        let mut same = records.len() == known.len();
        for Versioned { record, .. } in records {
            let held = match known.get(record.kid.as_str()) {
                Some(held) if held.active_from == record.active_from => Arc::clone(held),
                _ => {
                    same = false;
                    Arc::new(Held {
                        key: record.open(&self.sealer)?,
                        created_at: record.created_at,
                        active_from: record.active_from,
                    })
                }
            };
            keys.entry(record.algorithm).or_default().push(held);
        }
        if same {
            return Ok(false);
        }
        for list in keys.values_mut() {
            list.sort_by(|a, b| (a.active_from, a.key.kid()).cmp(&(b.active_from, b.key.kid())));
        }
        let jwks = json!({ "keys": keys.values().flatten().map(|held| held.key.jwk()).collect::<Vec<_>>() });
        let document = jwks.to_string().into();
        self.ring.store(Arc::new(Ring { keys, jwks: Arc::new(jwks), document }));
        Ok(true)
    }

    /// Makes a key, unless another node makes one of this algorithm at the same time; says whether it did.
    async fn make(
        &self,
        algorithm: SigningAlgorithm,
        active_from: Timestamp,
        actor: &str,
    ) -> Result<bool, KeyError> {
        let turn = Rotation::read(&self.store, algorithm).await?;
        let making = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let key = making.map_err(|_| JoseError::Key(algorithm.name(), "generation stopped"))??;
        let record = SigningKeyRecord::seal(&self.sealer, &key, self.env.now(), active_from)?;
        let audit = AuditEvent::new("signing_key.created", actor, key.kid());
        let batch = turn.next(Batch::new().put(&record, Expect::Absent).audit(audit));
        match self.store.commit(batch).await {
            Ok(_) => {
                let (kid, from) = (key.kid(), active_from.to_string());
                tracing::info!(event = "signing_key.created", kid, algorithm = algorithm.name(), from);
                Ok(true)
            }
            // Theirs counts; it is loaded next.
            Err(StoreError::Conflict { .. }) => self.load().await,
            Err(error) => Err(error.into()),
        }
    }

    async fn begin_now(&self, held: &Held, actor: &str) -> Result<(), KeyError> {
        let kid = held.key.kid();
        if let Some(Versioned { mut record, version }) = self.store.get::<SigningKeyRecord>(kid).await? {
            record.active_from = self.env.now();
            let audit = AuditEvent::new("signing_key.activated", actor, kid);
            self.store.commit(Batch::new().put(&record, Expect::Version(version)).audit(audit)).await?;
        }
        Ok(())
    }

    async fn destroy(&self, held: &Held, event: &'static str, actor: &str) -> Result<(), KeyError> {
        let kid = held.key.kid();
        let batch = Batch::new().delete::<SigningKeyRecord>(kid, Expect::Any);
        self.store.commit(batch.audit(AuditEvent::new(event, actor, kid))).await?;
        tracing::info!(event, kid);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
