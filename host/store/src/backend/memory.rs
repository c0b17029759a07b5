//! `memory:`: everything in one map, gone with the process. For tests and for `flow` tools.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use agamid_core::{BoxFuture, Env};

use super::closed;
use super::keyspace::tap::Taps;
use super::keyspace::{Keyspace, Pair, Read, Reply, Request};
use crate::error::StoreError;
use crate::overlay::Overlay;
use crate::rules;

/// All pairs, `None` once closed.
type Pairs = Option<BTreeMap<Vec<u8>, Vec<u8>>>;

pub(crate) struct Memory {
    env: Env,
    keyspace: RwLock<Pairs>,
    taps: Mutex<Taps>,
}

impl Memory {
    pub(crate) fn new(env: Env) -> Self {
        Self { env, keyspace: RwLock::new(Some(BTreeMap::new())), taps: Mutex::default() }
    }

    /// Changes bytes behind the store's back.
    #[cfg(test)]
    pub(crate) fn meddle(&self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let mut guard = self.writing();
        let keyspace = guard.as_mut().unwrap();
        match value {
            Some(value) => keyspace.insert(key, value),
            None => keyspace.remove(&key),
        };
    }

    /// Changes reach the map only after every rule has passed, so a panic in one leaves the map whole.
    fn reading(&self) -> RwLockReadGuard<'_, Pairs> {
        self.keyspace.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Pairs> {
        self.keyspace.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, request: &Request) -> Result<Reply, StoreError> {
        let mut guard = self.writing();
        let keyspace = guard.as_mut().ok_or_else(closed)?;
        let mut view = Overlay::new(keyspace);
        let reply = rules::evaluate(&mut view, request, self.env.now())?;
        let changes = view.into_changes();
        let mut taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        match request {
            Request::Tap(tap) => taps.open(tap),
            Request::Untap(tap) => taps.close(tap),
            _ => taps.hand(&changes, &Ok(())),
        }
        for (key, change) in changes {
            match change {
                Some(value) => keyspace.insert(key, value),
                None => keyspace.remove(&key),
            };
        }
        Ok(reply)
    }
}

impl Read for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(BTreeMap::get(self, key).cloned())
    }
}

impl Read for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Read::get(self.reading().as_ref().ok_or_else(closed)?, key)
    }
}

impl Keyspace for Memory {
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        let guard = self.reading();
        let keyspace = guard.as_ref().ok_or_else(closed)?;
        if from >= to {
            return Ok(Vec::new());
        }
        let range = keyspace.range(from.to_vec()..to.to_vec());
        Ok(range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn submit(&self, request: Request) -> BoxFuture<'_, Result<Reply, StoreError>> {
        Box::pin(async move { self.write(&request) })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            *self.writing() = None;
            Ok(())
        })
    }
}
