//! Records: versions, preconditions, unique values, atomicity, schemas, limits.

use agamid_store::setting::Setting;
use agamid_store::{Batch, Expect, Index, IndexEntry, Record, StoreError};
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, Pet, is_conflict, on_every_backend};

async fn versions_grow_by_one_from_one_and_start_again_after_a_delete(bench: Bench) {
    assert_eq!(bench.version("a").await, None);
    for version in 1..=3 {
        bench.put(&Pet::new("a", "rex")).await;
        assert_eq!(bench.version("a").await, Some(version));
    }
    bench.store.commit(Batch::new().delete::<Pet>("a", Expect::Version(3))).await.unwrap();
    assert_eq!(bench.version("a").await, None);
    bench.put(&Pet::new("a", "rex")).await;
    assert_eq!(bench.version("a").await, Some(1));
}

async fn what_was_put_is_what_is_read(bench: Bench) {
    let pet = Pet::new("ä/ö 😀", "Rex \"the\" dog").tagged(&["x", "y"]).ending_in(100);
    bench.put(&pet).await;
    assert_eq!(bench.store.get::<Pet>(&pet.id).await.unwrap().unwrap().record, pet);
    let setting = Setting { section: "oauth".to_owned(), value: serde_json::json!({"b": 1.1, "a": [null]}) };
    bench.store.commit(Batch::new().put(&setting, Expect::Absent)).await.unwrap();
    assert_eq!(bench.store.get::<Setting>("oauth").await.unwrap().unwrap().record, setting);
}

async fn kinds_do_not_see_each_other(bench: Bench) {
    bench.put(&Pet::new("oauth", "rex")).await;
    assert_eq!(bench.store.get::<Setting>("oauth").await.unwrap(), None);
    assert_eq!(bench.store.get::<OldPet>("oauth").await.unwrap().map(|found| found.version), None);
}

async fn every_precondition_holds_or_nothing_is_written(bench: Bench) {
    let store = &bench.store;
    bench.put(&Pet::new("here", "rex")).await;
    let (here, gone) = (Pet::new("here", "rex"), Pet::new("gone", "max"));
    let refused = [
        Batch::new().put(&here, Expect::Absent),
        Batch::new().put(&here, Expect::Version(2)),
        Batch::new().put(&gone, Expect::Version(1)),
        Batch::new().delete::<Pet>("here", Expect::Absent),
        Batch::new().delete::<Pet>("here", Expect::Version(2)),
        Batch::new().delete::<Pet>("gone", Expect::Version(1)),
        Batch::new().require::<Pet>("here", Expect::Absent),
        Batch::new().require::<Pet>("here", Expect::Version(7)),
        Batch::new().require::<Pet>("gone", Expect::Version(1)),
    ];
    for batch in refused {
        let what = format!("{batch:?}");
        let other = Pet::new("other", "moritz");
        let result = store.commit(Batch::new().put(&other, Expect::Any)).await;
        assert!(result.is_ok());
        store.commit(Batch::new().delete::<Pet>("other", Expect::Any)).await.unwrap();
        assert!(is_conflict(&store.commit(batch.put(&other, Expect::Any)).await), "{what}");
        assert_eq!(bench.version("here").await, Some(1), "{what}");
        assert_eq!(bench.version("other").await, None, "{what}");
        assert_eq!(bench.named("moritz").await, [""; 0], "{what}");
    }
    let allowed = Batch::new()
        .require::<Pet>("gone", Expect::Absent)
        .require::<Pet>("here", Expect::Version(1))
        .put(&gone, Expect::Absent)
        .put(&here, Expect::Version(1))
        .delete::<Pet>("never", Expect::Any)
        .delete::<Pet>("never", Expect::Absent);
    assert!(store.commit(allowed).await.unwrap().accepted());
    assert_eq!((bench.version("here").await, bench.version("gone").await), (Some(2), Some(1)));
}

