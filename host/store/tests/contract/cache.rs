//! What is kept in memory: never staler than a second, and news of every change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use agamid_core::Env;
use agamid_store::{Batch, Change, Expect, Record, Store};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, POSTGRES, Pet, on_every_backend, options};

/// A record that is read at every turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shop {
    id: String,
    name: String,
}

impl Record for Shop {
    const KIND: &'static str = "shop";
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.id.clone()
    }
}

impl Shop {
    pub(crate) fn named(name: &str) -> Self {
        Self { id: "a".to_owned(), name: name.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

async fn put(store: &Store, name: &str) {
    store.commit(Batch::new().put(&Shop::named(name), Expect::Any)).await.unwrap();
}

async fn read(store: &Store) -> Option<String> {
    store.cached::<Shop>("a").await.unwrap().map(|found| found.record.name.clone())
}

async fn own_changes_are_seen_at_once(bench: Bench) {
    assert_eq!(read(&bench.store).await, None);
    for name in ["one", "two", "three"] {
        put(&bench.store, name).await;
        assert_eq!(read(&bench.store).await.as_deref(), Some(name));
        assert_eq!(read(&bench.store).await.as_deref(), Some(name));
    }
    bench.store.commit(Batch::new().delete::<Shop>("a", Expect::Any)).await.unwrap();
    assert_eq!(read(&bench.store).await, None);
}

async fn who_watches_is_told_of_cached_kinds_only(bench: Bench) {
    let mut changes = bench.store.changes();
    bench.put(&Pet::new("a", "rex")).await;
    put(&bench.store, "one").await;
    let change = changes.next().await.unwrap();
    assert_eq!(change, Change::Record { kind: "shop".to_owned(), key: "a".to_owned() });
    assert!(change.concerns::<Shop>() && !change.concerns::<Pet>());
}

async fn once_a_commit_has_answered_no_reader_sees_what_was_before(bench: Bench) {
    put(&bench.store, "0").await;
    let answered = Arc::new(AtomicU32::new(0));
    let readers = (0..4).map(|_| {
        let (store, answered) = (bench.store.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            while answered.load(Ordering::SeqCst) < 200 {
                let least = answered.load(Ordering::SeqCst);
                let seen: u32 = read(&store).await.unwrap().parse().unwrap();
                assert!(seen >= least, "{seen} although {least} was answered");
                tokio::task::yield_now().await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for n in 1..=200 {
        put(&bench.store, &n.to_string()).await;
        answered.store(n, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

on_every_backend! {
    own_changes_are_seen_at_once
    who_watches_is_told_of_cached_kinds_only
    once_a_commit_has_answered_no_reader_sees_what_was_before
}

/// Two nodes on one database.
async fn two() -> (Store, Store) {
    let url = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
    let one = Store::open(options(&url), Env::system()).await.unwrap();
    let two = Store::open(options(&url), Env::system()).await.unwrap();
    (one, two)
}

#[tokio::test]
async fn another_node_is_told_of_a_change_and_reads_it_anew() {
    let (one, two) = two().await;
    put(&one, "old").await;
    assert_eq!(read(&two).await.as_deref(), Some("old"));
    let mut changes = two.changes();
    put(&one, "new").await;
    let change = tokio::time::timeout(Duration::from_secs(30), changes.next()).await.unwrap().unwrap();
    assert!(change.concerns::<Shop>());
    assert_eq!(read(&two).await.as_deref(), Some("new"));
}

/// The bound does not rest on news: the record is changed behind the back of both nodes.
#[tokio::test]
async fn without_news_a_record_is_read_again_after_a_second() {
    let bench = Bench::postgres().await;
    put(&bench.store, "old").await;
    assert_eq!(read(&bench.store).await.as_deref(), Some("old"));
    let behind = bench.store.clone();
    let database = bench.database.clone().unwrap();
    let sql = "UPDATE r_shop SET document = '{\"id\":\"a\",\"name\":\"new\"}'";
    tokio::task::spawn_blocking(move || POSTGRES.sql(&database, sql).unwrap()).await.unwrap();
    bench.clock.advance(Duration::from_millis(999));
    assert_eq!(read(&behind).await.as_deref(), Some("old"));
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(read(&behind).await.as_deref(), Some("new"));
}
