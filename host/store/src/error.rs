//! Why the store refused or failed.

use agamid_core::blame::{Blame, Blamed};

/// A failure of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A precondition did not hold: somebody else was faster, or a unique value is taken. Nothing was written.
    #[error("conflict on {kind} {key}: {reason}")]
    Conflict {
        /// The record kind.
        kind: String,
        /// Its key.
        key: String,
        /// Which precondition or unique index.
        reason: String,
    },
    /// A stored document could not be read.
    #[error("the stored {kind} {key} cannot be read: {cause}")]
    Corrupt {
        /// The record kind.
        kind: String,
        /// Its key.
        key: String,
        /// What the reader said.
        cause: String,
    },
    /// A document of a schema this server does not know.
    #[error("{kind} has schema {found}, this server knows {known}: run a newer server or `agamid migrate`")]
    Schema {
        /// The record kind.
        kind: &'static str,
        /// As stored.
        found: u16,
        /// As known.
        known: u16,
    },
    /// The record can't be stored: key or value too long.
    #[error("{0}")]
    Invalid(String),
    /// The store can't be opened.
    #[error("cannot open the store: {0}")]
    Open(String),
    /// The store does not answer; nothing is known to be written. Answered as 503.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

impl Blamed for StoreError {
    fn blame(&self) -> Blame {
        match self {
            StoreError::Conflict { .. } => Blame::Peer,
            StoreError::Invalid(_) => Blame::Caller,
            _ => Blame::Us,
        }
    }
}
