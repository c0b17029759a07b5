//! Breaks a store on purpose, for tests of whoever stands on it: fail write n for n = 1, 2, 3 …, open the store anew,
//! and look whether anything is half done. Behind the feature `faults`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agamid_core::BoxFuture;

use crate::backend::{Backend, Pair, Read, Reply, Request};
use crate::error::StoreError;
use crate::store::Store;

/// What becomes of the write at which the store breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is lost.
    Lost,
    /// It is written, only its answer is lost.
    Unanswered,
}

impl Store {
    /// The same store, but the `n`-th write through the new handle (from 1) answers `Unavailable`, and so does every
    /// later one. Reads go on.
    #[must_use]
    pub fn breaking_at(&self, n: u64, fault: Fault) -> Store {
        self.wrapped(|sound| Arc::new(Breaking { sound, n, fault, writes: AtomicU64::new(0) }))
    }
}

struct Breaking {
    sound: Arc<dyn Backend>,
    n: u64,
    fault: Fault,
    writes: AtomicU64,
}

impl Read for Breaking {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.sound.get(key)
    }
}

impl Backend for Breaking {
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.sound.range(from, to, limit)
    }

    fn submit(&self, request: Request) -> BoxFuture<'_, Result<Reply, StoreError>> {
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move {
            if write < self.n {
                return self.sound.submit(request).await;
            }
            if write == self.n && self.fault == Fault::Unanswered {
                self.sound.submit(request).await?;
            }
            Err(StoreError::Unavailable(format!("it was told to break at write {}", self.n)))
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.sound.close()
    }
}

#[cfg(test)]
mod tests {
    use agamid_core::Env;

    use super::Fault;
    use crate::setting::Setting;
    use crate::{AuditEvent, Batch, Expect, Store, StoreError};

    /// Write `n` replaces what write `n - 1` left, in two records and an audit event.
    fn write(n: u64) -> Batch {
        let setting = |section: &str| Setting { section: section.to_owned(), value: n.into() };
        let expect = if n == 1 { Expect::Absent } else { Expect::Version(n - 1) };
        let event = AuditEvent::new("written", "server", n.to_string());
        Batch::new().put(&setting("one"), expect).put(&setting("two"), expect).audit(event)
    }

    async fn value(store: &Store, section: &str) -> u64 {
        let found = store.get::<Setting>(section).await.unwrap();
        found.map_or(0, |found| found.record.value.as_u64().unwrap())
    }

    #[tokio::test]
    async fn wherever_writing_breaks_the_store_holds_whole_writes_only() {
        for (n, fault) in (1..=5).flat_map(|n| [(n, Fault::Lost), (n, Fault::Unanswered)]) {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("sled:{}", directory.path().join("data").display());
            let store = Store::open(&url, Env::system()).await.unwrap().breaking_at(n, fault);
            let mut acknowledged = 0;
            for write_number in 1..=7 {
                match store.commit(write(write_number)).await {
                    Ok(_) => acknowledged = write_number,
                    Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}"),
                }
            }
            assert_eq!(acknowledged, n - 1);
            assert_eq!(value(&store, "one").await, value(&store, "two").await);
            store.close().await.unwrap();
            let store = Store::open(&url, Env::system()).await.unwrap();
            let expected = if fault == Fault::Lost { n - 1 } else { n };
            assert_eq!((value(&store, "one").await, value(&store, "two").await), (expected, expected));
            assert_eq!(store.verify_audit().await.unwrap(), expected);
        }
    }
}
