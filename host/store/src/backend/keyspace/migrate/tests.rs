//! A migration whose n-th write fails, for every n.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agamid_core::{BoxFuture, Env};
use serde::{Deserialize, Serialize};

use super::super::{Keyspace, Ordered, Pair, Read, Reply, Request};
use crate::backend::memory::Memory;
use crate::error::StoreError;
use crate::{Batch, Expect, Index, IndexEntry, Kind, Record, Store};

const MANY: usize = 200;

#[derive(Serialize, Deserialize)]
struct One {
    id: String,
}

impl Record for One {
    const KIND: &'static str = "thing";
    fn key(&self) -> String {
        self.id.clone()
    }
}

#[derive(Serialize, Deserialize)]
struct Two {
    id: String,
    same: String,
}

impl Record for Two {
    const KIND: &'static str = "thing";
    const SCHEMA: u16 = 2;
    const INDEXES: &'static [Index] = &[Index::unique("same")];
    fn key(&self) -> String {
        self.id.clone()
    }
    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("same", &self.same)]
    }
    fn upgrade(_: u16, mut document: serde_json::Value) -> Result<serde_json::Value, StoreError> {
        document["same"] = document["id"].clone();
        Ok(document)
    }
}

/// Fails at its n-th write, and at every later one.
struct Failing {
    memory: Arc<Memory>,
    writes: AtomicUsize,
}

impl Read for Failing {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }
}

impl Keyspace for Failing {
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.memory.range(from, to, limit)
    }

    fn submit(&self, request: Request) -> BoxFuture<'_, Result<Reply, StoreError>> {
        let left = self.writes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            return Box::pin(std::future::ready(Err(StoreError::Unavailable("told to".to_owned()))));
        }
        self.memory.submit(request)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.memory.close()
    }
}

#[tokio::test]
async fn wherever_a_migration_fails_the_next_one_ends_it_with_everything_there_once() {
    let env = Env::system();
    for fails_after in 0..7 {
        let memory = Arc::new(Memory::new(env.clone()));
        let old = [Kind::of::<One>()];
        let backend = Ordered::<Memory>::start(Arc::clone(&memory), env.clone(), &old, true).await.unwrap();
        let store = Store::over(Arc::new(backend), env.clone());
        for n in 0..MANY {
            store.commit(Batch::new().put(&One { id: format!("{n:03}") }, Expect::Absent)).await.unwrap();
        }
        let new = [Kind::of::<Two>()];
        let failing = Failing { memory: Arc::clone(&memory), writes: AtomicUsize::new(fails_after) };
        let broken = Ordered::start(failing, env.clone(), &new, true).await;
        // One start, four steps (three full, one not), one end.
        assert_eq!(broken.is_err(), fails_after < 6, "after {fails_after} writes");
        if fails_after > 1 {
            let refused = Ordered::<Memory>::start(Arc::clone(&memory), env.clone(), &old, true).await.err();
            assert!(matches!(refused, Some(StoreError::Open(reason)) if reason.contains("schema 2")));
        }
        let backend = Ordered::<Memory>::start(Arc::clone(&memory), env.clone(), &new, true).await.unwrap();
        let mut store = Store::over(Arc::new(backend), env.clone());
        store.kinds = Some(new.into());
        for n in 0..MANY {
            let found = store.find::<Two>("same", &format!("{n:03}")).await.unwrap();
            assert_eq!((found.len(), found[0].version), (1, 1));
        }
        let mut findings = Vec::new();
        assert_eq!(store.check(|found| findings.push(found), |_| {}).await.unwrap(), 200);
        assert_eq!(findings, []);
    }
}
