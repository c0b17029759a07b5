//! Access tokens and the families they belong to.

use agamid_core::id::{FamilyId, PersonId, SessionId};
use agamid_core::time::Timestamp;
use agamid_store::Record;
use serde::{Deserialize, Serialize};

/// All tokens that come from one authorization. They die together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenFamily {
    pub(crate) id: FamilyId,
    pub(crate) client: String,
    pub(crate) person: Option<PersonId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) revoked: bool,
    pub(crate) expires_at: Timestamp,
}

impl Record for TokenFamily {
    const KIND: &'static str = "token_family";
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// An access token, by the hash of its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) hash: String,
    pub(crate) family: FamilyId,
    pub(crate) client: String,
    pub(crate) person: Option<PersonId>,
    pub(crate) scopes: Vec<String>,
    /// Who may accept it.
    pub(crate) audience: Vec<String>,
    pub(crate) expires_at: Timestamp,
}

impl Record for AccessToken {
    const KIND: &'static str = "token";
    fn key(&self) -> String {
        self.hash.clone()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}
