//! Organisations, and the scope that every query for their people takes.

use agamid_core::Env;
use agamid_core::id::OrgId;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::IdentityError;

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its id.
    pub id: OrgId,
    /// What people call it.
    pub name: String,
    /// Its mail domain.
    pub domain: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Record for Organisation {
    const KIND: &'static str = "organisation";
    const INDEXES: &'static [Index] = &[Index::unique("name")];
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("name", self.name.clone())]
    }
}

/// Whose people a query may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgScope {
    /// Those of one organisation.
    One(OrgId),
    /// Everybody: for the server's own administration.
    All,
}

impl OrgScope {
    /// Whether people of `organisation` are inside.
    pub fn covers(&self, organisation: &OrgId) -> bool {
        match self {
            OrgScope::One(one) => one == organisation,
            OrgScope::All => true,
        }
    }
}

/// The name of the organisation that always exists.
const DEFAULT: &str = "default";

/// Organisations.
#[derive(Clone)]
pub struct Organisations {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

impl Organisations {
    /// The organisation that always exists; made when missing.
    pub async fn ensure_default(&self) -> Result<Organisation, IdentityError> {
        if let Some(found) = self.store.find::<Organisation>("name", DEFAULT).await?.into_iter().next() {
            return Ok(found.record);
        }
        let organisation = Organisation {
            id: OrgId::generate(&self.env),
            name: DEFAULT.to_owned(),
            domain: None,
            created_at: self.env.now(),
        };
        let audit = AuditEvent::new("organisation.created", "server", organisation.id.as_str());
        match self.store.commit(Batch::new().put(&organisation, Expect::Absent).audit(audit)).await {
            Ok(_) => Ok(organisation),
            // Another node was faster: theirs counts.
            Err(StoreError::Conflict { .. }) => Box::pin(self.ensure_default()).await,
            Err(error) => Err(error.into()),
        }
    }
}
