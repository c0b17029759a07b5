//! A record as it lies in the keyspace: a header, then the JSON document.

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::Document;
use crate::error::StoreError;

/// A record's header and document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) header: Header,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) version: u64,
    pub(crate) schema: u16,
    pub(crate) expires_at: Option<Timestamp>,
    /// Kept, so that the entries can be removed whatever the record's type has become since.
    pub(crate) indexes: Vec<StoredEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredEntry {
    pub(crate) index: String,
    pub(crate) value: String,
    pub(crate) unique: bool,
}

impl Stored {
    pub(crate) fn of(document: &Document, version: u64) -> Self {
        let indexes = document.indexes.iter().map(|entry| StoredEntry {
            index: entry.index.to_owned(),
            value: entry.value.clone(),
            unique: entry.unique,
        });
        let header = Header {
            version,
            schema: document.schema,
            expires_at: document.expires_at,
            indexes: indexes.collect(),
        };
        Self { header, body: document.body.clone() }
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = postcard::to_stdvec(&self.header)
            .map_err(|e| StoreError::Invalid(format!("a record cannot be written: {e}")))?;
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    pub(crate) fn from_bytes(kind: &str, key: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        let (header, body) =
            postcard::take_from_bytes(bytes).map_err(|e| corrupt(kind, key, format!("its header: {e}")))?;
        Ok(Self { header, body: body.to_vec() })
    }

    /// An expired record is as good as gone, from the very millisecond.
    pub(crate) fn visible(&self, now: Timestamp) -> bool {
        self.header.expires_at.is_none_or(|end| now < end)
    }

    pub(crate) fn has(&self, index: &str, value: &str) -> bool {
        self.header.indexes.iter().any(|entry| entry.index == index && entry.value == value)
    }
}

pub(crate) fn corrupt(kind: &str, key: &str, cause: impl Into<String>) -> StoreError {
    StoreError::Corrupt { kind: kind.to_owned(), key: key.to_owned(), cause: cause.into() }
}
