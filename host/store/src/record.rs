//! What a record is.

use agamid_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// A kind of record, declared once by the crate that owns it. Stored as a JSON document with its schema number.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name, `person`.
    const KIND: &'static str;
    /// The schema number that this code writes.
    const SCHEMA: u16 = 1;

    /// The primary key, unique within the kind; at most 512 bytes, no NUL.
    fn key(&self) -> String;

    /// What the record can be found by.
    fn indexes(&self) -> Vec<IndexEntry> {
        Vec::new()
    }

    /// When the record stops existing.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }

    /// Brings a document of an older schema to [`Self::SCHEMA`].
    fn upgrade(from: u16, _document: serde_json::Value) -> Result<serde_json::Value, StoreError> {
        Err(StoreError::Schema { kind: Self::KIND, found: from, known: Self::SCHEMA })
    }
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The index's name, `username`.
    pub index: &'static str,
    /// The indexed value, at most 512 bytes, no NUL; scans order by its bytes.
    pub value: String,
    /// Whether two records may not share the value.
    pub unique: bool,
}

impl IndexEntry {
    /// An entry that only one record may have.
    pub fn unique(index: &'static str, value: impl Into<String>) -> Self {
        Self { index, value: value.into(), unique: true }
    }

    /// An entry that many records may share.
    pub fn multi(index: &'static str, value: impl Into<String>) -> Self {
        Self { index, value: value.into(), unique: false }
    }
}

/// A record as it was read, with the version to put into a precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<R> {
    /// The record.
    pub record: R,
    /// Grows by one with each write, from 1.
    pub version: u64,
}
