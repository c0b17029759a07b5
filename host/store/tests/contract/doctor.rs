//! What the doctor finds on every backend, and in a database that somebody changed by SQL.

use std::sync::Arc;
use std::time::Duration;

use agamid_core::time::Timestamp;
use agamid_store::setting::Setting;
use agamid_store::{AuditEvent, Batch, Expect, Finding, Severity, StoreError};

use crate::bench::{Bench, NOW, POSTGRES, Pet, on_every_backend};

async fn findings(bench: &Bench) -> Vec<Finding> {
    let mut found = Vec::new();
    bench.store.check(|finding| found.push(finding), |_| {}).await.unwrap();
    // The clock of these tests stands in another year than the database's.
    found.retain(|finding| !(finding.place == "clock" && finding.severity == Severity::Warning));
    found
}

async fn a_sound_store_has_no_findings_while_others_write(bench: Bench) {
    for n in 0..500 {
        bench
            .put(
                &Pet::new(&format!("{n}"), &format!("{n}"))
                    .tagged(&["t", &format!("chip {n}")])
                    .ending_in(600),
            )
            .await;
    }
    bench.put(&Pet::new("ended", "ended").tagged(&["t"]).ending_in(-5)).await;
    let store = bench.store.clone();
    let writer = tokio::spawn(async move {
        for n in 0..u64::MAX {
            let id = format!("{}", n % 500);
            let pet = Pet::new(&id, &format!("name {n}")).tagged(&["t", "u"]).ending_in(600);
            // A store in memory never waits by itself.
            tokio::task::yield_now().await;
            store
                .commit(Batch::new().put(&pet, Expect::Any).audit(AuditEvent::new("e", "a", "s")))
                .await
                .unwrap();
        }
    });
    for _ in 0..3 {
        assert_eq!(findings(&bench).await, []);
    }
    writer.abort();
}

async fn a_clock_that_went_backwards_is_told_and_breaks_nothing(bench: Bench) {
    bench.put(&Pet::new("a", "a").ending_in(60)).await;
    bench.store.commit(Batch::new().audit(AuditEvent::new("e", "a", "s"))).await.unwrap();
    bench.clock.set(Timestamp(NOW.0 - 3_600_000));
    // What was written in the future is still there, and ends when it said.
    assert_eq!(bench.version("a").await, Some(1));
    bench.put(&Pet::new("a", "b").ending_in(60)).await;
    bench.store.commit(Batch::new().audit(AuditEvent::new("e", "a", "s"))).await.unwrap();
    assert_eq!(bench.store.sweep(10).await.unwrap(), 0);
    assert_eq!(bench.store.verify_audit().await.unwrap(), 2);
    bench.clock.set(Timestamp(NOW.0 - 7_200_000));
    let found = findings(&bench).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].what.contains("backwards") && found[0].severity == Severity::Error, "{found:?}");
    bench.clock.set(Timestamp(NOW.0 + 61_000));
    assert_eq!(bench.version("a").await, None);
    assert_eq!(bench.store.sweep(10).await.unwrap(), 1);
    let early = Arc::clone(&bench.clock);
    early.set(Timestamp(-1));
    bench.put(&Pet::new("old", "old").ending_in(60)).await;
    early.advance(Duration::from_secs(1));
    assert_eq!(bench.version("old").await, Some(1));
}

async fn what_is_too_large_is_refused_and_nothing_is_lost(bench: Bench) {
    bench.put(&Pet::new("a", "a")).await;
    let long = "x".repeat(513);
    let big = Setting { section: "big".to_owned(), value: "x".repeat(33 << 20).into() };
    let refused = [
        Batch::new().put(&Pet::new(&long, "b"), Expect::Any),
        Batch::new().put(&Pet::new("b", &long), Expect::Any),
        Batch::new().put(&Pet::new("b", "b").tagged(&[&long]), Expect::Any),
        Batch::new().put(&Pet::new("b", "nul\0"), Expect::Any),
        Batch::new().put(&big, Expect::Any),
    ];
    for batch in refused {
        let batch = batch.delete::<Pet>("a", Expect::Any);
        let result = bench.store.commit(batch).await;
        let Err(StoreError::Invalid(reason)) = result else { panic!("{result:?}") };
        assert!(reason.contains("pet") || reason.contains("setting"), "{reason}");
        assert_eq!(bench.version("a").await, Some(1));
    }
}

on_every_backend! {
    a_sound_store_has_no_findings_while_others_write
    a_clock_that_went_backwards_is_told_and_breaks_nothing
    what_is_too_large_is_refused_and_nothing_is_lost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_by_sql_is_found_named_and_does_not_stop_the_rest() {
    let bench = Bench::postgres().await;
    for name in ["anna", "bert"] {
        bench.put(&Pet::new(name, name).tagged(&["t"])).await;
    }
    bench.store.commit(Batch::new().audit(AuditEvent::new("e", "a", "s"))).await.unwrap();
    let database = bench.database.clone().unwrap();
    let cases = [
        ("UPDATE r_pet SET document = '{\"id\": 7}' WHERE key = 'anna'", "pet anna"),
        ("UPDATE r_pet SET i_name = 'other' WHERE key = 'anna'", "pet anna"),
        ("DELETE FROM n_pet WHERE key = 'anna'", "pet anna"),
        ("INSERT INTO n_pet VALUES ('tag', 'x', 'nobody', false)", "pet nobody"),
        ("UPDATE r_pet SET expires_at = 99999999999999 WHERE key = 'anna'", "pet anna"),
        ("UPDATE r_pet SET schema = 7 WHERE key = 'anna'", "pet anna"),
        ("UPDATE r_pet SET version = -1 WHERE key = 'anna'", "pet anna"),
        ("UPDATE audit SET event = '{}'", "audit "),
    ];
    for (sql, place) in cases {
        let (database, damage) = (
            database.clone(),
            format!(
                "CREATE TABLE k AS TABLE r_pet; CREATE TABLE l AS TABLE n_pet; CREATE TABLE m AS TABLE audit; {sql}"
            ),
        );
        tokio::task::spawn_blocking({
            let database = database.clone();
            move || POSTGRES.sql(&database, &damage).unwrap()
        })
        .await
        .unwrap();
        let found = findings(&bench).await;
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        assert!(found[0].place.starts_with(place), "{sql}: {found:?}");
        if sql.contains("id") && sql.contains("document") {
            let read = bench.store.get::<Pet>("anna").await;
            assert!(matches!(&read, Err(StoreError::Corrupt { key, .. }) if key == "anna"), "{read:?}");
        }
        assert_eq!(bench.version("bert").await, Some(1));
        let mend = "DELETE FROM r_pet; DELETE FROM n_pet; DELETE FROM audit;
            INSERT INTO r_pet SELECT * FROM k; INSERT INTO n_pet SELECT * FROM l; INSERT INTO audit SELECT * FROM m;
            DROP TABLE k; DROP TABLE l; DROP TABLE m";
        tokio::task::spawn_blocking(move || POSTGRES.sql(&database, mend).unwrap()).await.unwrap();
        assert_eq!(findings(&bench).await, []);
    }
}
