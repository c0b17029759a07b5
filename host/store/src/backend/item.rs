//! What an export is made of, and what an import puts in place: the same on every backend.

use std::fmt;

use agamid_core::time::Timestamp;

use super::Document;
use crate::audit::{ChainEnd, Link};

/// One thing that a store keeps.
pub(crate) enum Item {
    /// A record, one-time records among them.
    Record(Kept),
    /// A record that was there before in the same export, and is gone.
    Deleted { kind: String, key: String },
    /// A link of an audit chain.
    Link { chain: String, sequence: u64, link: Link },
    /// How far a chain has come.
    End { chain: String, end: ChainEnd },
    /// From here on: what changed while the items before were read. The last word on each key counts.
    Changes,
}

/// A record as it is kept, whatever its type.
pub(crate) struct Kept {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) version: u64,
    pub(crate) schema: u16,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) body: Vec<u8>,
}

impl Kept {
    pub(crate) fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Items to put where nothing lies yet, in one commit.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) items: Vec<Loaded>,
    /// What the store remembers of the import: how far it has come; nothing when it is over.
    pub(crate) marker: Option<String>,
}

/// One thing to put in place.
pub(crate) enum Loaded {
    Record { document: Document, version: u64 },
    Link { chain: String, sequence: u64, link: Link },
    End { chain: String, end: ChainEnd },
}

impl fmt::Debug for Load {
    /// Without what is loaded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").field("items", &self.items.len()).finish_non_exhaustive()
    }
}
