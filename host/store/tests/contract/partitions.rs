//! Tables that the operator cut into partitions by the hash of what they are looked up by, before the first start: they
//! are used as any (`docs/scale.md`).

use std::time::Duration;

use agamid_core::Env;
use agamid_core::time::Timestamp;
use agamid_store::{
    Batch, Consume, Consumption, Expect, Index, IndexEntry, Kind, OneTime, Purpose, Record, Store,
    StoreError, StoreOptions,
};
use serde::{Deserialize, Serialize};

use crate::bench::POSTGRES;

/// A record whose unique index is declared with `many()`: its values are in a table of their own, which can be cut by the
/// value. One beside the key could not: PostgreSQL keeps something unique over all partitions only by what cuts them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bird {
    id: String,
    name: String,
    ring: String,
    expires_at: Option<Timestamp>,
}

impl Record for Bird {
    const KIND: &'static str = "bird";
    const INDEXES: &'static [Index] = &[Index::shared("name"), Index::unique("ring").many()];
    fn key(&self) -> String {
        self.id.clone()
    }
    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("name", &self.name), IndexEntry::new("ring", &self.ring)]
    }
    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

fn bird(id: &str, name: &str, ring: &str) -> Bird {
    Bird { id: id.to_owned(), name: name.to_owned(), ring: ring.to_owned(), expires_at: None }
}

const PARTITIONED: &str = r#"
    CREATE TABLE r_bird (
        key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, schema smallint NOT NULL, expires_at bigint,
        document json NOT NULL
    ) PARTITION BY HASH (key);
    CREATE TABLE r_bird_0 PARTITION OF r_bird FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE r_bird_1 PARTITION OF r_bird FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE n_bird (
        index text COLLATE "C" NOT NULL, value text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
        alone boolean NOT NULL, PRIMARY KEY (index, value, key)
    ) PARTITION BY HASH (value);
    CREATE TABLE n_bird_0 PARTITION OF n_bird FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE n_bird_1 PARTITION OF n_bird FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE TABLE one_time (
        purpose text COLLATE "C" NOT NULL, hash text COLLATE "C" NOT NULL,
        client text, person text, session text, run text, address text, family text, payload json,
        expires_at bigint NOT NULL, used_at bigint, remains json, PRIMARY KEY (purpose, hash)
    ) PARTITION BY HASH (hash);
    CREATE TABLE one_time_0 PARTITION OF one_time FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE one_time_1 PARTITION OF one_time FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"#;

async fn sql(database: &str, sql: &'static str) -> String {
    let database = database.to_owned();
    tokio::task::spawn_blocking(move || POSTGRES.sql(&database, sql).unwrap()).await.unwrap()
}

#[tokio::test]
async fn partitioned_tables_serve_as_whole_ones_do() {
    let url = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
    let database = url.rsplit('/').next().unwrap().to_owned();
    sql(&database, PARTITIONED).await;
    let options = StoreOptions { url, kinds: vec![Kind::of::<Bird>()], ..StoreOptions::default() };
    let store = Store::open(options, Env::system()).await.unwrap();
    let mut batch = Batch::new();
    for n in 0..100 {
        let name = n.to_string();
        batch = batch.put(&bird(&name, "tit", &name), Expect::Absent);
    }
    store.commit(batch).await.unwrap();
    for partition in ["SELECT count(*) > 20 FROM r_bird_0", "SELECT count(*) > 20 FROM r_bird_1"] {
        assert_eq!(sql(&database, partition).await, "t");
    }
    assert_eq!(store.get::<Bird>("7").await.unwrap().unwrap().version, 1);
    assert_eq!(store.find::<Bird>("name", "tit").await.unwrap().len(), 100);
    let taken = Batch::new().put(&bird("other", "owl", "7"), Expect::Absent);
    assert!(matches!(store.commit(taken).await, Err(StoreError::Conflict { .. })), "a ring is one bird's");
    let again = Batch::new().put(&bird("7", "owl", "7"), Expect::Absent);
    assert!(matches!(store.commit(again).await, Err(StoreError::Conflict { .. })));
    store.commit(Batch::new().put(&bird("7", "owl", "7"), Expect::Version(1))).await.unwrap();
    assert_eq!(store.find::<Bird>("name", "owl").await.unwrap().len(), 1);

    let now = Env::system().now();
    let record = OneTime {
        purpose: Purpose::Code,
        hash: "a".repeat(64),
        client: None,
        person: None,
        session: None,
        run: None,
        address: None,
        family: None,
        payload: serde_json::Value::Null,
        expires_at: now.plus(Duration::from_secs(60)),
    };
    store.commit(Batch::new().issue(record)).await.unwrap();
    let consume = || Consume::new(Purpose::Code, "a".repeat(64));
    assert!(matches!(store.consume(consume()).await.unwrap(), Consumption::Consumed(_)));
    assert!(matches!(store.consume(consume()).await.unwrap(), Consumption::Replayed(_)));

    let ended = Bird { expires_at: Some(Timestamp(now.0 - 1)), ..bird("7", "owl", "7") };
    store.commit(Batch::new().put(&ended, Expect::Any)).await.unwrap();
    assert_eq!(store.sweep(100).await.unwrap(), 1);
    assert_eq!(sql(&database, "SELECT count(*) FROM r_bird").await, "99");
}
