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

/// How many items to read in one go: fewer where they are large, so that memory stays bounded.
pub(crate) struct Stride(usize);

/// At most so many, and about so many bytes.
const MOST: usize = 400;
const BYTES: usize = 1 << 20;

impl Stride {
    pub(crate) fn new() -> Self {
        Self(16)
    }

    pub(crate) fn length(&self) -> usize {
        self.0
    }

    /// Learns from what was read.
    pub(crate) fn read(&mut self, bytes: usize) {
        let fits = self.0.saturating_mul(BYTES) / bytes.max(1);
        self.0 = fits.min(self.0 * 4).clamp(1, MOST);
    }
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
