//! What a backend has to do. Only this module's children know sled.

use crate::error::StoreError;
use crate::record::{IndexEntry, Record};
use agamid_core::time::Timestamp;

/// A record as backends see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    pub(crate) kind: &'static str,
    pub(crate) key: String,
    pub(crate) schema: u16,
    pub(crate) indexes: Vec<IndexEntry>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) body: Vec<u8>,
}

impl Document {
    pub(crate) fn of<R: Record>(record: &R) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(record)
            .map_err(|e| StoreError::Invalid(format!("a {} cannot be written as JSON: {e}", R::KIND)))?;
        Ok(Self {
            kind: R::KIND,
            key: record.key(),
            schema: R::SCHEMA,
            indexes: record.indexes(),
            expires_at: record.expires_at(),
            body,
        })
    }
}