async fn a_late_failure_undoes_the_earlier_part_of_its_batch(bench: Bench) {
    bench.put(&Pet::new("a", "rex").tagged(&["t"])).await;
    let batch = Batch::new()
        .delete::<Pet>("a", Expect::Any)
        .put(&Pet::new("b", "max"), Expect::Any)
        .require::<Pet>("c", Expect::Version(1));
    assert!(is_conflict(&bench.store.commit(batch).await));
    assert_eq!(bench.named("rex").await, ["a"]);
    assert_eq!(bench.store.find::<Pet>("tag", "t").await.unwrap().len(), 1);
    assert_eq!(bench.version("b").await, None);
}

async fn operations_see_the_ones_before_them(bench: Bench) {
    let batch = Batch::new()
        .put(&Pet::new("a", "rex"), Expect::Absent)
        .put(&Pet::new("a", "max"), Expect::Version(1))
        .require::<Pet>("a", Expect::Version(2));
    bench.store.commit(batch).await.unwrap();
    assert_eq!(bench.version("a").await, Some(2));
    assert_eq!(bench.named("rex").await, [""; 0]);
}

async fn a_unique_value_has_one_holder(bench: Bench) {
    bench.put(&Pet::new("a", "rex")).await;
    let taken = bench.store.commit(Batch::new().put(&Pet::new("b", "rex"), Expect::Absent)).await;
    let Err(StoreError::Conflict { kind, key, reason }) = taken else { panic!("{taken:?}") };
    assert_eq!((kind.as_str(), key.as_str()), ("pet", "b"));
    assert!(reason.contains("unique index name") && !reason.contains("rex"), "{reason}");
    assert_eq!(bench.version("b").await, None);
    bench.put(&Pet::new("a", "rex").tagged(&["again"])).await;
    assert_eq!(bench.named("rex").await, ["a"]);
}

async fn a_unique_value_is_free_after_change_or_delete_in_the_same_batch_too(bench: Bench) {
    bench.put(&Pet::new("a", "rex")).await;
    bench.put(&Pet::new("a", "max")).await;
    bench.put(&Pet::new("b", "rex")).await;
    let swap = Batch::new().delete::<Pet>("b", Expect::Version(1)).put(&Pet::new("c", "rex"), Expect::Absent);
    bench.store.commit(swap).await.unwrap();
    assert_eq!(bench.named("rex").await, ["c"]);
    assert_eq!(bench.named("max").await, ["a"]);
}

/// A pet with a chip: a unique value in an index that has many.
fn chipped(id: &str, chips: &[&str]) -> Pet {
    Pet::new(id, id).tagged(chips)
}

async fn a_unique_value_of_an_index_with_many_has_one_holder(bench: Bench) {
    let commit = async |pet: Pet| bench.store.commit(Batch::new().put(&pet, Expect::Any)).await;
    commit(chipped("a", &["chip 1", "chip 2"])).await.unwrap();
    let taken = commit(chipped("b", &["chip 2", "chip 3"])).await;
    assert!(is_conflict(&taken), "{taken:?}");
    assert_eq!(bench.version("b").await, None);
    commit(chipped("b", &["chip 3"])).await.unwrap();
    commit(chipped("a", &["chip 1"])).await.unwrap();
    commit(chipped("b", &["chip 3", "chip 2"])).await.unwrap();
    let holder = async |chip: &str| {
        let found = bench.store.find::<Pet>("chip", chip).await.unwrap();
        found.into_iter().map(|found| found.record.id).collect::<Vec<_>>()
    };
    assert_eq!((holder("1").await, holder("2").await), (vec!["a".to_owned()], vec!["b".to_owned()]));
    bench.store.commit(Batch::new().delete::<Pet>("b", Expect::Any)).await.unwrap();
    assert!(holder("2").await.is_empty());
    commit(chipped("c", &["chip 2"]).ending_in(10)).await.unwrap();
    bench.pass(10);
    commit(chipped("d", &["chip 2"])).await.unwrap();
    assert_eq!(holder("2").await, ["d"]);
}

