//! Breaks a store on purpose, for tests of whoever stands on it: fail write n for n = 1, 2, 3 …, open the store anew,
//! and look whether anything is half done.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agamid_core::BoxFuture;
use tokio::sync::mpsc;

use crate::audit::AuditEntry;
use crate::backend::item::{Item, Load};
use crate::backend::{Backend, Raw, RawPage};
use crate::batch::{Batch, Committed};
use crate::check::{News, Times};
use crate::error::StoreError;
use crate::one_time::{Peeked, Purpose};
use crate::record::Kind;
use crate::store::{Scan, Store};

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
        self.wrapped(|sound| Arc::new(Breaking { sound, n, fault, counts: Counts::default() }))
    }

    /// The same store, and a count of what is asked of it through the new handle.
    #[must_use]
    pub fn counting(&self) -> (Store, Counts) {
        let counts = Counts::default();
        let counted = counts.clone();
        let breaking = |sound| Breaking { sound, n: u64::MAX, fault: Fault::Lost, counts: counted };
        (self.wrapped(|sound| Arc::new(breaking(sound))), counts)
    }
}

/// What was asked of a store.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    reads: Arc<AtomicU64>,
    writes: Arc<AtomicU64>,
}

impl Counts {
    /// Lookups and scans.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Commits, and other work of the writer.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }
}

struct Breaking {
    sound: Arc<dyn Backend>,
    n: u64,
    fault: Fault,
    counts: Counts,
}

impl Breaking {
    fn read(&self) -> &dyn Backend {
        self.counts.reads.fetch_add(1, Ordering::SeqCst);
        &*self.sound
    }

    /// Lets a write through, breaks it, or does it and says nothing.
    async fn write<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let write = self.counts.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if write < self.n {
            return work.await;
        }
        if write == self.n && self.fault == Fault::Unanswered {
            work.await?;
        }
        Err(StoreError::Unavailable(format!("it was told to break at write {}", self.n)))
    }
}

impl Backend for Breaking {
    fn get<'a>(&'a self, kind: &'static str, key: &'a str) -> BoxFuture<'a, Result<Option<Raw>, StoreError>> {
        self.read().get(kind, key)
    }

    fn find<'a>(
        &'a self,
        kind: &'static str,
        index: &'static str,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Raw>, StoreError>> {
        self.read().find(kind, index, value)
    }

    fn scan<'a>(&'a self, kind: &'static str, scan: &'a Scan) -> BoxFuture<'a, Result<RawPage, StoreError>> {
        self.read().scan(kind, scan)
    }

    fn peek<'a>(&'a self, purpose: Purpose, hash: &'a str) -> BoxFuture<'a, Result<Peeked, StoreError>> {
        self.read().peek(purpose, hash)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(self.write(self.sound.commit(batch)))
    }

    fn sweep(&self, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.write(self.sound.sweep(limit)))
    }

    fn is_shared(&self) -> bool {
        self.sound.is_shared()
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(self.sound.ping()))
    }

    fn node(&self) -> BoxFuture<'_, Result<String, StoreError>> {
        self.sound.node()
    }

    fn audit_chains(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        self.sound.audit_chains()
    }

    fn audit_events<'a>(
        &'a self,
        chain: &'a str,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<AuditEntry>, StoreError>> {
        self.sound.audit_events(chain, after, limit)
    }

    fn verify_audit(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.sound.verify_audit()
    }

    fn dump<'a>(&'a self, out: &'a mpsc::Sender<Vec<Item>>) -> BoxFuture<'a, Result<(), StoreError>> {
        self.sound.dump(out)
    }

    fn load(&self, load: Load) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(self.sound.load(load)))
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.sound.is_empty()
    }

    fn about<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.sound.about(name)
    }

    fn check(&self, kinds: Vec<Kind>, out: mpsc::Sender<News>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.sound.check(kinds, out)
    }

    fn times(&self) -> BoxFuture<'_, Result<Times, StoreError>> {
        self.sound.times()
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
    use crate::{AuditEvent, Batch, Expect, Kind, Store, StoreError, StoreOptions};

    fn options(url: &str) -> StoreOptions {
        StoreOptions { url: url.to_owned(), kinds: vec![Kind::of::<Setting>()], ..StoreOptions::default() }
    }

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
            let store = Store::open(options(&url), Env::system()).await.unwrap().breaking_at(n, fault);
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
            let store = Store::open(options(&url), Env::system()).await.unwrap();
            let expected = if fault == Fault::Lost { n - 1 } else { n };
            assert_eq!((value(&store, "one").await, value(&store, "two").await), (expected, expected));
            assert_eq!(store.verify_audit().await.unwrap(), expected);
        }
    }
}
