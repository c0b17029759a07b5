//! Addresses and databases that won't do: each is refused with what is wrong and what to do, and without the password.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::secret::Secret;
use agamid_store::{Batch, Expect, Store, StoreError, StoreOptions};

use crate::bench::{POSTGRES, Pet, options};

fn quick(url: &str) -> StoreOptions {
    StoreOptions { timeout: Duration::from_secs(1), ..options(url) }
}

async fn refused(options: StoreOptions) -> String {
    let url = options.url.clone();
    match Store::open(options, Env::system()).await {
        Err(StoreError::Open(reason)) => {
            assert!(!reason.contains("s3cret"), "the password is in the message: {reason}");
            reason
        }
        Err(other) => panic!("{url}: {other:?}"),
        Ok(_) => panic!("{url} opened"),
    }
}

async fn database() -> (String, String) {
    tokio::task::spawn_blocking(|| {
        let url = POSTGRES.database().unwrap();
        let name = url.rsplit('/').next().unwrap().to_owned();
        (url, name)
    })
    .await
    .unwrap()
}

async fn sql(database: &str, sql: String) {
    let database = database.to_owned();
    tokio::task::spawn_blocking(move || POSTGRES.sql(&database, &sql).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_nowhere_is_refused_with_what_to_do() {
    for (url, says) in [
        ("postgres:///agamid", "names no host"),
        ("postgres://agamid:s3cret@localhost:notaport/agamid", "address of the database"),
        ("postgres://agamid@localhost/agamid?sslmode=prefer", "sslmode=prefer"),
        ("postgres://agamid@localhost/agamid?unknown=1", "address of the database"),
    ] {
        let reason = refused(quick(url)).await;
        assert!(reason.contains(says), "{url}: {reason}");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let reason = refused(quick(&format!("postgres://agamid:s3cret@127.0.0.1:{port}/agamid"))).await;
    assert!(reason.contains("127.0.0.1") && reason.contains("host and port"), "{reason}");
    let (url, name) = database().await;
    let reason = refused(quick(&url.replace(&name, "nowhere"))).await;
    assert!(reason.contains("nowhere") && reason.contains("createdb"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_where_something_else_or_nobody_answers_is_refused() {
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://agamid:s3cret@{}/agamid", web.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in web.incoming() {
            let mut stream = stream.unwrap();
            let _read = stream.read(&mut [0; 64]);
            let _written = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let reason = refused(quick(&url)).await;
    assert!(reason.contains("127.0.0.1") && reason.contains("host and port"), "{reason}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://agamid:s3cret@{}/agamid", silent.local_addr().unwrap());
    let reason = refused(quick(&url)).await;
    assert!(reason.contains("did not answer within"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_and_the_right_one_from_a_file_opens() {
    let (url, name) = database().await;
    sql(&name, format!("CREATE ROLE locked LOGIN PASSWORD 's3cret'; ALTER DATABASE {name} OWNER TO locked"))
        .await;
    let rules = POSTGRES.data().join("pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all locked scram-sha-256\n{before}")).unwrap();
    sql(&name, "SELECT pg_reload_conf()".to_owned()).await;
    let url = url.replace("agamid@", "locked@");
    let with = |password: &str| StoreOptions { password: Some(Secret::new(password)), ..options(&url) };
    // The server reads its rules a moment after it is told to.
    let mut reason = String::new();
    for _ in 0..200 {
        match Store::open(with("s3cret, but wrong"), Env::system()).await {
            Err(error) => {
                reason = error.to_string();
                break;
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    assert!(reason.contains("user and password") && !reason.contains("s3cret"), "{reason}");
    Store::open(with("s3cret"), Env::system()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_read_only_is_refused_and_one_that_becomes_so_loses_nothing() {
    let (url, name) = database().await;
    let store = Store::open(options(&url), Env::system()).await.unwrap();
    store.commit(Batch::new().put(&Pet::new("a", "a"), Expect::Absent)).await.unwrap();
    sql("postgres", format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let reason = refused(quick(&url)).await;
    assert!(reason.contains("read-only") && reason.contains("primary"), "{reason}");
    // Connections that are made from now on can't write either.
    sql(
        "postgres",
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    )
    .await;
    let mut written = store.commit(Batch::new().put(&Pet::new("b", "b"), Expect::Absent)).await;
    for _ in 0..50 {
        if matches!(&written, Err(StoreError::Unavailable(reason)) if reason.contains("read-only")) {
            break;
        }
        written = store.commit(Batch::new().put(&Pet::new("b", "b"), Expect::Absent)).await;
    }
    assert!(
        matches!(&written, Err(StoreError::Unavailable(reason)) if reason.contains("primary")),
        "{written:?}"
    );
    assert!(store.ping().await.is_err());
    assert_eq!(store.get::<Pet>("a").await.unwrap().unwrap().version, 1);
    assert_eq!(store.get::<Pet>("b").await.unwrap(), None);
    sql("postgres", format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_of_a_newer_server_is_refused_with_both_numbers_and_left_alone() {
    let (url, name) = database().await;
    Store::open(options(&url), Env::system()).await.unwrap().close().await.unwrap();
    sql(&name, "UPDATE about SET value = '7' WHERE name = 'format'; DROP TABLE r_pet CASCADE".to_owned())
        .await;
    let reason = refused(options(&url)).await;
    assert!(reason.contains("layout is 7") && reason.contains("knows 1"), "{reason}");
    let (database, look) = (name.clone(), "SELECT to_regclass('r_pet') IS NULL");
    let gone = tokio::task::spawn_blocking(move || POSTGRES.sql(&database, look).unwrap()).await.unwrap();
    assert_eq!(gone, "t", "it was written to");
}