async fn what_an_expired_record_held_is_free_however_it_goes(bench: Bench) {
    let commit = async |batch: Batch| bench.store.commit(batch).await.map(drop);
    commit(Batch::new().put(&chipped("a", &["chip 1"]).ending_in(10), Expect::Any)).await.unwrap();
    commit(Batch::new().put(&chipped("b", &["chip 2"]).ending_in(10), Expect::Any)).await.unwrap();
    bench.pass(20);
    // It goes because its name is taken, or because somebody makes sure that it is not there.
    let mut namesake = Pet::new("c", "a");
    namesake.tags = Vec::new();
    commit(Batch::new().put(&namesake, Expect::Any)).await.unwrap();
    commit(Batch::new().require::<Pet>("b", Expect::Absent)).await.unwrap();
    commit(Batch::new().put(&chipped("d", &["chip 1", "chip 2"]), Expect::Any)).await.unwrap();
}

async fn a_record_that_is_renewed_while_its_value_is_claimed_is_not_lost(bench: Bench) {
    for n in 0..60 {
        let (holder, other, chip) = (format!("h{n}"), format!("x{n}"), format!("chip {n}"));
        bench.put(&chipped(&holder, &[&chip]).ending_in(-5)).await;
        let renew = |id: &str| {
            let (store, pet) = (bench.store.clone(), chipped(id, &[&chip]));
            tokio::spawn(async move { store.commit(Batch::new().put(&pet, Expect::Any)).await })
        };
        let (first, second) = (renew(&holder), renew(&other));
        let (first, second) = (first.await.unwrap().is_ok(), second.await.unwrap().is_ok());
        assert_eq!(u8::from(first) + u8::from(second), 1, "{n}: one of them has the chip");
        assert_eq!(
            (bench.version(&holder).await.is_some(), bench.version(&other).await.is_some()),
            (first, second)
        );
    }
}

async fn a_record_that_is_made_while_it_is_deleted_has_its_entries(bench: Bench) {
    for n in 0..60 {
        let (id, chip) = (format!("k{n}"), format!("chip {n}"));
        let (store, key) = (bench.store.clone(), id.clone());
        let delete =
            tokio::spawn(async move { store.commit(Batch::new().delete::<Pet>(&key, Expect::Any)).await });
        let (store, pet) = (bench.store.clone(), chipped(&id, &[&chip]));
        let put = tokio::spawn(async move { store.commit(Batch::new().put(&pet, Expect::Any)).await });
        delete.await.unwrap().unwrap();
        put.await.unwrap().unwrap();
        let found = bench.store.find::<Pet>("chip", &n.to_string()).await.unwrap().len();
        assert_eq!(bench.version(&id).await.is_some(), found == 1, "{n}");
    }
}

async fn fifty_racing_for_a_unique_value_among_many_make_one_holder(bench: Bench) {
    let tries = (0..50).map(|n| {
        let store = bench.store.clone();
        let (id, own) = (format!("{n}"), format!("chip own{n}"));
        tokio::spawn(async move {
            store.commit(Batch::new().put(&chipped(&id, &[&own, "chip 7"]), Expect::Absent)).await
        })
    });
    let mut won = 0;
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => won += 1,
            other => assert!(is_conflict(&other), "{other:?}"),
        }
    }
    assert_eq!((won, bench.store.find::<Pet>("chip", "7").await.unwrap().len()), (1, 1));
}

async fn fifty_racing_for_one_version_make_one_winner(bench: Bench) {
    bench.put(&Pet::new("a", "rex")).await;
    let racers = (0..50).map(|n| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            let pet = Pet::new("a", &format!("rex{n}"));
            store.commit(Batch::new().put(&pet, Expect::Version(1))).await
        })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(_) => won += 1,
            lost => assert!(is_conflict(&lost), "{lost:?}"),
        }
    }
    assert_eq!((won, bench.version("a").await), (1, Some(2)));
}

async fn fifty_racing_for_one_unique_value_make_one_holder(bench: Bench) {
    let racers = (0..50).map(|n| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            let pet = Pet::new(&n.to_string(), "rex");
            store.commit(Batch::new().put(&pet, Expect::Absent)).await.is_ok()
        })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += usize::from(racer.await.unwrap());
    }
    assert_eq!((won, bench.named("rex").await.len()), (1, 1));
}

