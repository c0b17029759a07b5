//! What a database does to a store: connections that go, a server that stops, hangs, or only reads.

use std::time::Duration;

use agamid_core::Env;
use agamid_store::testing::PrivatePostgres;
use agamid_store::{Batch, Consume, Expect, Purpose, Store, StoreError, StoreOptions};

use crate::bench::{Bench, POSTGRES, Pet, options};

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A store on a server of its own, whose database does not keep it waiting.
async fn own() -> (PrivatePostgres, Store) {
    let (server, url) = blocking(|| {
        let server = PrivatePostgres::start(false).unwrap();
        let url = server.database().unwrap();
        (server, url)
    })
    .await;
    let options = StoreOptions { timeout: Duration::from_millis(700), ..options(&url) };
    let store = Store::open(options, Env::system()).await.unwrap();
    (server, store)
}

async fn put(store: &Store, id: &str) -> Result<(), StoreError> {
    store.commit(Batch::new().put(&Pet::new(id, id), Expect::Absent)).await.map(drop)
}

async fn has(store: &Store, id: &str) -> Result<bool, StoreError> {
    store.get::<Pet>(id).await.map(|found| found.is_some())
}

/// Until it works again, for half a minute at most.
async fn eventually(store: &Store, id: &str) {
    for n in 0..300 {
        if put(store, &format!("{id}{n}")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not recover");
}

fn is_unavailable<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_connections_are_cut_reads_go_on_and_writes_after_one_refusal_at_most() {
    let bench = Bench::postgres().await;
    bench.put(&Pet::new("a", "rex")).await;
    let database = bench.database.clone().unwrap();
    for round in 0..5 {
        let of = database.clone();
        let cut = move || {
            let sql =
                format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{of}'");
            POSTGRES.sql("postgres", &sql).unwrap()
        };
        blocking(cut).await;
        assert!(has(&bench.store, "a").await.unwrap());
        let id = format!("b{round}");
        if put(&bench.store, &id).await.is_err() {
            // Whether it was written is not known; that it can be is what counts.
            bench.put(&Pet::new(&id, &id)).await;
        }
        assert!(has(&bench.store, &id).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_unavailable_and_comes_back_by_itself() {
    let (mut server, store) = own().await;
    put(&store, "a").await.unwrap();
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agamid'";
    for mode in ["fast", "immediate"] {
        server = blocking(move || {
            server.stop(mode).unwrap();
            server
        })
        .await;
        assert!(is_unavailable(&put(&store, "b").await));
        assert!(is_unavailable(&has(&store, "a").await));
        assert!(is_unavailable(&store.ping().await));
        server = blocking(move || {
            server.start_again().unwrap();
            server
        })
        .await;
        eventually(&store, mode).await;
        store.ping().await.unwrap();
    }
    let many = (0..40).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, &format!("c{n}")).await.unwrap() })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let open: u32 = blocking(move || server.sql("postgres", connections).unwrap()).await.parse().unwrap();
    assert!(open <= 9, "{open} connections; the pool has 8, and one listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_server_is_unavailable_and_nothing_acknowledged_is_lost() {
    let (server, store) = own().await;
    put(&store, "a").await.unwrap();
    let server = blocking(move || {
        server.signal("STOP").unwrap();
        server
    })
    .await;
    assert!(is_unavailable(&put(&store, "b").await));
    assert!(is_unavailable(&has(&store, "a").await));
    let _server = blocking(move || {
        server.signal("CONT").unwrap();
        server
    })
    .await;
    eventually(&store, "c").await;
    assert!(has(&store, "a").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_goes_on_when_whoever_asked_for_it_goes_away() {
    let bench = Bench::postgres().await;
    for n in 0..50 {
        let store = bench.store.clone();
        let id = format!("{n}");
        let asked = tokio::spawn(async move { put(&store, &id).await });
        tokio::time::sleep(Duration::from_micros(n * 40)).await;
        asked.abort();
    }
    // Lanes on which half a flight lay would refuse or swallow this.
    for n in 100..140 {
        put(&bench.store, &format!("{n}")).await.unwrap();
        assert!(has(&bench.store, &format!("{n}")).await.unwrap());
    }
}

/// A refusal that the database refuses leaves an open transaction: nobody else may meet it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_fails_does_not_spoil_its_connection() {
    let bench = Bench::postgres().await;
    let database = bench.database.clone().unwrap();
    let rename = move |from: &'static str, to: &'static str| {
        let database = database.clone();
        blocking(move || {
            POSTGRES.sql(&database, &format!("ALTER TABLE {from} RENAME TO {to}")).unwrap();
        })
    };
    rename("r_pet", "r_pet_away").await;
    let refusal = Batch::new().put(&Pet::new("a", "a"), Expect::Any);
    let batch = Batch::new().consume(Consume::new(Purpose::Code, "nobody's")).if_refused(refusal);
    assert!(bench.store.commit(batch).await.is_err());
    rename("r_pet_away", "r_pet").await;
    for _ in 0..20 {
        assert!(!has(&bench.store, "a").await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_that_lock_each_others_records_both_get_through() {
    let bench = Bench::postgres().await;
    for id in ["a", "b"] {
        bench.put(&Pet::new(id, id)).await;
    }
    let tries = (0..2).map(|n| {
        let store = bench.store.clone();
        tokio::spawn(async move {
            let (first, second) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
            for _ in 0..5 {
                let batch = Batch::new()
                    .put(&Pet::new(first, first), Expect::Any)
                    .put(&Pet::new(second, second), Expect::Any);
                store.commit(batch).await.unwrap();
            }
        })
    });
    for one in tries.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!((bench.version("a").await, bench.version("b").await), (Some(11), Some(11)));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_stores_that_open_an_empty_database_at_once_all_open() {
    let url = blocking(|| POSTGRES.database().unwrap()).await;
    let opened = (0..6).map(|_| {
        let options = options(&url);
        tokio::spawn(async move { Store::open(options, Env::system()).await.map(drop) })
    });
    for one in opened.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_make_tables_an_empty_database_is_refused_with_what_to_do() {
    let url = blocking(|| POSTGRES.database().unwrap()).await;
    let strict = StoreOptions { auto_migrate: false, ..options(&url) };
    let refused = Store::open(strict.clone(), Env::system()).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("agamid migrate") && refused.contains("pet"), "{refused}");
    Store::open(options(&url), Env::system()).await.unwrap();
    Store::open(strict, Env::system()).await.unwrap();
}
