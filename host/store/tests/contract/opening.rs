//! Opening and closing: addresses, the lock, leftovers, modes, what reopening keeps.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::time::ManualClock;
use agamid_store::setting::Setting;
use agamid_store::{AuditEvent, Batch, Consume, Consumption, Expect, OneTime, Purpose, Store, StoreError};

use crate::bench::{NOW, Pet, env_at, options, sled_url};

/// Names the directory to a child process of this test binary.
const CHILD_DIRECTORY: &str = "AGAMID_STORE_CHILD";

/// Starts one ignored test of this binary as a process of its own, on this directory.
pub(crate) fn child(test: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(CHILD_DIRECTORY, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// In the child: the directory. Absent when somebody runs the ignored tests by hand.
pub(crate) fn directory_of_child() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from)
}

pub(crate) async fn wait_for(what: &Path) {
    for _ in 0..3000 {
        if what.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} does not come", what.display());
}

fn open_error(result: Result<Store, StoreError>) -> String {
    match result {
        Err(error @ StoreError::Open(_)) => error.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it opened"),
    }
}

#[tokio::test]
async fn an_unknown_address_is_refused_with_what_is_allowed() {
    for url in ["", "memory", "memory:x", "sled:", "/var/lib/agamid"] {
        let error = open_error(Store::open(options(url), Env::system()).await);
        assert!(error.contains(&format!("{url:?}")), "{error}");
        assert!(error.contains("\"memory:\"") && error.contains("\"sled:DIRECTORY\""), "{error}");
    }
}

#[tokio::test]
async fn two_memory_stores_share_nothing() {
    let (one, two) = (Store::memory(Env::system()).await, Store::memory(Env::system()).await);
    one.unwrap().commit(Batch::new().put(&Pet::new("a", "a"), Expect::Any)).await.unwrap();
    assert_eq!(two.unwrap().get::<Pet>("a").await.unwrap(), None);
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW));
    let open = || async { Store::open(options(&sled_url(&directory)), env_at(&clock)).await.unwrap() };
    let store = open().await;
    let node = store.node().await.unwrap();
    let big = Setting { section: "big".to_owned(), value: "x".repeat(100_000).into() };
    let code = OneTime {
        purpose: Purpose::Code,
        hash: "h".to_owned(),
        client: None,
        person: None,
        session: None,
        run: None,
        address: None,
        family: Some("family".to_owned()),
        payload: serde_json::Value::Null,
        expires_at: NOW.plus(Duration::from_secs(60)),
    };
    let batch = Batch::new()
        .put(&Pet::new("a", "rex").tagged(&["t"]).ending_in(60), Expect::Absent)
        .put(&big, Expect::Absent)
        .issue(code)
        .audit(AuditEvent::new("test", "server", "a"));
    store.commit(batch).await.unwrap();
    store.consume(Consume::new(Purpose::Code, "h")).await.unwrap();
    store.close().await.unwrap();

    let store = open().await;
    assert_eq!(store.node().await.unwrap(), node);
    assert_eq!(store.find::<Pet>("tag", "t").await.unwrap()[0].version, 1);
    assert_eq!(store.get::<Setting>("big").await.unwrap().unwrap().record, big);
    let taken = store.commit(Batch::new().put(&Pet::new("b", "rex"), Expect::Absent)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })));
    let again = store.consume(Consume::new(Purpose::Code, "h")).await.unwrap();
    assert!(
        matches!(again, Consumption::Replayed(tombstone) if tombstone.family.as_deref() == Some("family"))
    );
    store.commit(Batch::new().audit(AuditEvent::new("test", "server", "b"))).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap(), 2);
    clock.advance(Duration::from_secs(60));
    assert_eq!(store.sweep(10).await.unwrap(), 2);
}

#[tokio::test]
async fn a_dropped_store_can_be_opened_again_at_once_with_all_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..5u64 {
        let store = Store::open(options(&sled_url(&directory)), Env::system()).await.unwrap();
        let found = store.get::<Pet>("a").await.unwrap().map_or(0, |found| found.version);
        assert_eq!(found, round);
        store.commit(Batch::new().put(&Pet::new("a", "a"), Expect::Any)).await.unwrap();
    }
}

/// Between fork and exec a child holds every descriptor of its parent, locks included.
#[tokio::test]
async fn a_closed_store_can_be_opened_again_while_other_threads_start_processes() {
    let directory = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let starters = (0..4).map(|_| {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                Command::new("true").current_dir("/").status().unwrap();
            }
        })
    });
    let starters: Vec<_> = starters.collect();
    for _ in 0..60 {
        let opened = Store::open(options(&sled_url(&directory)), Env::system()).await;
        let closed = match &opened {
            Ok(store) => store.close().await,
            Err(error) => Err(error.clone()),
        };
        if closed.is_err() {
            stop.store(true, Ordering::SeqCst);
        }
        closed.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    starters.into_iter().for_each(|starter| starter.join().unwrap());
}

#[tokio::test]
async fn the_directory_is_for_its_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("deep/data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    for data in [data, directory.path().join("new/data")] {
        let _store = Store::open(options(&format!("sled:{}", data.display())), Env::system()).await.unwrap();
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error =
        open_error(Store::open(options(&format!("sled:{}/data", file.display())), Env::system()).await);
    assert!(error.contains(&file.display().to_string()), "{error}");
}

#[tokio::test]
async fn an_unfinished_snapshot_is_removed_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(&sled_url(&directory)), Env::system()).await.unwrap();
    store.commit(Batch::new().put(&Pet::new("a", "a"), Expect::Absent)).await.unwrap();
    store.close().await.unwrap();
    let leftover = directory.path().join("data/snap.7FFFFFFFFFFFFFFF.generating");
    std::fs::write(&leftover, b"half a snap").unwrap();
    let store = Store::open(options(&sled_url(&directory)), Env::system()).await.unwrap();
    assert!(!leftover.exists());
    assert_eq!(store.get::<Pet>("a").await.unwrap().unwrap().version, 1);
}

#[tokio::test]
async fn a_second_process_is_refused_with_directory_and_pid_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut holder = child("opening::hold_the_directory", directory.path());
    wait_for(&directory.path().join("held")).await;
    let error = open_error(Store::open(options(&sled_url(&directory)), Env::system()).await);
    assert!(error.contains(&directory.path().join("data").display().to_string()), "{error}");
    assert!(error.contains(&format!("in use by process {}", holder.id())), "{error}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    Store::open(options(&sled_url(&directory)), Env::system()).await.unwrap();
}

#[tokio::test]
#[ignore = "the child of the test above"]
async fn hold_the_directory() {
    let Some(directory) = directory_of_child() else { return };
    let url = format!("sled:{}", directory.join("data").display());
    let _store = Store::open(options(&url), Env::system()).await.unwrap();
    std::fs::write(directory.join("held"), "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

/// sled puts pages over 128 KiB into files of their own and never syncs those.
#[tokio::test]
async fn no_value_ends_up_in_a_file_that_sled_does_not_sync() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(&sled_url(&directory)), Env::system()).await.unwrap();
    for size in [3_900, 16_300, 3_950] {
        let mut batch = Batch::new();
        for n in 0..200 {
            let section = format!("{n:0>500}");
            batch = batch.put(&Setting { section, value: "x".repeat(size).into() }, Expect::Any);
        }
        store.commit(batch).await.unwrap();
    }
    store.close().await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path().join("data/blobs")).unwrap().count(), 0);
}