async fn fifty_counting_with_retries_lose_no_count(bench: Bench) {
    bench.put(&Pet::new("n", "0")).await;
    let counters = (0..50).map(|_| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            loop {
                let found = store.get::<Pet>("n").await.unwrap().unwrap();
                let next = found.record.name.parse::<u32>().unwrap() + 1;
                let pet = Pet::new("n", &next.to_string());
                if store.commit(Batch::new().put(&pet, Expect::Version(found.version))).await.is_ok() {
                    break;
                }
            }
        })
    });
    for counter in counters.collect::<Vec<_>>() {
        counter.await.unwrap();
    }
    assert_eq!(bench.store.get::<Pet>("n").await.unwrap().unwrap().record.name, "50");
}

/// The pet of an older server, and of a newer one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OldPet {
    id: String,
    called: String,
}

impl Record for OldPet {
    const KIND: &'static str = "upgraded_pet";
    const INDEXES: &'static [Index] = &[Index::shared("called")];
    fn key(&self) -> String {
        self.id.clone()
    }
    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("called", &self.called)]
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NewPet {
    id: String,
    name: String,
}

impl Record for NewPet {
    const KIND: &'static str = "upgraded_pet";
    const SCHEMA: u16 = 3;
    fn key(&self) -> String {
        self.id.clone()
    }
    fn upgrade(from: u16, mut document: serde_json::Value) -> Result<serde_json::Value, StoreError> {
        assert_eq!(from, 1);
        let fields = document.as_object_mut().unwrap();
        let called = fields.remove("called").unwrap();
        fields.insert("name".to_owned(), called);
        Ok(document)
    }
}

async fn an_older_schema_is_upgraded_as_it_is_read_and_loses_its_old_index_entries_when_written(
    bench: Bench,
) {
    let old = OldPet { id: "a".to_owned(), called: "rex".to_owned() };
    bench.store.commit(Batch::new().put(&old, Expect::Absent)).await.unwrap();
    let new = bench.store.get::<NewPet>("a").await.unwrap().unwrap();
    assert_eq!(new.record, NewPet { id: "a".to_owned(), name: "rex".to_owned() });
    assert_eq!(new.version, 1);
    bench.store.commit(Batch::new().put(&new.record, Expect::Version(1))).await.unwrap();
    assert!(bench.store.find::<OldPet>("called", "rex").await.unwrap().is_empty());
}

async fn a_newer_schema_is_refused_with_both_numbers(bench: Bench) {
    let new = NewPet { id: "a".to_owned(), name: "rex".to_owned() };
    bench.store.commit(Batch::new().put(&new, Expect::Absent)).await.unwrap();
    let refused = bench.store.get::<OldPet>("a").await;
    assert!(matches!(refused, Err(StoreError::Schema { found: 3, known: 1, .. })), "{refused:?}");
}

async fn a_document_that_does_not_fit_its_type_is_corrupt_not_a_panic(bench: Bench) {
    #[derive(Debug, Serialize, Deserialize)]
    struct Other {
        id: u32,
    }
    impl Record for Other {
        const KIND: &'static str = "pet";
        fn key(&self) -> String {
            "a".to_owned()
        }
    }
    bench.store.commit(Batch::new().put(&Other { id: 1 }, Expect::Any)).await.unwrap();
    let read = bench.store.get::<Pet>("a").await;
    assert!(matches!(&read, Err(StoreError::Corrupt { kind, key, .. }) if kind == "pet" && key == "a"));
}

async fn keys_and_values_with_nul_or_too_long_are_invalid_everywhere(bench: Bench) {
    let store = &bench.store;
    let long = "x".repeat(513);
    for bad in ["a\0b", long.as_str()] {
        let batches = [
            Batch::new().put(&Pet::new(bad, "rex"), Expect::Any),
            Batch::new().put(&Pet::new("a", bad), Expect::Any),
            Batch::new().delete::<Pet>(bad, Expect::Any),
            Batch::new().require::<Pet>(bad, Expect::Any),
        ];
        for batch in batches {
            let result = store.commit(batch).await;
            assert!(matches!(result, Err(StoreError::Invalid(_))), "{result:?}");
        }
        assert!(matches!(store.get::<Pet>(bad).await, Err(StoreError::Invalid(_))));
        assert!(matches!(store.find::<Pet>("name", bad).await, Err(StoreError::Invalid(_))));
    }
    let longest = "x".repeat(512);
    bench.put(&Pet::new(&longest, &longest)).await;
    assert_eq!(bench.named(&longest).await, [longest]);
}

