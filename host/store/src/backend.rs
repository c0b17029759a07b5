//! What a backend has to do: keep an ordered keyspace and let one writer at a time change it. What the bytes mean
//! is not its business: `read` and `rules` say that once for all. Only `sled` knows sled.

pub(crate) mod memory;
pub(crate) mod sled;

use std::fmt;

use agamid_core::BoxFuture;
use agamid_core::time::Timestamp;

use crate::batch::Batch;
use crate::error::StoreError;
use crate::one_time::Consumption;
use crate::record::{IndexEntry, Record};

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Looks up by key.
pub(crate) trait Read {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// An ordered keyspace with a single writer.
pub(crate) trait Backend: Read + Send + Sync {
    /// Pairs with `from <= key < to` in order, at most `limit`.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError>;

    /// Has the writer evaluate the request by `rules::evaluate` and answers when its changes are durable.
    /// Requests take effect one after another, each whole or not at all.
    fn submit(&self, request: Request) -> BoxFuture<'_, Result<Reply, StoreError>>;

    /// Finishes what was submitted and lets go of every resource. Afterwards everything is `Unavailable`.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What the writer can be asked.
#[derive(Debug)]
pub(crate) enum Request {
    /// Puts the store's own facts into an empty store, and checks them in any other.
    Start {
        node: String,
    },
    Commit(Batch),
    /// Removes the records behind these expiry keys, if they are still expired.
    Sweep(Vec<Vec<u8>>),
    /// Nothing; shows that the writer is alive and has room.
    Ping,
}

/// What the writer answers.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) consumptions: Vec<Consumption>,
    pub(crate) swept: usize,
}

/// The answer of everything after `close`.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable("it has been closed".to_owned())
}

/// A record as rules see it.
#[derive(Clone, PartialEq)]
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

impl fmt::Debug for Document {
    /// Without the body and the indexed values: a batch may end up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.kind, self.key, self.body.len())
    }
}
