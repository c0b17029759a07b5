//! Finding and scanning: order, bounds, pages.

use agamid_store::{Batch, Expect, Page, Scan, StoreError};

use crate::bench::{Bench, Pet, on_every_backend};

async fn fill(bench: &Bench, count: usize) {
    let mut batch = Batch::new();
    for n in 0..count {
        let group = if n % 2 == 0 { "even" } else { "odd" };
        let pet = Pet::new(&format!("{n:04}"), &format!("name{n:04}")).tagged(&[group, "all"]);
        batch = batch.put(&pet, Expect::Absent);
    }
    bench.store.commit(batch).await.unwrap();
}

fn keys(page: &Page<Pet>) -> Vec<&str> {
    page.records.iter().map(|found| found.record.id.as_str()).collect()
}

fn between(from: &str, to: &str) -> Scan {
    Scan { range: Some(from.to_owned()..=to.to_owned()), ..Scan::default() }
}

async fn find_answers_exactly_the_value_in_order_of_keys(bench: Bench) {
    fill(&bench, 600).await;
    bench.put(&Pet::new("x", "x").tagged(&["eve"])).await;
    bench.put(&Pet::new("y", "y").tagged(&["even "])).await;
    let even = bench.store.find::<Pet>("tag", "even").await.unwrap();
    assert_eq!(even.len(), 300);
    assert!(even.is_sorted_by(|a, b| a.record.id < b.record.id));
    assert_eq!(bench.store.find::<Pet>("tag", "eve").await.unwrap().len(), 1);
    assert!(bench.store.find::<Pet>("tag", "").await.unwrap().is_empty());
    let nothing = bench.store.find::<Pet>("nothing", "even").await;
    assert!(matches!(nothing, Err(StoreError::Invalid(_))), "{nothing:?}");
}

async fn bounds_are_inclusive_and_by_bytes(bench: Bench) {
    for id in ["a", "b", "ba", "b\u{1}", "c", "ä"] {
        bench.put(&Pet::new(id, &format!("n{id}")).tagged(&[id])).await;
    }
    let by_key = bench.store.scan(between("b", "c")).await.unwrap();
    assert_eq!(keys(&by_key), ["b", "b\u{1}", "ba", "c"]);
    assert_eq!(keys(&bench.store.scan(between("b", "b")).await.unwrap()), ["b"]);
    let by_tag = Scan { index: Some("tag"), ..between("b", "b") };
    assert_eq!(keys(&bench.store.scan(by_tag).await.unwrap()), ["b"]);
    let by_tag = Scan { index: Some("tag"), ..between("b", "c") };
    assert_eq!(keys(&bench.store.scan(by_tag).await.unwrap()), ["b", "b\u{1}", "ba", "c"]);
    assert!(keys(&bench.store.scan(between("c", "b")).await.unwrap()).is_empty());
}

async fn pages_join_to_the_whole_without_gap_or_double(bench: Bench) {
    fill(&bench, 610).await;
    for index in [None, Some("name"), Some("tag")] {
        let range = (index == Some("tag")).then(|| "even".to_owned()..="odd".to_owned());
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = bench
                .store
                .scan::<Pet>(Scan { index, range: range.clone(), after, limit: 61 })
                .await
                .unwrap();
            seen.extend(page.records.into_iter().map(|found| found.record.id));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), pages), (610, 10), "by {index:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 610, "by {index:?}");
    }
}

async fn a_page_stays_stable_when_its_last_record_is_deleted(bench: Bench) {
    fill(&bench, 20).await;
    let page = bench.store.scan::<Pet>(Scan { limit: 5, ..Scan::default() }).await.unwrap();
    bench.store.commit(Batch::new().delete::<Pet>("0004", Expect::Any)).await.unwrap();
    let page = bench.store.scan::<Pet>(Scan { limit: 5, after: page.next, ..Scan::default() }).await.unwrap();
    assert_eq!(keys(&page), ["0005", "0006", "0007", "0008", "0009"]);
}

async fn expired_records_do_not_thin_out_pages(bench: Bench) {
    let mut batch = Batch::new();
    for n in 0..700 {
        let pet = Pet::new(&format!("{n:04}"), &format!("n{n}"));
        batch = batch.put(&if n % 100 == 0 { pet } else { pet.ending_in(10) }, Expect::Absent);
    }
    bench.store.commit(batch).await.unwrap();
    bench.pass(10);
    let page = bench.store.scan::<Pet>(Scan { limit: 5, ..Scan::default() }).await.unwrap();
    assert_eq!(keys(&page), ["0000", "0100", "0200", "0300", "0400"]);
    let page = bench.store.scan::<Pet>(Scan { limit: 5, after: page.next, ..Scan::default() }).await.unwrap();
    assert_eq!(keys(&page), ["0500", "0600"]);
    assert_eq!(page.next, None);
}

async fn a_cursor_does_not_lead_out_of_the_range(bench: Bench) {
    fill(&bench, 20).await;
    let page = bench.store.scan::<Pet>(Scan { limit: 15, ..Scan::default() }).await.unwrap();
    let after = page.next;
    let page =
        bench.store.scan::<Pet>(Scan { after: after.clone(), ..between("0000", "0005") }).await.unwrap();
    assert!(page.records.is_empty());
    let page = bench.store.scan::<Pet>(Scan { after, ..between("0018", "0019") }).await.unwrap();
    assert_eq!(keys(&page), ["0018", "0019"]);
}

async fn what_is_found_has_the_value_even_while_it_changes(bench: Bench) {
    bench.put(&Pet::new("a", "here")).await;
    let store = bench.store.clone();
    let reader = tokio::spawn(async move {
        for n in 0..2000 {
            let name = if n % 2 == 0 { "here" } else { "there" };
            for found in store.find::<Pet>("name", name).await.unwrap() {
                assert_eq!(found.record.name, name);
            }
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    while !reader.is_finished() {
        bench.put(&Pet::new("a", "there")).await;
        bench.put(&Pet::new("a", "here")).await;
    }
    reader.await.unwrap();
}

async fn impossible_pages_are_invalid(bench: Bench) {
    for limit in [0, 1001] {
        let result = bench.store.scan::<Pet>(Scan { limit, ..Scan::default() }).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))));
    }
    for after in ["zz", "abc", "é"] {
        let scan = Scan { after: Some(after.to_owned()), ..Scan::default() };
        assert!(matches!(bench.store.scan::<Pet>(scan).await, Err(StoreError::Invalid(_))), "{after}");
    }
}

on_every_backend! {
    find_answers_exactly_the_value_in_order_of_keys
    bounds_are_inclusive_and_by_bytes
    pages_join_to_the_whole_without_gap_or_double
    a_page_stays_stable_when_its_last_record_is_deleted
    expired_records_do_not_thin_out_pages
    a_cursor_does_not_lead_out_of_the_range
    what_is_found_has_the_value_even_while_it_changes
    impossible_pages_are_invalid
}
