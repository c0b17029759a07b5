//! What a record is.

use std::fmt;

use agamid_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Document;
use crate::error::StoreError;
use crate::stored::corrupt;

/// A kind of record, declared once by the crate that owns it. Stored as a JSON document with its schema number.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name, `person`.
    const KIND: &'static str;
    /// The schema number that this code writes.
    const SCHEMA: u16 = 1;
    /// What the record can be found by.
    const INDEXES: &'static [Index] = &[];

    /// Whether the record is read at every turn and hardly ever changes: [`crate::Store::cached`] keeps it in memory,
    /// and every change is told to all nodes ([`crate::Store::changes`]).
    const CACHED: bool = false;

    /// The primary key, unique within the kind; at most 512 bytes, no NUL.
    fn key(&self) -> String;

    /// The record's entries in its indexes.
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

/// An index of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name, `username`.
    pub name: &'static str,
    /// Whether two records may not share a value.
    pub unique: bool,
    /// Whether a record may have several entries.
    pub many: bool,
}

impl Index {
    /// A value belongs to one record.
    pub const fn unique(name: &'static str) -> Self {
        Self { name, unique: true, many: false }
    }

    /// Records may share a value.
    pub const fn shared(name: &'static str) -> Self {
        Self { name, unique: false, many: false }
    }

    /// A record may have several entries.
    #[must_use]
    pub const fn many(self) -> Self {
        Self { many: true, ..self }
    }
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// The index's name, one of [`Record::INDEXES`].
    pub index: &'static str,
    /// The indexed value, at most 512 bytes, no NUL; scans order by its bytes.
    pub value: String,
}

impl IndexEntry {
    /// An entry of the index of that name.
    pub fn new(index: &'static str, value: impl Into<String>) -> Self {
        Self { index, value: value.into() }
    }
}

/// What the store knows of a kind of record without its type.
#[derive(Clone, Copy)]
pub struct Kind {
    /// See [`Record::KIND`].
    pub name: &'static str,
    /// See [`Record::SCHEMA`].
    pub schema: u16,
    /// See [`Record::INDEXES`].
    pub indexes: &'static [Index],
    /// Reads a document of this or an older schema and describes it as the type does today.
    pub(crate) describe: fn(u16, &[u8]) -> Result<Document, StoreError>,
}

impl Kind {
    /// The kind of a record type.
    pub const fn of<R: Record>() -> Self {
        Self { name: R::KIND, schema: R::SCHEMA, indexes: R::INDEXES, describe: describe::<R> }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn describe<R: Record>(schema: u16, body: &[u8]) -> Result<Document, StoreError> {
    Document::of(&decode::<R>("", schema, body)?)
}

/// Reads a document, through [`Record::upgrade`] when it is of an older schema.
pub(crate) fn decode<R: Record>(key: &str, schema: u16, body: &[u8]) -> Result<R, StoreError> {
    let unreadable = |e: serde_json::Error| corrupt(R::KIND, key, e.to_string());
    if schema == R::SCHEMA {
        return serde_json::from_slice(body).map_err(unreadable);
    }
    if schema > R::SCHEMA {
        return Err(StoreError::Schema { kind: R::KIND, found: schema, known: R::SCHEMA });
    }
    let document = serde_json::from_slice(body).map_err(unreadable)?;
    serde_json::from_value(R::upgrade(schema, document)?).map_err(unreadable)
}

/// A record as it was read, with the version to put into a precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<R> {
    /// The record.
    pub record: R,
    /// Grows by one with each write, from 1.
    pub version: u64,
}
