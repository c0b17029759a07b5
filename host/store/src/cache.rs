//! Records that are read at every request and hardly ever change ([`Record::CACHED`]), decoded, in memory.
//!
//! A commit of this node takes what it touches out of the cache before it answers; a commit of another node is told by
//! the backend; and what was read more than [`LIFETIME`] ago is read again, so that nothing stale is served for longer
//! even if no news comes through. One-time records never come here: their type is no [`Record`].

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agamid_core::Env;
use moka::ops::compute::Op;
use moka::sync::Cache as Bounded;
use tokio::sync::broadcast;

use crate::record::{Record, Versioned};

/// How stale a cached record may be.
pub(crate) const LIFETIME: Duration = Duration::from_secs(1);

/// How many records are kept.
const CAPACITY: u64 = 20_000;

/// How many changes a watcher may be behind before it is told to look at everything.
const BACKLOG: usize = 1024;

/// How many changes of the last moment are known one by one.
const NEWS: usize = 1024;

/// A change of a cached record, by whatever node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Of one record.
    Record {
        /// See [`Record::KIND`].
        kind: String,
        /// See [`Record::key`].
        key: String,
    },
    /// News may have been missed: look at everything.
    Unknown,
}

impl Change {
    /// Whether records of this type may have changed.
    pub fn concerns<R: Record>(&self) -> bool {
        match self {
            Change::Record { kind, .. } => kind == R::KIND,
            Change::Unknown => true,
        }
    }
}

/// News of cached records.
pub struct Changes(broadcast::Receiver<Change>);

impl Changes {
    /// Waits until records of this type may have changed: at news of them, and after `patience` in any case, for news
    /// can be lost. False when the store has gone.
    pub async fn of<R: Record>(&mut self, patience: Duration) -> bool {
        self.of_any(&[R::KIND], patience).await
    }

    /// As [`Self::of`], of several kinds.
    pub async fn of_any(&mut self, kinds: &[&str], patience: Duration) -> bool {
        let news = async {
            while let Some(change) = self.next().await {
                let concerned = match &change {
                    Change::Record { kind, .. } => kinds.contains(&kind.as_str()),
                    Change::Unknown => true,
                };
                if concerned {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(patience, news).await.unwrap_or(true)
    }

    /// The next change; `None` when the store has gone.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Unknown),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Kind and key in one; neither holds a NUL.
pub(crate) fn place(kind: &str, key: &str) -> String {
    format!("{kind}\0{key}")
}

#[derive(Clone)]
struct Kept {
    /// On the monotonic clock, when reading began.
    read_at: Duration,
    version: u64,
    record: Arc<dyn Any + Send + Sync>,
}

/// What changed within the last [`LIFETIME`], on the monotonic clock.
#[derive(Default)]
struct News {
    records: HashMap<String, Duration>,
    /// When everything may have changed.
    all: Option<Duration>,
}

/// See the module.
pub(crate) struct Cache {
    env: Env,
    kept: Bounded<String, Kept>,
    /// Grows with every change, so that what was read before a change is not kept after it.
    epoch: AtomicU64,
    changes: broadcast::Sender<Change>,
    news: Mutex<News>,
}

impl Cache {
    pub(crate) fn new(env: Env) -> Self {
        let kept = Bounded::new(CAPACITY);
        let changes = broadcast::channel(BACKLOG).0;
        Self { env, kept, epoch: AtomicU64::new(0), changes, news: Mutex::default() }
    }

    pub(crate) fn get<R: Record>(&self, key: &str, now: Duration) -> Option<Arc<Versioned<R>>> {
        let kept = self.kept.get(&place(R::KIND, key))?;
        let fresh = now.saturating_sub(kept.read_at) < LIFETIME;
        fresh.then(|| kept.record.downcast().ok()).flatten()
    }

    /// To be asked before reading, and handed to [`Cache::keep`].
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn keep<R: Record>(
        &self,
        key: &str,
        epoch: u64,
        read_at: Duration,
        record: &Arc<Versioned<R>>,
    ) {
        let new = Kept { read_at, version: record.version, record: Arc::clone(record) as _ };
        self.kept.entry(place(R::KIND, key)).and_compute_with(|old| match old.map(|old| old.into_value()) {
            // Something changed while it was read, perhaps this very record.
            _ if self.epoch() != epoch => Op::Remove,
            // A slow reader does not bring back what a faster one has overtaken.
            Some(old) if old.version > new.version && old.read_at.saturating_add(LIFETIME) > new.read_at => {
                Op::Nop
            }
            _ => Op::Put(new),
        });
    }

    /// Whether this record changed so lately that a cache outside this node may not know. Whoever reads a record
    /// because of such news must not be given the one before: nothing would come to tell them again.
    pub(crate) fn is_news(&self, kind: &str, key: &str, now: Duration) -> bool {
        let lately = |at: Duration| now.saturating_sub(at) < LIFETIME;
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.all.is_some_and(lately) || news.records.get(&place(kind, key)).copied().is_some_and(lately)
    }

    fn note(&self, place: Option<String>) {
        let now = self.env.clock.monotonic();
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if news.records.len() >= NEWS {
            news.records.retain(|_, at| now.saturating_sub(*at) < LIFETIME);
        }
        match place {
            Some(place) if news.records.len() < NEWS => {
                news.records.insert(place, now);
            }
            _ => news.all = Some(now),
        }
    }

    /// Forgets a record and tells those who watch.
    pub(crate) fn changed(&self, kind: &str, key: &str) {
        self.note(Some(place(kind, key)));
        self.epoch.fetch_add(1, Ordering::SeqCst);
        // As a computation it waits for a reader that is keeping this record just now; `invalidate` would not.
        self.kept.entry(place(kind, key)).and_compute_with(|_| Op::Remove);
        // Nobody may be watching.
        let _unheard = self.changes.send(Change::Record { kind: kind.to_owned(), key: key.to_owned() });
    }

    /// Forgets everything and tells those who watch.
    pub(crate) fn missed(&self) {
        self.note(None);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.kept.invalidate_all();
        let _unheard = self.changes.send(Change::Unknown);
    }

    pub(crate) fn watch(&self) -> Changes {
        Changes(self.changes.subscribe())
    }
}
