//! Keys as they are stored.

use agamid_core::jose::{SigningAlgorithm, SigningKey};
use agamid_core::seal::{SealError, Sealer};
use agamid_core::time::Timestamp;
use agamid_store::{Batch, Expect, Record, Scan, Store, StoreError, Versioned};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::KeyError;

/// A key: PKCS#8, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SigningKeyRecord {
    pub(super) kid: String,
    pub(super) algorithm: SigningAlgorithm,
    sealed: String,
    pub(super) created_at: Timestamp,
    /// From when it signs. Keys of the first releases did so from the start.
    #[serde(default)]
    pub(super) active_from: Timestamp,
}

impl Record for SigningKeyRecord {
    const KIND: &'static str = "signing_key";
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.kid.clone()
    }
}

/// What the sealed form is bound to.
const PURPOSE: &str = "signing key";

impl SigningKeyRecord {
    /// All keys of the store.
    pub(super) async fn all(store: &Store) -> Result<Vec<Versioned<Self>>, StoreError> {
        Ok(store.scan::<Self>(Scan { limit: 1000, ..Scan::default() }).await?.records)
    }

    pub(super) fn seal(
        sealer: &Sealer,
        key: &SigningKey,
        created_at: Timestamp,
        active_from: Timestamp,
    ) -> Result<Self, SealError> {
        let sealed = STANDARD.encode(sealer.seal(PURPOSE, key.kid().as_bytes(), key.pkcs8())?);
        Ok(Self { kid: key.kid().to_owned(), algorithm: key.algorithm(), sealed, created_at, active_from })
    }

    pub(super) fn open(&self, sealer: &Sealer) -> Result<SigningKey, KeyError> {
        let sealed = STANDARD.decode(&self.sealed).map_err(|_| SealError)?;
        let pkcs8 = sealer.open(PURPOSE, self.kid.as_bytes(), &sealed)?;
        Ok(SigningKey::from_pkcs8(self.algorithm, &pkcs8)?)
    }
}

/// Counts the keys of an algorithm, so that of several nodes only one makes the next.
#[derive(Serialize, Deserialize)]
pub(crate) struct RotationRecord {
    algorithm: SigningAlgorithm,
    made: u64,
}

impl Record for RotationRecord {
    const KIND: &'static str = "signing_key_rotation";
    fn key(&self) -> String {
        self.algorithm.name().to_owned()
    }
}

/// The turn of whoever makes the next key.
pub(super) struct Rotation(RotationRecord, Expect);

impl Rotation {
    pub(super) async fn read(store: &Store, algorithm: SigningAlgorithm) -> Result<Self, StoreError> {
        Ok(match store.get::<RotationRecord>(algorithm.name()).await? {
            Some(Versioned { record, version }) => Self(record, Expect::Version(version)),
            None => Self(RotationRecord { algorithm, made: 0 }, Expect::Absent),
        })
    }

    /// Takes the turn in the batch, which is a conflict where somebody else has taken it.
    pub(super) fn next(mut self, batch: Batch) -> Batch {
        self.0.made += 1;
        batch.put(&self.0, self.1)
    }
}
