//! The passwords a person had, as hashes.

use agamid_core::id::PersonId;
use agamid_store::Record;
use serde::{Deserialize, Serialize};

/// A person's former passwords, the last one first.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PasswordHistory {
    pub(crate) person: PersonId,
    pub(crate) hashes: Vec<String>,
}

impl Record for PasswordHistory {
    const KIND: &'static str = "password_history";
    fn key(&self) -> String {
        self.person.to_string()
    }
}
