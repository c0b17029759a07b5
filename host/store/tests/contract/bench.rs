//! What every test stands on: a store on some backend with a clock that the test moves, and a few record kinds.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::random::SystemRng;
use agamid_core::time::{ManualClock, Timestamp};
use agamid_store::setting::Setting;
use agamid_store::testing::PrivatePostgres;
use agamid_store::{
    AuditEntry, Batch, Expect, Index, IndexEntry, Kind, Record, Store, StoreError, StoreOptions,
};
use serde::{Deserialize, Serialize};

/// A store to try rules on. The directory, if it has one, goes with it.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    /// The name of its database.
    pub(crate) database: Option<String>,
    _directory: tempfile::TempDir,
}

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn env_at(clock: &Arc<ManualClock>) -> Env {
    Env { clock: Arc::clone(clock) as _, rng: Arc::new(SystemRng) }
}

/// One server for all tests of this process.
pub(crate) static POSTGRES: LazyLock<PrivatePostgres> =
    LazyLock::new(|| PrivatePostgres::start(false).unwrap());

/// How the tests open a store.
pub(crate) fn options(url: &str) -> StoreOptions {
    let kinds = vec![
        Kind::of::<Pet>(),
        Kind::of::<Setting>(),
        Kind::of::<crate::records::OldPet>(),
        Kind::of::<crate::cache::Shop>(),
    ];
    StoreOptions { url: url.to_owned(), kinds, connections: 8, ..StoreOptions::default() }
}

pub(crate) fn sled_url(directory: &tempfile::TempDir) -> String {
    format!("sled:{}", directory.path().join("data").display())
}

impl Bench {
    pub(crate) async fn memory() -> Self {
        Self::open(|_| "memory:".to_owned()).await
    }

    pub(crate) async fn sled() -> Self {
        Self::open(sled_url).await
    }

    pub(crate) async fn postgres() -> Self {
        let url = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
        Self::open(|_| url).await
    }

    async fn open(url: impl FnOnce(&tempfile::TempDir) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOW));
        let url = url(&directory);
        let store = Store::open(options(&url), env_at(&clock)).await.unwrap();
        let database =
            url.strip_prefix("postgres:").and_then(|url| url.rsplit('/').next()).map(str::to_owned);
        Self { store, clock, database, _directory: directory }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn put(&self, pet: &Pet) {
        self.store.commit(Batch::new().put(pet, Expect::Any)).await.unwrap();
    }

    /// All audit events in order of time.
    pub(crate) async fn events(&self) -> Vec<AuditEntry> {
        let mut events = Vec::new();
        for chain in self.store.audit_chains().await.unwrap() {
            events.extend(self.store.audit_events(&chain, 0, 1000).await.unwrap());
        }
        events.sort_by_key(|entry| (entry.at, entry.sequence));
        events
    }

    pub(crate) async fn version(&self, key: &str) -> Option<u64> {
        self.store.get::<Pet>(key).await.unwrap().map(|found| found.version)
    }

    pub(crate) async fn named(&self, name: &str) -> Vec<String> {
        let found = self.store.find::<Pet>("name", name).await.unwrap();
        found.into_iter().map(|found| found.record.id).collect()
    }
}

/// A record with a unique index, indexes with many entries (a tag `chip 7` is also the unique chip 7), and an
/// optional end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pet {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Pet {
    pub(crate) fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), tags: Vec::new(), expires_at: None }
    }

    pub(crate) fn tagged(mut self, tags: &[&str]) -> Self {
        self.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self
    }

    pub(crate) fn ending_in(mut self, seconds: i64) -> Self {
        self.expires_at = Some(Timestamp(NOW.0 + seconds * 1000));
        self
    }
}

impl Record for Pet {
    const KIND: &'static str = "pet";
    const INDEXES: &'static [Index] =
        &[Index::unique("name"), Index::shared("tag").many(), Index::unique("chip").many()];
    fn key(&self) -> String {
        self.id.clone()
    }
    fn indexes(&self) -> Vec<IndexEntry> {
        let chips = self.tags.iter().filter_map(|tag| tag.strip_prefix("chip "));
        let chips = chips.map(|chip| IndexEntry::new("chip", chip));
        let tags = self.tags.iter().map(|tag| IndexEntry::new("tag", tag));
        std::iter::once(IndexEntry::new("name", &self.name)).chain(tags).chain(chips).collect()
    }
    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

pub(crate) fn is_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

/// Runs each rule on each backend, as tests of their own.
macro_rules! on_every_backend {
    ($($rule:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::bench::Bench::memory().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::bench::Bench::postgres().await).await;
            })*
        }
        mod sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::bench::Bench::sled().await).await;
            })*
        }
    };
}
pub(crate) use on_every_backend;
