//! Faults that only a false disk can show, and how requests share a flush.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use agamid_core::Env;
use tempfile::TempDir;

use super::Sled;
use super::directory::Disk;
use crate::backend::keyspace::Ordered;
use crate::setting::Setting;
use crate::{Batch, Consume, Consumption, Expect, Kind, Purpose, Store, StoreError};

/// What the false disk does next.
#[derive(Default)]
struct Faults {
    full: AtomicBool,
    sync_fails: AtomicBool,
    sync_panics: AtomicBool,
    slow: AtomicBool,
    syncs: AtomicU64,
}

struct FalseDisk(Arc<Faults>);

impl Disk for FalseDisk {
    fn free(&self) -> io::Result<u64> {
        Ok(if self.0.full.load(Ordering::SeqCst) { 100_000 } else { 1 << 40 })
    }

    fn sync(&self) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        assert!(!self.0.sync_panics.load(Ordering::SeqCst), "the disk bites");
        if self.0.slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        if self.0.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("I/O error"));
        }
        Ok(())
    }
}

async fn store(directory: &TempDir) -> (Store, Arc<Faults>) {
    store_on(directory, Faults::default()).await
}

async fn store_on(directory: &TempDir, faults: Faults) -> (Store, Arc<Faults>) {
    let faults = Arc::new(faults);
    let disk = FalseDisk(Arc::clone(&faults));
    let sled = Sled::open_now(directory.path().join("data"), Env::system(), |_| Box::new(disk)).unwrap();
    let sled = Ordered::start(sled, Env::system(), &[], true).await.unwrap();
    (Store::over(Arc::new(sled), Env::system()), faults)
}

fn setting(section: &str, n: u64) -> Setting {
    Setting { section: section.to_owned(), value: n.into() }
}

async fn put(store: &Store, section: &str, n: u64) -> Result<(), StoreError> {
    let commit = store.commit(Batch::new().put(&setting(section, n), Expect::Any));
    let answer = tokio::time::timeout(Duration::from_secs(10), commit).await.expect("a commit hangs");
    answer.map(drop)
}

async fn read(store: &Store, section: &str) -> Option<u64> {
    store.get::<Setting>(section).await.unwrap().and_then(|found| found.record.value.as_u64())
}

fn reason(result: Result<(), StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_while_reads_go_on_and_mends_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (store, faults) = store(&directory).await;
    put(&store, "a", 1).await.unwrap();
    faults.full.store(true, Ordering::SeqCst);
    let refused = reason(put(&store, "a", 2).await);
    assert!(refused.contains("disk is full"), "{refused}");
    assert!(reason(store.ping().await).contains("disk is full"));
    assert_eq!(read(&store, "a").await, Some(1));
    let outcome = store.consume(Consume::new(Purpose::Code, "unknown")).await.unwrap();
    assert_eq!(outcome, Consumption::Absent, "what writes nothing needs no room");
    faults.full.store(false, Ordering::SeqCst);
    put(&store, "a", 3).await.unwrap();
    assert_eq!(read(&store, "a").await, Some(3));
}

#[tokio::test]
async fn a_store_with_data_opens_on_a_full_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (first, _) = store(&directory).await;
    put(&first, "a", 1).await.unwrap();
    first.close().await.unwrap();
    let (second, _) = store_on(&directory, Faults { full: AtomicBool::new(true), ..Faults::default() }).await;
    assert_eq!(read(&second, "a").await, Some(1));
    assert!(reason(put(&second, "a", 2).await).contains("disk is full"));
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_until_reopened_and_reads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let (first, faults) = store(&directory).await;
    put(&first, "a", 1).await.unwrap();
    faults.sync_fails.store(true, Ordering::SeqCst);
    assert!(reason(put(&first, "b", 2).await).contains("I/O error"));
    faults.sync_fails.store(false, Ordering::SeqCst);
    let refused = reason(put(&first, "c", 3).await);
    assert!(refused.contains("restart"), "{refused}");
    assert!(first.ping().await.is_err());
    assert_eq!((read(&first, "a").await, read(&first, "c").await), (Some(1), None));
    first.close().await.unwrap();
    let (second, _) = store(&directory).await;
    assert_eq!((read(&second, "a").await, read(&second, "c").await), (Some(1), None));
    put(&second, "c", 4).await.unwrap();
}

