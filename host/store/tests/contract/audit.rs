//! Audit: with the change or not at all, in one chain.

use agamid_store::{AuditEvent, Batch, Expect};

use crate::bench::{Bench, NOW, Pet, on_every_backend};

fn event(n: usize) -> AuditEvent {
    let mut event = AuditEvent::new(format!("test.{n}"), "server", "nobody");
    event.detail = serde_json::json!({"z": 0.1 + 0.2, "a": n});
    event
}

async fn events_stand_in_one_chain_in_order_of_their_commits(bench: Bench) {
    assert_eq!(bench.store.verify_audit().await.unwrap(), 0);
    bench.store.commit(Batch::new().audit(event(1)).audit(event(2))).await.unwrap();
    bench.pass(1);
    bench.store.commit(Batch::new().audit(event(3))).await.unwrap();
    let entries = bench.events().await;
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        entries.iter().map(|entry| &entry.event).collect::<Vec<_>>(),
        [&event(1), &event(2), &event(3)]
    );
    assert_eq!(entries.iter().map(|entry| entry.at.0 - NOW.0).collect::<Vec<_>>(), [0, 0, 1000]);
    assert_eq!(entries[0].previous, "0".repeat(64));
    assert_eq!((&entries[1].previous, &entries[2].previous), (&entries[0].hash, &entries[1].hash));
    let node = bench.store.node().await.unwrap();
    assert_eq!(node.len(), 26);
    assert!(entries.iter().all(|entry| entry.node.starts_with(&node) && entry.hash.len() == 64));
    assert_eq!(bench.store.verify_audit().await.unwrap(), 3);
}

async fn a_refused_batch_leaves_no_event(bench: Bench) {
    let batch = Batch::new().audit(event(1)).require::<Pet>("a", Expect::Version(1));
    assert!(bench.store.commit(batch).await.is_err());
    assert_eq!(bench.store.verify_audit().await.unwrap(), 0);
}

async fn events_are_read_in_pages(bench: Bench) {
    for n in 0..30 {
        bench.store.commit(Batch::new().audit(event(n))).await.unwrap();
    }
    let chain = bench.store.audit_chains().await.unwrap().pop().unwrap();
    let page = bench.store.audit_events(&chain, 10, 5).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [11, 12, 13, 14, 15]);
    assert!(bench.store.audit_events(&chain, 30, 5).await.unwrap().is_empty());
    assert!(bench.store.audit_events(&chain, u64::MAX, 5).await.unwrap().is_empty());
}

async fn a_long_chain_written_by_many_at_once_verifies_meanwhile_and_after(bench: Bench) {
    let writers = (0..8).map(|_| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            for n in 0..40 {
                store.commit(Batch::new().audit(event(n)).audit(event(n)).audit(event(n))).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        bench.store.verify_audit().await.unwrap();
    }
    assert_eq!(bench.store.verify_audit().await.unwrap(), 960);
}

on_every_backend! {
    events_stand_in_one_chain_in_order_of_their_commits
    a_refused_batch_leaves_no_event
    events_are_read_in_pages
    a_long_chain_written_by_many_at_once_verifies_meanwhile_and_after
}
