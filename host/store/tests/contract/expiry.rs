//! Expiry: gone at once for everybody, swept later in bounded steps.

use agamid_core::time::Timestamp;
use agamid_store::{Batch, Expect, Scan};

use crate::bench::{Bench, NOW, Pet, on_every_backend};

async fn an_expired_record_is_invisible_from_its_very_millisecond(bench: Bench) {
    bench.put(&Pet::new("a", "rex").tagged(&["t"]).ending_in(10)).await;
    bench.clock.set(Timestamp(NOW.0 + 9_999));
    assert_eq!((bench.version("a").await, bench.named("rex").await.len()), (Some(1), 1));
    bench.clock.set(Timestamp(NOW.0 + 10_000));
    assert_eq!(bench.version("a").await, None);
    assert!(bench.named("rex").await.is_empty());
    assert!(bench.store.scan::<Pet>(Scan::default()).await.unwrap().records.is_empty());
    let by_tag = Scan { index: Some("tag"), ..Scan::default() };
    assert!(bench.store.scan::<Pet>(by_tag).await.unwrap().records.is_empty());
}

async fn preconditions_take_an_expired_record_for_absent(bench: Bench) {
    bench.put(&Pet::new("a", "rex").ending_in(10)).await;
    bench.put(&Pet::new("a", "rex").ending_in(10)).await;
    bench.pass(10);
    let stale = Batch::new().put(&Pet::new("a", "rex"), Expect::Version(2));
    assert!(bench.store.commit(stale).await.is_err());
    let fresh = Batch::new().require::<Pet>("a", Expect::Absent).put(&Pet::new("a", "rex"), Expect::Absent);
    bench.store.commit(fresh).await.unwrap();
    assert_eq!(bench.version("a").await, Some(1));
}

async fn the_unique_value_of_an_expired_record_is_free_and_stays_with_its_new_holder(bench: Bench) {
    bench.put(&Pet::new("old", "rex").ending_in(10)).await;
    bench.pass(10);
    bench.put(&Pet::new("new", "rex")).await;
    assert_eq!(bench.named("rex").await, ["new"]);
    // Whether the old one went at once or goes now is the backend's business.
    assert!(bench.store.sweep(100).await.unwrap() <= 1);
    assert_eq!(bench.store.get::<Pet>("old").await.unwrap(), None);
    assert_eq!(bench.named("rex").await, ["new"]);
    let third = bench.store.commit(Batch::new().put(&Pet::new("third", "rex"), Expect::Absent)).await;
    assert!(third.is_err(), "the sweep of the old record freed the new one's value");
}

async fn a_prolonged_record_does_not_end_at_its_first_end(bench: Bench) {
    bench.put(&Pet::new("a", "rex").ending_in(10)).await;
    bench.put(&Pet::new("a", "rex").ending_in(20)).await;
    bench.put(&Pet::new("b", "max").ending_in(10)).await;
    bench.put(&Pet::new("b", "max")).await;
    bench.pass(10);
    assert_eq!(bench.store.sweep(100).await.unwrap(), 0);
    assert_eq!((bench.version("a").await, bench.version("b").await), (Some(2), Some(2)));
    bench.pass(10);
    assert_eq!(bench.store.sweep(100).await.unwrap(), 1);
    assert_eq!((bench.version("a").await, bench.version("b").await), (None, Some(2)));
}

async fn a_sweep_is_bounded_and_takes_the_oldest_first(bench: Bench) {
    let mut batch = Batch::new();
    for n in 0..600 {
        let pet = Pet::new(&format!("{n}"), &format!("n{n}")).ending_in(600 - n);
        batch = batch.put(&pet, Expect::Absent);
    }
    bench.store.commit(batch).await.unwrap();
    assert_eq!(bench.store.sweep(1000).await.unwrap(), 0);
    bench.pass(550);
    assert_eq!(bench.store.sweep(0).await.unwrap(), 0);
    assert_eq!(bench.store.sweep(300).await.unwrap(), 300);
    // Back in time, what was not swept is there again; that shows which were.
    bench.clock.set(NOW);
    assert_eq!((bench.version("599").await, bench.version("300").await), (None, None));
    assert_eq!(bench.version("299").await, Some(1));
    bench.pass(550);
    assert_eq!(bench.store.sweep(1000).await.unwrap(), 250);
    assert_eq!(bench.store.sweep(1000).await.unwrap(), 0);
    assert_eq!(bench.store.scan::<Pet>(Scan::default()).await.unwrap().records.len(), 50);
}

async fn a_record_that_ended_before_it_was_written_is_never_seen(bench: Bench) {
    bench.put(&Pet::new("a", "rex").ending_in(0)).await;
    bench.put(&Pet::new("b", "max").ending_in(-2_000_000_000)).await;
    assert_eq!((bench.version("a").await, bench.version("b").await), (None, None));
    assert_eq!(bench.store.sweep(10).await.unwrap(), 2);
}

on_every_backend! {
    an_expired_record_is_invisible_from_its_very_millisecond
    preconditions_take_an_expired_record_for_absent
    the_unique_value_of_an_expired_record_is_free_and_stays_with_its_new_holder
    a_prolonged_record_does_not_end_at_its_first_end
    a_sweep_is_bounded_and_takes_the_oldest_first
    a_record_that_ended_before_it_was_written_is_never_seen
}
