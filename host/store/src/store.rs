//! The typed face of the store.

use std::ops::RangeInclusive;

use agamid_core::Env;

use crate::batch::{Batch, Committed};
use crate::error::StoreError;
use crate::one_time::{Consume, Consumption};
use crate::record::{Record, Versioned};

/// A handle on the store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    env: Env,
}

/// What part of a kind to read, in order.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The index to walk; by primary key when absent.
    pub index: Option<&'static str>,
    /// Inclusive bounds on the index value (or key).
    pub range: Option<RangeInclusive<String>>,
    /// Goes on after the page that ended with this cursor.
    pub after: Option<String>,
    /// At most this many, 1 to 1,000.
    pub limit: usize,
}

/// Part of a scan.
#[derive(Debug, Clone)]
pub struct Page<R> {
    /// The records.
    pub records: Vec<Versioned<R>>,
    /// Where the next page starts; absent at the end.
    pub next: Option<String>,
}

impl Store {
    /// Opens `memory:` or `sled:DIRECTORY`. A directory in use by another process is refused with that reason.
    pub async fn open(url: &str, env: Env) -> Result<Self, StoreError> {
        let _ = url;
        Ok(Self { env })
    }

    /// Reads one record.
    pub async fn get<R: Record>(&self, key: &str) -> Result<Option<Versioned<R>>, StoreError> {
        let _ = (key, self.env.now());
        todo!()
    }

    /// All records with exactly this index value.
    pub async fn find<R: Record>(&self, index: &'static str, value: &str) -> Result<Vec<Versioned<R>>, StoreError> {
        let _ = (index, value);
        todo!()
    }

    /// A page of records in order.
    pub async fn scan<R: Record>(&self, scan: Scan) -> Result<Page<R>, StoreError> {
        let _ = scan;
        todo!()
    }

    /// Writes a batch, atomically and durably.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let _ = batch;
        todo!()
    }

    /// Uses up a one-time record: [`Store::commit`] of a batch with only that.
    pub async fn consume(&self, consume: Consume) -> Result<Consumption, StoreError> {
        let _ = consume;
        todo!()
    }

    /// Removes up to `limit` expired records; answers how many were removed.
    pub async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let _ = limit;
        todo!()
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Checks every audit chain; answers the number of events.
    pub async fn verify_audit(&self) -> Result<u64, StoreError> {
        todo!()
    }

    /// Writes what is pending and lets go of the data directory.
    pub async fn close(&self) -> Result<(), StoreError> {
        todo!()
    }
}
