//! Stores of older and newer versions: brought up to date in steps, or refused before anything is written.

use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::random::{SystemRng, bytes};
use agamid_core::time::{ManualClock, Timestamp};
use agamid_store::{Batch, Expect, Index, IndexEntry, Kind, Record, Store, StoreError, StoreOptions};
use serde::{Deserialize, Serialize};

use crate::bench::{NOW, POSTGRES, env_at, sled_url};
use crate::opening::{child, directory_of_child, wait_for};

/// As version one wrote it: no index.
#[derive(Debug, Serialize, Deserialize)]
struct BeastOne {
    id: String,
    name: String,
}

impl Record for BeastOne {
    const KIND: &'static str = "beast";
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// As version two has it: the name is called differently, and two indexes more.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct BeastTwo {
    id: String,
    called: String,
}

impl Record for BeastTwo {
    const KIND: &'static str = "beast";
    const SCHEMA: u16 = 2;
    const INDEXES: &'static [Index] = &[Index::unique("called"), Index::shared("letter").many()];
    fn key(&self) -> String {
        self.id.clone()
    }
    fn indexes(&self) -> Vec<IndexEntry> {
        let letters = self.called.chars().map(|letter| IndexEntry::new("letter", letter));
        std::iter::once(IndexEntry::new("called", &self.called)).chain(letters).collect()
    }
    fn upgrade(_: u16, mut document: serde_json::Value) -> Result<serde_json::Value, StoreError> {
        let beast = document.as_object_mut().ok_or_else(|| StoreError::Invalid("no object".to_owned()))?;
        let name = beast.remove("name").unwrap_or_default();
        beast.insert("called".to_owned(), name);
        Ok(document)
    }
}

fn one(url: &str) -> StoreOptions {
    StoreOptions { url: url.to_owned(), kinds: vec![Kind::of::<BeastOne>()], ..StoreOptions::default() }
}

fn two(url: &str, auto_migrate: bool) -> StoreOptions {
    StoreOptions { kinds: vec![Kind::of::<BeastTwo>()], auto_migrate, ..one(url) }
}

/// Many beasts of version one, each written twice.
async fn old_store(url: &str, many: usize) {
    let store = Store::open(one(url), Env::system()).await.unwrap();
    for n in 0..many {
        let beast = BeastOne { id: format!("{n:05}"), name: format!("beast {n}") };
        store.commit(Batch::new().put(&beast, Expect::Absent)).await.unwrap();
        if n % 100 == 0 {
            store.commit(Batch::new().put(&beast, Expect::Version(1))).await.unwrap();
        }
    }
    store.close().await.unwrap();
}

