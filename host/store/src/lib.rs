//! The storage contract: one small set of operations, several backends (`memory:`, `sled:DIR`), one contract
//! suite (`tests/contract.rs`) that runs on all of them.
//!
//! A crate that owns a record implements [`Record`] for it and talks to a [`Store`]:
//!
//! ```text
//! store.get::<Person>(key)      store.find::<Person>("username", "alice")      store.scan::<Person>(…)
//! store.commit(Batch::new().put(&person, Expect::Absent).audit(event))         all or nothing
//! store.consume(Consume::new(Purpose::Code, hash).client("shop"))              once and never again
//! ```
//!
//! `commit` answers when the data would survive `kill -9` and power loss. Expired records are invisible at once.
//!
//! | module | what |
//! | --- | --- |
//! | [`record`], [`batch`], [`one_time`], [`audit`], [`setting`], [`error`] | the contract's types |
//! | [`export`] | everything as a file, and back |
//! | `check` | whether all of it can be read and fits together |
//! | [`outbox`] | messages kept instead of sent, for development |
//! | `fault` | breaks a store on purpose, for tests (feature `faults`) |
//! | [`redis`] | a cache and counters that nodes share, where there is a Redis |
//! | `store` | the typed face: checks, decodes, upgrades |
//! | `read` | lookups, the same on every backend |
//! | `rules` | what a commit means, the same on every backend: pure functions over an `overlay` |
//! | `layout` | which kinds a store holds, and how; what a migration has to do |
//! | `keys`, `stored` | how records, indexes, expiry and audit lie in one ordered keyspace |
//! | `backend` | an ordered keyspace with one writer: `memory`, and `sled` (the only place that knows sled) |
//!
//! To add a record kind: implement [`Record`] in the crate that owns it (`conventions.md`, "Who owns which record").
//!
//! To add a backend: implement `backend::Backend`, give it a scheme in `Store::open`, and add one line to
//! `tests/contract.rs`.

pub mod audit;
mod backend;
pub mod batch;
mod cache;
mod check;
pub mod error;
pub mod export;
mod keys;
mod layout;
pub mod one_time;
mod options;
pub mod outbox;
mod overlay;
mod read;
pub mod record;
pub mod redis;
mod rules;
pub mod setting;
mod store;
mod stored;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use audit::{AuditEntry, AuditEvent};
pub use batch::{Batch, Committed, Expect};
pub use cache::{Change, Changes};
pub use check::{Finding, Severity};
pub use error::StoreError;
pub use export::{Export, ExportFile, ImportOptions, Imported, Protection};
pub use one_time::{Consume, Consumption, OneTime, Peeked, Purpose, Tombstone};
pub use options::StoreOptions;
pub use record::{Index, IndexEntry, Kind, Record, Versioned};
pub use redis::{Redis, RedisOptions};
pub use store::{Page, Scan, Store};

/// The kinds of record of this crate.
pub fn records() -> Vec<Kind> {
    vec![Kind::of::<setting::Setting>(), Kind::of::<outbox::OutboxRecord>()]
}
