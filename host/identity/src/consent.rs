//! What a person allowed a client.

use std::collections::BTreeSet;

use agamid_core::Env;
use agamid_core::id::PersonId;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store};
use serde::{Deserialize, Serialize};

use crate::IdentityError;

/// The scopes that a person allowed a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who.
    pub person: PersonId,
    /// Which client.
    pub client: String,
    /// What.
    pub scopes: BTreeSet<String>,
    /// When it grew last.
    pub granted_at: Timestamp,
}

fn key(person: &PersonId, client: &str) -> String {
    format!("{person}/{client}")
}

impl Record for Consent {
    const KIND: &'static str = "consent";
    const INDEXES: &'static [Index] = &[Index::shared("person")];
    fn key(&self) -> String {
        key(&self.person, &self.client)
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("person", self.person.as_str())]
    }
}

/// Consents.
#[derive(Clone)]
pub struct Consents {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

impl Consents {
    /// Whether the person has allowed all of these scopes.
    pub async fn covers(
        &self,
        person: &PersonId,
        client: &str,
        scopes: &[String],
    ) -> Result<bool, IdentityError> {
        let found = self.store.get::<Consent>(&key(person, client)).await?;
        Ok(found.is_some_and(|found| scopes.iter().all(|scope| found.record.scopes.contains(scope))))
    }

    /// Adds scopes to what the person allowed. Written with `batch`, by whoever commits it.
    pub async fn grant(
        &self,
        person: &PersonId,
        client: &str,
        scopes: &[String],
        batch: Batch,
    ) -> Result<Batch, IdentityError> {
        let found = self.store.get::<Consent>(&key(person, client)).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
        let audit = AuditEvent::new("consent.granted", person.as_str(), client);
        let mut all = found.map(|found| found.record.scopes).unwrap_or_default();
        let before = all.len();
        all.extend(scopes.iter().cloned());
        // Saying yes again changes nothing, so two tabs that do it don't meet.
        if all.len() == before && before > 0 {
            return Ok(batch.audit(audit));
        }
        let consent = Consent {
            person: person.clone(),
            client: client.to_owned(),
            scopes: all,
            granted_at: self.env.now(),
        };
        Ok(batch.put(&consent, expect).audit(audit))
    }

    /// Takes everything back.
    pub async fn revoke(&self, person: &PersonId, client: &str) -> Result<(), IdentityError> {
        let audit = AuditEvent::new("consent.revoked", person.as_str(), client);
        self.store
            .commit(Batch::new().delete::<Consent>(&key(person, client), Expect::Any).audit(audit))
            .await?;
        Ok(())
    }
}