fn reason(result: Result<Store, StoreError>) -> String {
    match result {
        Err(StoreError::Open(reason)) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
}

async fn check(url: &str, many: usize) {
    // What was migrated needs no migration.
    let store = Store::open(two(url, false), Env::system()).await.unwrap();
    for n in [0, 1, 63, 64, 65, many - 1] {
        let found = store.find::<BeastTwo>("called", &format!("beast {n}")).await.unwrap();
        assert_eq!(found.len(), 1, "beast {n}");
        assert_eq!(found[0].record.id, format!("{n:05}"));
        assert_eq!(found[0].version, if n % 100 == 0 { 2 } else { 1 });
    }
    assert_eq!(store.find::<BeastTwo>("letter", "t").await.unwrap().len(), many);
    let taken = BeastTwo { id: "new".to_owned(), called: "beast 1".to_owned() };
    let taken = store.commit(Batch::new().put(&taken, Expect::Absent)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    store.close().await.unwrap();
}

async fn an_older_store_is_migrated_or_refused_and_a_newer_one_refused(url: &str) {
    old_store(url, 300).await;
    let refused = reason(Store::open(two(url, false), Env::system()).await);
    assert!(refused.contains("agamid migrate") && refused.contains("beast"), "{refused}");
    // The refusal changed nothing: the old version still opens it.
    Store::open(one(url), Env::system()).await.unwrap().close().await.unwrap();
    Store::open(two(url, true), Env::system()).await.unwrap().close().await.unwrap();
    check(url, 300).await;
    let refused = reason(Store::open(one(url), Env::system()).await);
    assert!(refused.contains("schema 2") && refused.contains("knows 1"), "{refused}");
    check(url, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sled_an_older_store_is_migrated_or_refused_and_a_newer_one_refused() {
    let directory = tempfile::tempdir().unwrap();
    an_older_store_is_migrated_or_refused_and_a_newer_one_refused(&sled_url(&directory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_an_older_store_is_migrated_or_refused_and_a_newer_one_refused() {
    let url = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
    an_older_store_is_migrated_or_refused_and_a_newer_one_refused(&url).await;
}

#[tokio::test]
#[ignore = "the child of the tests below"]
async fn migrate_until_killed() {
    let Some(directory) = directory_of_child() else { return };
    let url = std::fs::read_to_string(directory.join("url")).unwrap();
    std::fs::write(directory.join("migrating"), "").unwrap();
    Store::open(two(&url, true), Env::system()).await.unwrap();
    std::fs::write(directory.join("migrated"), "").unwrap();
}

/// Kills migrations until one gets through; answers how many it took.
async fn killed_again_and_again(directory: &tempfile::TempDir, url: &str) -> u32 {
    let path = directory.path();
    std::fs::write(path.join("url"), url).unwrap();
    let mut kills = 0;
    while !path.join("migrated").exists() {
        let mut migration = child("migrate::migrate_until_killed", path);
        wait_for(&path.join("migrating")).await;
        let [random] = bytes::<1>(&SystemRng);
        tokio::time::sleep(Duration::from_millis(20 + u64::from(random) / 2 + u64::from(kills) * 20)).await;
        migration.kill().unwrap();
        migration.wait().unwrap();
        std::fs::remove_file(path.join("migrating")).unwrap();
        kills += 1;
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_of_sled_that_is_killed_again_and_again_ends_with_everything_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let url = sled_url(&directory);
    old_store(&url, 3_000).await;
    let kills = killed_again_and_again(&directory, &url).await;
    println!("{kills} kills");
    check(&url, 3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_of_postgres_that_is_killed_again_and_again_ends_with_everything_there_once() {
    let directory = tempfile::tempdir().unwrap();
    let url = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
    old_store(&url, 3_000).await;
    let kills = killed_again_and_again(&directory, &url).await;
    println!("{kills} kills");
    check(&url, 3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_that_would_share_a_unique_value_are_named_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let database = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
    for url in [sled_url(&directory), database] {
        let store = Store::open(one(&url), Env::system()).await.unwrap();
        for id in ["a", "b"] {
            let beast = BeastOne { id: id.to_owned(), name: "same".to_owned() };
            store.commit(Batch::new().put(&beast, Expect::Absent)).await.unwrap();
        }
        store.close().await.unwrap();
        drop(store);
        let refused = Store::open(two(&url, true), Env::system()).await;
        let Err(StoreError::Conflict { kind, key, reason }) = refused.map(drop) else {
            panic!("no conflict")
        };
        assert_eq!((kind.as_str(), key.as_str()), ("beast", "b"));
        assert!(reason.contains("called"), "{reason}");
    }
}

#[tokio::test]
async fn a_record_that_has_ended_is_no_hindrance() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW));
    let url = sled_url(&directory);
    let pets = |kind| StoreOptions { url: url.clone(), kinds: vec![kind], ..StoreOptions::default() };
    let store = Store::open(pets(Kind::of::<MortalOne>()), env_at(&clock)).await.unwrap();
    let mortal = MortalOne { id: "a".to_owned(), expires_at: NOW.plus(Duration::from_secs(1)) };
    store.commit(Batch::new().put(&mortal, Expect::Absent)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    clock.advance(Duration::from_secs(2));
    let store = Store::open(pets(Kind::of::<MortalTwo>()), env_at(&clock)).await.unwrap();
    assert_eq!(store.sweep(10).await.unwrap(), 1);
}

#[derive(Debug, Serialize, Deserialize)]
struct MortalOne {
    id: String,
    expires_at: Timestamp,
}

impl Record for MortalOne {
    const KIND: &'static str = "mortal";
    fn key(&self) -> String {
        self.id.clone()
    }
    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Refuses whatever it is shown.
#[derive(Debug, Serialize, Deserialize)]
struct MortalTwo {
    id: String,
}

impl Record for MortalTwo {
    const KIND: &'static str = "mortal";
    const SCHEMA: u16 = 2;
    fn key(&self) -> String {
        self.id.clone()
    }
}
