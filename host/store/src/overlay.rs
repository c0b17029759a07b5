//! What a commit would change, laid over what is there. Dropping it changes nothing.

use std::collections::BTreeMap;

use crate::backend::keyspace::Read;
use crate::error::StoreError;

/// New values by key; `None` removes.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A view in which changes can be seen that nobody else sees yet.
pub(crate) struct Overlay<'a> {
    below: &'a dyn Read,
    changes: Changes,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(below: &'a dyn Read) -> Self {
        Self { below, changes: Changes::new() }
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// Takes over the changes of an overlay that lay on this one.
    pub(crate) fn absorb(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }
}

impl Read for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.below.get(key),
        }
    }
}
