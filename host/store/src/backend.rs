//! What a backend has to do. Two families do it: ordered keyspaces with one writer (`memory`, and `sled`, the only
//! place that knows sled), for which `keyspace` says once what the bytes mean; and `postgres`, which says it in SQL.

pub(crate) mod item;
pub(crate) mod keyspace;
pub(crate) mod memory;
pub(crate) mod postgres;
pub(crate) mod sled;

use std::fmt;

use agamid_core::BoxFuture;
use agamid_core::time::Timestamp;
use tokio::sync::mpsc;

use crate::audit::AuditEntry;
use crate::batch::{Batch, Committed};
use crate::check::{News, Times};
use crate::error::StoreError;
use crate::one_time::{Peeked, Purpose};
use crate::record::{IndexEntry, Kind, Record};
use crate::store::Scan;
use item::{Item, Load};

/// The operations of the store, without types of records. Expired records are invisible to all of them.
pub(crate) trait Backend: Send + Sync {
    /// One record.
    fn get<'a>(&'a self, kind: &'static str, key: &'a str) -> BoxFuture<'a, Result<Option<Raw>, StoreError>>;

    /// All records with exactly this index value, by key.
    fn find<'a>(
        &'a self,
        kind: &'static str,
        index: &'static str,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Raw>, StoreError>>;

    /// A page, and the cursor of the next.
    fn scan<'a>(&'a self, kind: &'static str, scan: &'a Scan) -> BoxFuture<'a, Result<RawPage, StoreError>>;

    /// A one-time record, left as it is.
    fn peek<'a>(&'a self, purpose: Purpose, hash: &'a str) -> BoxFuture<'a, Result<Peeked, StoreError>>;

    /// Answers when the changes are durable. Batches take effect one after another, each whole or not at all.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Committed, StoreError>>;

    /// Removes up to `limit` expired records, the oldest first; answers how many.
    fn sweep(&self, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>>;

    /// Whether other processes write to the same store.
    fn is_shared(&self) -> bool;

    /// Whether the store answers, and could write.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// This node's name.
    fn node(&self) -> BoxFuture<'_, Result<String, StoreError>>;

    /// The audit chains by name.
    fn audit_chains(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>>;

    /// Entries of a chain above `after`, in order.
    fn audit_events<'a>(
        &'a self,
        chain: &'a str,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<AuditEntry>, StoreError>>;

    /// Checks every chain; answers the number of events.
    fn verify_audit(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Hands on everything as it stands at one moment, while others write.
    fn dump<'a>(&'a self, out: &'a mpsc::Sender<Vec<Item>>) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Puts in place what an export holds, all of it or nothing; a conflict where something lies already.
    fn load(&self, load: Load) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Whether there is no record and no audit event.
    fn is_empty(&self) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// What the store remembers about itself under this name.
    fn about<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;

    /// Looks at every record and every entry that points to one.
    fn check(&self, kinds: Vec<Kind>, out: mpsc::Sender<News>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What a clock can be held against.
    fn times(&self) -> BoxFuture<'_, Result<Times, StoreError>>;

    /// Finishes what was begun and lets go of every resource. Afterwards everything is `Unavailable`.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// A record as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raw {
    pub(crate) key: String,
    pub(crate) version: u64,
    pub(crate) schema: u16,
    pub(crate) body: Vec<u8>,
}

/// Part of a scan, and the cursor of the next part.
pub(crate) type RawPage = (Vec<Raw>, Option<String>);

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
    pub(crate) indexes: Vec<Entry>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) body: Vec<u8>,
}

/// An entry with what its index says of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) index: &'static str,
    pub(crate) value: String,
    pub(crate) unique: bool,
    pub(crate) many: bool,
}

impl Document {
    pub(crate) fn of<R: Record>(record: &R) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(record)
            .map_err(|e| StoreError::Invalid(format!("a {} cannot be written as JSON: {e}", R::KIND)))?;
        let mut indexes: Vec<Entry> = Vec::new();
        for entry in record.indexes() {
            let entry = declared::<R>(entry)?;
            if indexes.contains(&entry) {
                continue;
            }
            if !entry.many && indexes.iter().any(|other| other.index == entry.index) {
                return Err(StoreError::Invalid(format!(
                    "a {} has two entries in its index {}, which is not declared with many()",
                    R::KIND,
                    entry.index
                )));
            }
            indexes.push(entry);
        }
        Ok(Self {
            kind: R::KIND,
            key: record.key(),
            schema: R::SCHEMA,
            indexes,
            expires_at: record.expires_at(),
            body,
        })
    }
}

fn declared<R: Record>(entry: IndexEntry) -> Result<Entry, StoreError> {
    let IndexEntry { index, value } = entry;
    match R::INDEXES.iter().find(|declared| declared.name == index) {
        Some(declared) => Ok(Entry { index, value, unique: declared.unique, many: declared.many }),
        None => Err(StoreError::Invalid(format!("a {} has no index {index:?}: declare it", R::KIND))),
    }
}

impl fmt::Debug for Document {
    /// Without the body and the indexed values: a batch may end up in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.kind, self.key, self.body.len())
    }
}
