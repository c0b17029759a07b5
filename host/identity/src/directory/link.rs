//! Which person an entry is.

use agamid_core::id::{OrgId, PersonId};
use agamid_core::time::Timestamp;
use agamid_store::{Index, IndexEntry, Record};
use serde::{Deserialize, Serialize};

/// An entry of a directory and the person it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DirectoryLink {
    /// The directory's name.
    pub(super) directory: String,
    /// The entry's stable id, as `mapping` keeps it.
    pub(super) stable_id: String,
    /// Who it is.
    pub(super) person: PersonId,
    /// Where they belong.
    pub(super) organisation: OrgId,
    /// Where the entry was last.
    pub(super) dn: String,
    /// Whether an import disabled the person because the entry was gone: then its return enables them, and nobody else's
    /// decision is undone.
    pub(super) vanished: bool,
    /// When they were linked.
    pub(super) created_at: Timestamp,
}

/// The key of a link.
pub(super) fn key(directory: &str, stable_id: &str) -> String {
    format!("{directory}/{stable_id}")
}

impl Record for DirectoryLink {
    const KIND: &'static str = "directory_link";
    const INDEXES: &'static [Index] = &[Index::unique("person")];
    fn key(&self) -> String {
        key(&self.directory, &self.stable_id)
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("person", self.person.to_string())]
    }
}
