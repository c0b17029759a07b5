//! What a person allowed a client.
//!
//! What the client got dies with the consent, and does not come back to life with a new one: a grant is covered only by a
//! consent that is older than it.

use std::collections::BTreeSet;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::PersonId;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::person::Person;

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
    /// When the person allowed the client anything first, since they last took everything back.
    #[serde(default)]
    pub since: Timestamp,
    /// When a login made use of it last, to the hour.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// A consent is marked as used at most this often.
const TOUCH: Duration = Duration::from_secs(3600);

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
    /// Whether the person allows all of these scopes now.
    pub async fn covers(
        &self,
        person: &PersonId,
        client: &str,
        scopes: &[String],
    ) -> Result<bool, IdentityError> {
        self.covers_since(person, client, scopes, self.env.now()).await
    }

    /// Whether the person allows all of these scopes, and has done so since `then`, without taking everything back in
    /// between.
    pub async fn covers_since(
        &self,
        person: &PersonId,
        client: &str,
        scopes: &[String],
        then: Timestamp,
    ) -> Result<bool, IdentityError> {
        let found = self.store.get::<Consent>(&key(person, client)).await?.map(|found| found.record);
        Ok(found.is_some_and(|consent| {
            consent.since <= then && scopes.iter().all(|scope| consent.scopes.contains(scope))
        }))
    }

    /// What a person allowed, by client.
    pub async fn of_person(&self, person: &Person) -> Result<Vec<Consent>, IdentityError> {
        let found = self.store.find::<Consent>("person", person.id.as_str()).await?;
        Ok(found.into_iter().map(|found| found.record).collect())
    }

    /// Marks a consent as used, at most once an hour. Who loses a race leaves it to the other.
    pub async fn touch(&self, person: &PersonId, client: &str) -> Result<(), IdentityError> {
        let found = self.store.get::<Consent>(&key(person, client)).await?;
        let now = self.env.now();
        let is_fresh = |consent: &Consent| consent.last_used_at.is_some_and(|last| now.since(last) < TOUCH);
        let Some(found) = found.filter(|found| !is_fresh(&found.record)) else { return Ok(()) };
        let used = Consent { last_used_at: Some(now), ..found.record };
        match self.store.commit(Batch::new().put(&used, Expect::Version(found.version))).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
        let now = self.env.now();
        let since = found.as_ref().map_or(now, |found| found.record.since);
        let last_used_at = found.as_ref().and_then(|found| found.record.last_used_at);
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
            granted_at: now,
            since,
            last_used_at,
        };
        Ok(batch.put(&consent, expect).audit(audit))
    }

    /// Takes everything back; `false` where there was nothing.
    pub async fn revoke(&self, person: &Person, client: &str, actor: &str) -> Result<bool, IdentityError> {
        let key = key(&person.id, client);
        if self.store.get::<Consent>(&key).await?.is_none() {
            return Ok(false);
        }
        let mut audit = AuditEvent::new("consent.revoked", actor, client);
        audit.detail = serde_json::json!({ "person": person.id });
        self.store.commit(Batch::new().delete::<Consent>(&key, Expect::Any).audit(audit)).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agamid_core::time::{Clock as _, ManualClock};

    use super::*;
    use crate::tests::{alice, identity};

    #[tokio::test]
    async fn what_was_granted_before_a_revocation_is_not_covered_by_a_new_consent() {
        let (mut identity, store, organisation) = identity().await;
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        identity.consents.env.clock = clock.clone();
        let person = alice(&identity, &organisation).await;
        let (consents, scopes) = (&identity.consents, ["openid".to_owned()]);
        let allow = async || {
            let batch = consents.grant(&person.id, "shop", &scopes, Batch::new()).await.unwrap();
            store.commit(batch).await.unwrap();
        };
        let covered = async |then| consents.covers_since(&person.id, "shop", &scopes, then).await.unwrap();
        allow().await;
        let first = clock.now();
        clock.advance(Duration::from_secs(60));
        assert!(covered(first).await);
        assert!(consents.revoke(&person, "shop", "alice").await.unwrap());
        assert!(!consents.revoke(&person, "shop", "alice").await.unwrap());
        assert!(!covered(first).await);
        allow().await;
        assert!(!covered(first).await);
        assert!(covered(clock.now()).await);
    }

    #[tokio::test]
    async fn a_consent_tells_what_was_allowed_when_and_when_it_was_used() {
        let (mut identity, store, organisation) = identity().await;
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        identity.consents.env.clock = clock.clone();
        let person = alice(&identity, &organisation).await;
        let consents = &identity.consents;
        let scopes = ["openid".to_owned(), "email".to_owned()];
        let batch = consents.grant(&person.id, "shop", &scopes, Batch::new()).await.unwrap();
        store.commit(batch).await.unwrap();
        consents.touch(&person.id, "shop").await.unwrap();
        consents.touch(&person.id, "other").await.unwrap();
        let used = clock.now();
        clock.advance(TOUCH / 2);
        consents.touch(&person.id, "shop").await.unwrap();
        let listed = consents.of_person(&person).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].client.as_str(), listed[0].last_used_at), ("shop", Some(used)));
        assert_eq!(listed[0].scopes.len(), 2);
        clock.advance(TOUCH);
        consents.touch(&person.id, "shop").await.unwrap();
        assert_eq!(consents.of_person(&person).await.unwrap()[0].last_used_at, Some(clock.now()));
    }
}
