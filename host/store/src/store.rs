//! The typed face of the store.

use std::ops::RangeInclusive;
use std::sync::Arc;

use agamid_core::{Env, id};

use crate::audit::{AuditEntry, ChainEnd, Link, broken};
use crate::backend::memory::Memory;
use crate::backend::sled::Sled;
use crate::backend::{Backend, Request};
use crate::batch::{Batch, Committed};
use crate::error::StoreError;
use crate::one_time::{Consume, Consumption, Peeked, Purpose};
use crate::record::{Record, Versioned};
use crate::rules::NODE;
use crate::stored::{Stored, corrupt};
use crate::{keys, read};

/// How many expired records one step of a sweep removes; other commits come between the steps.
const SWEEP_STEP: usize = 256;

/// How many audit entries are read in one go.
const AUDIT_STEP: usize = 500;

/// A handle on the store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    env: Env,
    backend: Arc<dyn Backend>,
}

/// What part of a kind to read, in order.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The index to walk; by primary key when absent.
    pub index: Option<&'static str>,
    /// Inclusive bounds on the index value (or key).
    pub range: Option<RangeInclusive<String>>,
    /// Goes on after the page that ended with this cursor.
    pub after: Option<String>,
    /// At most this many, 1 to 1,000.
    pub limit: usize,
}

impl Default for Scan {
    /// The first 100 by primary key.
    fn default() -> Self {
        Self { index: None, range: None, after: None, limit: 100 }
    }
}

/// Part of a scan.
#[derive(Debug, Clone)]
pub struct Page<R> {
    /// The records.
    pub records: Vec<Versioned<R>>,
    /// Where the next page starts; absent at the end. It holds index values and keys: don't hand it to strangers.
    pub next: Option<String>,
}

impl Store {
    /// Opens `memory:` or `sled:DIRECTORY`. A directory in use by another process is refused with that reason.
    pub async fn open(url: &str, env: Env) -> Result<Self, StoreError> {
        let backend: Arc<dyn Backend> = match url.split_once(':') {
            Some(("memory", "")) => Arc::new(Memory::new(env.clone())),
            Some(("sled", directory)) if !directory.is_empty() => {
                Arc::new(Sled::open(directory.into(), env.clone()).await?)
            }
            _ => {
                let allowed = "allowed are \"memory:\" (lost at exit) and \"sled:DIRECTORY\"";
                return Err(StoreError::Open(format!("{url:?} is no store address: {allowed}")));
            }
        };
        backend.submit(Request::Start { node: id::new_ulid(&env) }).await?;
        Ok(Self { env, backend })
    }

    /// The same store, its backend wrapped.
    #[cfg(any(test, feature = "faults"))]
    pub(crate) fn wrapped(&self, wrap: impl FnOnce(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Self {
        Self { env: self.env.clone(), backend: wrap(Arc::clone(&self.backend)) }
    }

    /// A store over a backend that has been started.
    #[cfg(test)]
    pub(crate) fn over(backend: Arc<dyn Backend>, env: Env) -> Self {
        Self { env, backend }
    }

    /// Reads one record.
    pub async fn get<R: Record>(&self, key: &str) -> Result<Option<Versioned<R>>, StoreError> {
        keys::check("key", R::KIND, key)?;
        match read::stored(&*self.backend, R::KIND, key)? {
            Some(stored) if stored.visible(self.env.now()) => decode(key, stored).map(Some),
            _ => Ok(None),
        }
    }

    /// All records with exactly this index value, ordered by key.
    pub async fn find<R: Record>(
        &self,
        index: &'static str,
        value: &str,
    ) -> Result<Vec<Versioned<R>>, StoreError> {
        let found = read::find(&*self.backend, R::KIND, index, value, self.env.now())?;
        found.into_iter().map(|(key, stored)| decode(&key, stored)).collect()
    }

    /// A page of records in order: of the index value, then the key. A record appears once per entry it has in the
    /// index.
    pub async fn scan<R: Record>(&self, scan: Scan) -> Result<Page<R>, StoreError> {
        let (found, next) = read::scan(&*self.backend, R::KIND, &scan, self.env.now())?;
        let records =
            found.into_iter().map(|(key, stored)| decode(&key, stored)).collect::<Result<_, _>>()?;
        Ok(Page { records, next })
    }

    /// Writes a batch, atomically and durably. Others may see the change shortly before this answers.
    ///
    /// # Errors
    /// `Conflict` and `Invalid`: nothing was written. `Unavailable`: it is not known whether it was.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let reply = self.backend.submit(Request::Commit(batch)).await?;
        Ok(Committed { consumptions: reply.consumptions })
    }

    /// Uses up a one-time record: [`Store::commit`] of a batch with only that.
    pub async fn consume(&self, consume: Consume) -> Result<Consumption, StoreError> {
        let committed = self.commit(Batch::new().consume(consume)).await?;
        let outcome = committed.consumptions.into_iter().next();
        outcome.ok_or_else(|| StoreError::Unavailable("the writer gave no outcome".to_owned()))
    }

    /// Looks at a one-time record without using it up. What is seen may be used up by somebody else a moment later:
    /// [`Batch::consume`] decides.
    pub async fn peek(&self, purpose: Purpose, hash: &str) -> Result<Peeked, StoreError> {
        crate::rules::peek(&*self.backend, purpose, hash, self.env.now())
    }

    /// Removes up to `limit` expired records; answers how many were removed. Works in small steps, between which
    /// other commits go on.
    pub async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let mut removed = 0;
        while removed < limit {
            let step = SWEEP_STEP.min(limit - removed);
            let (from, to) = keys::expired(self.env.now());
            let expired = self.backend.range(&from, &to, step)?;
            let asked = expired.len();
            let expired = expired.into_iter().map(|(key, _)| key).collect();
            let swept = self.backend.submit(Request::Sweep(expired)).await?.swept;
            removed += swept;
            if asked < step || swept == 0 {
                break;
            }
        }
        Ok(removed)
    }

