//! `kill -9` under writes: what was acknowledged is there, what was whole is whole, what was used is used.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::random::{SystemRng, bytes};
use agamid_core::time::Timestamp;
use agamid_store::{
    AuditEvent, Batch, Consume, Consumption, Expect, OneTime, Purpose, Scan, Store, StoreError,
};

use crate::bench::{Pet, options};
use crate::opening::{child, directory_of_child, wait_for};

const ROUNDS: u32 = 10;
const WRITERS: usize = 8;

/// What was acknowledged, outside of the store. A kill does not lose what was handed to the kernel.
#[derive(Clone)]
struct Journal(Arc<Mutex<File>>);

impl Journal {
    fn open(directory: &Path) -> Self {
        let file = File::options().create(true).append(true).open(directory.join("journal")).unwrap();
        Self(Arc::new(Mutex::new(file)))
    }

    fn write(&self, what: &str, id: &str) {
        self.0.lock().unwrap().write_all(format!("{what} {id}\n").as_bytes()).unwrap();
    }

    /// Whole lines, as (what, id).
    fn read(directory: &Path) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(directory.join("journal")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        whole.filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }
}

async fn open(directory: &Path) -> Result<Store, StoreError> {
    Store::open(options(&format!("sled:{}", directory.join("data").display())), Env::system()).await
}

fn code(hash: &str) -> OneTime {
    OneTime {
        purpose: Purpose::Code,
        hash: hash.to_owned(),
        client: None,
        person: None,
        session: None,
        run: None,
        address: None,
        family: None,
        payload: "x".repeat(6_000).into(),
        expires_at: Timestamp(i64::MAX),
    }
}

/// Two records in one batch; `b` is large enough to lie in pieces.
fn pair(id: &str) -> Batch {
    let first = Pet::new(&format!("{id}.a"), &format!("{id}.a"));
    let mut second = Pet::new(&format!("{id}.b"), &format!("{id}.b"));
    second.tags = (0..10).map(|n| format!("{n}{}", "x".repeat(480))).collect();
    Batch::new().put(&first, Expect::Absent).put(&second, Expect::Absent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below"]
async fn write_until_killed() {
    let Some(directory) = directory_of_child() else { return };
    let store = open(&directory).await.unwrap();
    let journal = Journal::open(&directory);
    let start = Env::system().now().0;
    std::fs::write(directory.join("writing"), "").unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let (store, journal) = (store.clone(), journal.clone());
        tokio::spawn(async move {
            for n in 0.. {
                write_one(&store, &journal, &format!("{start}-{writer}-{n}")).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn write_one(store: &Store, journal: &Journal, id: &str) {
    store.commit(pair(id).audit(AuditEvent::new("pair", "server", id))).await.unwrap();
    journal.write("put", id);
    store.commit(Batch::new().issue(code(id))).await.unwrap();
    journal.write("issued", id);
    let consume = || store.consume(Consume::new(Purpose::Code, id));
    let (one, two) = tokio::join!(consume(), consume());
    for outcome in [one.unwrap(), two.unwrap()] {
        if matches!(outcome, Consumption::Consumed(_)) {
            journal.write("consumed", id);
        }
    }
    let delete = |part: &str| format!("{id}.{part}");
    let batch = Batch::new()
        .delete::<Pet>(&delete("a"), Expect::Version(1))
        .delete::<Pet>(&delete("b"), Expect::Version(1));
    if id.ends_with('3') {
        store.commit(batch).await.unwrap();
        journal.write("deleted", id);
    }
}

#[tokio::test]
async fn after_each_kill_nothing_acknowledged_is_lost_nothing_is_half_and_no_code_works_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let clock = Env::system().clock;
    for round in 0..ROUNDS {
        let mut writer = child("kill::write_until_killed", path);
        // Every other kill may strike while the store is still opening.
        if round % 2 == 0 {
            wait_for(&path.join("writing")).await;
        }
        let [random] = bytes::<1>(&SystemRng);
        tokio::time::sleep(Duration::from_millis(50 + u64::from(random))).await;
        writer.kill().unwrap();
        writer.wait().unwrap();
        let _none = std::fs::remove_file(path.join("writing"));
        let before = clock.monotonic();
        let store = open(path).await.unwrap();
        let took = clock.monotonic() - before;
        let acknowledged = check(&store, path).await;
        println!("round {round}: {acknowledged} operations acknowledged so far, opened in {took:?}");
        store.close().await.unwrap();
    }
    assert!(Journal::read(path).len() > 100, "the children hardly wrote");
}

async fn check(store: &Store, directory: &Path) -> usize {
    let journal = Journal::read(directory);
    let of =
        |what: &str| journal.iter().filter(|(w, _)| w == what).map(|(_, id)| id.as_str()).collect::<Vec<_>>();
    let (consumed, deleted) = (of("consumed"), of("deleted"));
    let once: HashSet<_> = consumed.iter().copied().collect();
    assert_eq!(once.len(), consumed.len(), "a code was consumed twice");
    let deleted: HashSet<_> = deleted.into_iter().collect();
    let there = all_pairs(store).await;
    for (id, parts) in &there {
        assert_eq!(*parts, 2, "half a batch: {id}");
        assert!(!deleted.contains(id.as_str()), "revived: {id}");
    }
    for id in of("put").into_iter().filter(|id| !deleted.contains(id)) {
        // A deletion may have been written without having been acknowledged.
        assert!(there.contains_key(id) || id.ends_with('3'), "lost: {id}");
    }
    for id in of("issued") {
        match store.consume(Consume::new(Purpose::Code, id)).await.unwrap() {
            Consumption::Replayed(_) => {}
            Consumption::Consumed(_) => {
                assert!(!once.contains(id), "a code works again: {id}");
                Journal::open(directory).write("consumed", id);
            }
            other => panic!("lost: {id}: {other:?}"),
        }
    }
    store.verify_audit().await.unwrap();
    journal.len()
}

/// How many parts of each pair there are.
async fn all_pairs(store: &Store) -> HashMap<String, usize> {
    let (mut pairs, mut after) = (HashMap::new(), None);
    loop {
        let page = store.scan::<Pet>(Scan { after, limit: 1000, ..Scan::default() }).await.unwrap();
        for found in page.records {
            let (id, _) = found.record.id.rsplit_once('.').unwrap();
            *pairs.entry(id.to_owned()).or_default() += 1;
        }
        after = page.next;
        if after.is_none() {
            return pairs;
        }
    }
}
