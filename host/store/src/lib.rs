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
//! To add a record kind: implement [`Record`] in the crate that owns it (`conventions.md`, "Who owns which record").

pub mod audit;
pub mod batch;
pub mod error;
pub mod one_time;
pub mod record;
pub mod setting;
mod backend;
mod store;

pub use audit::AuditEvent;
pub use batch::{Batch, Committed, Expect};
pub use error::StoreError;
pub use one_time::{Consume, Consumption, OneTime, Purpose};
pub use record::{IndexEntry, Record, Versioned};
pub use store::{Page, Scan, Store};