    /// Whether the store answers, and could write.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.backend.submit(Request::Ping).await.map(drop)
    }

    /// This node's name in audit entries: a ULID made at the store's first start.
    pub async fn node(&self) -> Result<String, StoreError> {
        let node = self.backend.get(&keys::about(NODE))?;
        let node = node.ok_or_else(|| corrupt("audit", NODE, "the store has no node id"))?;
        String::from_utf8(node).map_err(|e| corrupt("audit", NODE, e.to_string()))
    }

    /// Audit entries of this node with a sequence number above `after`, in order, at most `limit` (and 1,000).
    pub async fn audit_events(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let node = self.node().await?;
        let from = keys::audit(&node, after.saturating_add(1));
        let links = self.backend.range(&from, &keys::audit(&node, u64::MAX), limit.min(1000))?;
        let entries = links.into_iter().map(|(key, bytes)| {
            let (_, sequence) =
                keys::of_audit(&key).ok_or_else(|| corrupt("audit", &node, "a malformed key"))?;
            Link::from_bytes(&node, sequence, &bytes)?.entry(&node, sequence)
        });
        entries.collect()
    }

    /// Checks every audit chain; answers the number of events.
    ///
    /// # Errors
    /// `Corrupt` names the first broken link as `NODE/SEQUENCE`.
    pub async fn verify_audit(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        let heads = self.backend.range(b"h", b"i", usize::MAX)?;
        self.check_chains_have_ends().await?;
        for (key, bytes) in heads {
            let node = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            count += self.verify_chain(&node, &ChainEnd::from_bytes(&node, &bytes)?).await?;
        }
        Ok(count)
    }

    /// A chain whose recorded end was taken away would otherwise not be looked at.
    async fn check_chains_have_ends(&self) -> Result<(), StoreError> {
        let mut from = b"a".to_vec();
        while let Some((key, _)) = self.backend.range(&from, b"b", 1)?.pop() {
            let (node, sequence) =
                keys::of_audit(&key).ok_or_else(|| corrupt("audit", "", "a malformed key"))?;
            if self.backend.get(&keys::chain_end(node))?.is_none() {
                return Err(broken(node, sequence, "the chain's end is not recorded".to_owned()));
            }
            from = keys::audit(node, u64::MAX);
            from.push(0);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Checks one chain up to the end that was read before; what was appended since is the next call's.
    async fn verify_chain(&self, node: &str, end: &ChainEnd) -> Result<u64, StoreError> {
        let mut reached = ChainEnd::default();
        while reached.sequence < end.sequence {
            let step = AUDIT_STEP.min(usize::try_from(end.sequence - reached.sequence).unwrap_or(AUDIT_STEP));
            let from = keys::audit(node, reached.sequence + 1);
            let links = self.backend.range(&from, &keys::audit(node, u64::MAX), step)?;
            if links.is_empty() {
                return Err(broken(node, reached.sequence + 1, "the entry is missing".to_owned()));
            }
            for (key, bytes) in links {
                let (_, sequence) =
                    keys::of_audit(&key).ok_or_else(|| corrupt("audit", node, "a malformed key"))?;
                reached = Link::from_bytes(node, sequence, &bytes)?.check(&reached, node, sequence)?;
            }
            tokio::task::yield_now().await;
        }
        if reached != *end {
            return Err(broken(node, end.sequence, "it is not the end that was recorded".to_owned()));
        }
        Ok(reached.sequence)
    }

    /// Writes what is pending and lets go of the data directory. Every later call answers `Unavailable`.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.backend.close().await
    }
}

/// Reads a document, through [`Record::upgrade`] when it is of an older schema.
fn decode<R: Record>(key: &str, stored: Stored) -> Result<Versioned<R>, StoreError> {
    let Stored { header, body } = stored;
    let unreadable = |e: serde_json::Error| corrupt(R::KIND, key, e.to_string());
    let record = if header.schema == R::SCHEMA {
        serde_json::from_slice(&body).map_err(unreadable)?
    } else if header.schema < R::SCHEMA {
        let document = serde_json::from_slice(&body).map_err(unreadable)?;
        serde_json::from_value(R::upgrade(header.schema, document)?).map_err(unreadable)?
    } else {
        return Err(StoreError::Schema { kind: R::KIND, found: header.schema, known: R::SCHEMA });
    };
    Ok(Versioned { record, version: header.version })
}

#[cfg(test)]
mod tests;