#[tokio::test]
async fn when_the_writer_dies_every_commit_is_unavailable_and_none_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let (store, faults) = store(&directory).await;
    put(&store, "a", 1).await.unwrap();
    faults.sync_panics.store(true, Ordering::SeqCst);
    let waiting = (0..20).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, "b", n).await })
    });
    for answer in waiting.collect::<Vec<_>>() {
        reason(answer.await.unwrap());
    }
    assert!(reason(put(&store, "b", 2).await).contains("restart"));
    assert_eq!(read(&store, "a").await, Some(1));
    assert!(store.close().await.is_err());
}

#[tokio::test]
async fn waiting_commits_share_a_flush_and_a_refused_one_does_not_spoil_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let (store, faults) = store(&directory).await;
    put(&store, "counter", 0).await.unwrap();
    faults.slow.store(true, Ordering::SeqCst);
    let before = faults.syncs.load(Ordering::SeqCst);
    let commits = (0..200u64).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            // All even ones want to be the first after version 1; the odd ones stand alone.
            let batch = match n % 2 {
                0 => Batch::new().put(&setting("counter", n), Expect::Version(1)),
                _ => Batch::new().put(&setting(&n.to_string(), n), Expect::Absent),
            };
            (n, store.commit(batch).await)
        })
    });
    let mut won = 0;
    for commit in commits.collect::<Vec<_>>() {
        match commit.await.unwrap() {
            (_, Ok(_)) => won += 1,
            (n, Err(StoreError::Conflict { .. })) => assert_eq!(n % 2, 0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 101);
    let syncs = faults.syncs.load(Ordering::SeqCst) - before;
    assert!(syncs < 20, "200 commits took {syncs} syncs");
}

#[tokio::test]
async fn the_pieces_of_a_replaced_or_deleted_value_go_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let sled = Arc::new(Sled::open(directory.path().join("data"), Env::system()).await.unwrap());
    let ordered = Ordered::<Sled>::start(Arc::clone(&sled), Env::system(), &[], true).await.unwrap();
    let store = Store::over(Arc::new(ordered), Env::system());
    let pieces = || sled.reading(|db| Ok(db.scan_prefix(b"c").count())).unwrap();
    for size in [20_000, 9_000, 50_000] {
        let big = Setting { section: "big".to_owned(), value: "x".repeat(size).into() };
        store.commit(Batch::new().put(&big, Expect::Any)).await.unwrap();
        assert_eq!(pieces(), size / super::chunk::PIECE + 1);
    }
    put(&store, "big", 1).await.unwrap();
    assert_eq!(pieces(), 0);
}

#[tokio::test]
async fn a_record_of_changed_bytes_is_named_wherever_it_is_met_and_harms_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let sled = Arc::new(Sled::open(directory.path().join("data"), Env::system()).await.unwrap());
    let kinds = [Kind::of::<Setting>()];
    let ordered = Ordered::<Sled>::start(Arc::clone(&sled), Env::system(), &kinds, true).await.unwrap();
    let mut store = Store::over(Arc::new(ordered), Env::system());
    store.kinds = Some(kinds.into());
    for section in ["a", "b", "c"] {
        put(&store, section, 1).await.unwrap();
    }
    let at = crate::keys::record("setting", "b");
    let sound = sled.reading(|db| Ok(db.get(&at).unwrap().unwrap())).unwrap();
    let mut document = sound.to_vec();
    let last = document.len() - 1;
    document[last] = b'?';
    for damaged in [vec![], vec![9, 9, 9], vec![0, 0xff, 0xff], sound[..6].to_vec(), document] {
        sled.reading(|db| Ok(db.insert(&at, damaged).unwrap())).unwrap();
        let read_it = store.get::<Setting>("b").await.map(drop);
        let Err(StoreError::Corrupt { key, .. }) = read_it else { panic!("{read_it:?}") };
        assert!(key.ends_with('b'), "{key}");
        assert_eq!((read(&store, "a").await, read(&store, "c").await), (Some(1), Some(1)));
        put(&store, "a", 1).await.unwrap();
        let mut export = store.export(crate::Protection::Plaintext).await.unwrap();
        let mut failed = None;
        while let Some(piece) = export.next().await {
            failed = piece.err();
        }
        assert!(matches!(&failed, Some(StoreError::Corrupt { key, .. }) if key.ends_with('b')), "{failed:?}");
    }
    sled.reading(|db| Ok(db.insert(&at, sound).unwrap())).unwrap();
    assert_eq!(read(&store, "b").await, Some(1));
}