async fn a_value_of_any_size_comes_back_whole(bench: Bench) {
    for size in [0, 1, 4000, 4095, 4096, 4097, 16_383, 16_384, 16_385, 131_072, 3_000_000] {
        let mut pet = Pet::new("big", "big");
        pet.tags = Vec::new();
        let value: String = (0..size).map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap())).collect();
        let setting = Setting { section: "big".to_owned(), value: value.into() };
        bench.store.commit(Batch::new().put(&setting, Expect::Any)).await.unwrap();
        let read = bench.store.get::<Setting>("big").await.unwrap().unwrap().record;
        assert!(read == setting, "{size} bytes came back changed");
    }
    let scanned = bench.store.scan::<Setting>(agamid_store::Scan::default()).await.unwrap();
    assert_eq!(scanned.records[0].record.value.as_str().unwrap().len(), 3_000_000);
}

async fn readers_of_a_large_value_never_see_two_mixed(bench: Bench) {
    let value = |n: u8| Setting {
        section: "big".to_owned(),
        value: char::from(b'a' + n).to_string().repeat(40_000).into(),
    };
    bench.store.commit(Batch::new().put(&value(0), Expect::Any)).await.unwrap();
    let store = bench.store.clone();
    let reader = tokio::spawn(async move {
        for _ in 0..300 {
            let read = store.get::<Setting>("big").await.unwrap().unwrap().record;
            let text = read.value.as_str().unwrap().as_bytes();
            assert_eq!(text.len(), 40_000);
            assert!(text.iter().all(|byte| byte == &text[0]));
            tokio::task::yield_now().await;
        }
    });
    let mut n = 0;
    while !reader.is_finished() {
        n = (n + 1) % 20;
        bench.store.commit(Batch::new().put(&value(n), Expect::Any)).await.unwrap();
    }
    reader.await.unwrap();
}

async fn after_close_everything_is_unavailable(bench: Bench) {
    bench.put(&Pet::new("a", "rex")).await;
    bench.store.close().await.unwrap();
    bench.store.close().await.unwrap();
    let unavailable = |error| matches!(error, StoreError::Unavailable(_));
    assert!(unavailable(bench.store.get::<Pet>("a").await.unwrap_err()));
    assert!(unavailable(bench.store.find::<Pet>("name", "rex").await.unwrap_err()));
    assert!(unavailable(bench.store.ping().await.unwrap_err()));
    assert!(unavailable(bench.store.commit(Batch::new()).await.unwrap_err()));
}

async fn a_store_that_works_answers_a_ping(bench: Bench) {
    bench.store.ping().await.unwrap();
}

on_every_backend! {
    versions_grow_by_one_from_one_and_start_again_after_a_delete
    what_was_put_is_what_is_read
    kinds_do_not_see_each_other
    every_precondition_holds_or_nothing_is_written
    a_late_failure_undoes_the_earlier_part_of_its_batch
    operations_see_the_ones_before_them
    a_unique_value_has_one_holder
    a_unique_value_is_free_after_change_or_delete_in_the_same_batch_too
    a_unique_value_of_an_index_with_many_has_one_holder
    what_an_expired_record_held_is_free_however_it_goes
    a_record_that_is_renewed_while_its_value_is_claimed_is_not_lost
    a_record_that_is_made_while_it_is_deleted_has_its_entries
    fifty_racing_for_a_unique_value_among_many_make_one_holder
    fifty_racing_for_one_version_make_one_winner
    fifty_racing_for_one_unique_value_make_one_holder
    fifty_counting_with_retries_lose_no_count
    an_older_schema_is_upgraded_as_it_is_read_and_loses_its_old_index_entries_when_written
    a_newer_schema_is_refused_with_both_numbers
    a_document_that_does_not_fit_its_type_is_corrupt_not_a_panic
    keys_and_values_with_nul_or_too_long_are_invalid_everywhere
    a_value_of_any_size_comes_back_whole
    readers_of_a_large_value_never_see_two_mixed
    after_close_everything_is_unavailable
    a_store_that_works_answers_a_ping
}
