//! What can only be shown from inside: stored bytes that somebody changed.

use std::sync::Arc;

use agamid_core::Env;

use super::Store;
use crate::backend::keyspace::{Keyspace as _, Ordered, Read as _, Request};
use crate::backend::memory::Memory;
use crate::setting::Setting;
use crate::{AuditEvent, Batch, Expect, StoreError, keys};

const NODE: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// A store with a chain of five events, and its backend to meddle with.
async fn audited() -> (Store, Arc<Memory>) {
    let memory = Arc::new(Memory::new(Env::system()));
    memory.submit(Request::Start { node: NODE.to_owned(), kinds: Vec::new() }).await.unwrap();
    let backend = Ordered::<Memory>::start(Arc::clone(&memory), Env::system(), &[], true).await.unwrap();
    let store = Store::over(Arc::new(backend), Env::system());
    for n in 0..5 {
        let event = AuditEvent::new(format!("test.{n}"), "server", "somebody");
        store.commit(Batch::new().audit(event)).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap(), 5);
    (store, memory)
}

async fn broken_at(store: &Store) -> String {
    match store.verify_audit().await {
        Err(StoreError::Corrupt { kind, key, .. }) if kind == "audit" => key,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_changed_event_is_named() {
    let (store, memory) = audited().await;
    let key = keys::audit(NODE, 3);
    let bytes = memory.get(&key).unwrap().unwrap();
    let text = b"somebody";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    let mut changed = bytes.clone();
    changed[at] = b'S';
    memory.meddle(key, Some(changed));
    assert_eq!(broken_at(&store).await, format!("{NODE}/3"));
}

#[tokio::test]
async fn a_missing_or_exchanged_event_is_named() {
    let (store, memory) = audited().await;
    let (two, three) =
        (memory.get(&keys::audit(NODE, 2)).unwrap(), memory.get(&keys::audit(NODE, 3)).unwrap());
    memory.meddle(keys::audit(NODE, 3), None);
    assert_eq!(broken_at(&store).await, format!("{NODE}/3"));
    memory.meddle(keys::audit(NODE, 3), two);
    assert_eq!(broken_at(&store).await, format!("{NODE}/3"));
    memory.meddle(keys::audit(NODE, 3), three);
    assert_eq!(store.verify_audit().await.unwrap(), 5);
    memory.meddle(keys::audit(NODE, 1), None);
    assert_eq!(broken_at(&store).await, format!("{NODE}/1"));
}

#[tokio::test]
async fn events_cut_off_the_end_are_missed() {
    let (store, memory) = audited().await;
    memory.meddle(keys::audit(NODE, 5), None);
    assert_eq!(broken_at(&store).await, format!("{NODE}/5"));
    memory.meddle(keys::chain_end(NODE), None);
    assert_eq!(broken_at(&store).await, format!("{NODE}/1"));
}

#[tokio::test]
async fn the_chain_of_another_node_is_checked_too() {
    let (store, memory) = audited().await;
    let other = "01ARZ3NDEKTSV4RRFFQ69G5FAW";
    for sequence in 1..=5 {
        // Copied under another name, its hashes can't fit.
        memory.meddle(keys::audit(other, sequence), memory.get(&keys::audit(NODE, sequence)).unwrap());
    }
    memory.meddle(keys::chain_end(other), memory.get(&keys::chain_end(NODE)).unwrap());
    assert_eq!(broken_at(&store).await, format!("{other}/1"));
}

#[tokio::test]
async fn a_damaged_record_is_corrupt_and_names_itself() {
    let (store, memory) = audited().await;
    let setting = Setting { section: "oauth".to_owned(), value: 1.into() };
    store.commit(Batch::new().put(&setting, Expect::Absent)).await.unwrap();
    for damaged in [vec![], vec![0xff; 40], vec![1, 1, 0, 0, b'{']] {
        memory.meddle(keys::record("setting", "oauth"), Some(damaged));
        let read = store.get::<Setting>("oauth").await;
        assert!(
            matches!(&read, Err(StoreError::Corrupt { kind, key, .. }) if kind == "setting" && key == "oauth"),
            "{read:?}"
        );
    }
}

#[tokio::test]
async fn a_keyspace_of_another_layout_is_refused() {
    let (_, memory) = audited().await;
    memory.meddle(keys::about("format"), Some(b"2".to_vec()));
    let refused = memory.submit(Request::Start { node: NODE.to_owned(), kinds: Vec::new() }).await;
    assert!(matches!(refused, Err(StoreError::Open(reason)) if reason.contains('2')));
}
