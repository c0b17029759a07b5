//! Accounts of other providers that people log in with here.

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId};
use agamid_core::secret::sha256_hex;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::organisation::OrgScope;
use crate::person::{Person, Persons};

/// The longest subject, in bytes (OpenID Connect Core section 2 has 255 characters; directories have longer names).
const LONGEST_SUBJECT: usize = 1024;
/// The most links of a person.
const MOST: usize = 100;
/// How often a lost race is run again.
const TRIES: usize = 20;

/// An account elsewhere that is a person here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamLink {
    /// The provider's name here.
    pub provider: String,
    /// What the provider calls the account.
    pub subject: String,
    /// Where the person belongs.
    pub organisation: OrgId,
    /// Who it is.
    pub person: PersonId,
    /// What to show of it, such as a mail address there.
    pub label: Option<String>,
    /// When it was linked.
    pub created_at: Timestamp,
}

fn account(provider: &str, subject: &str) -> String {
    format!("{provider}/{}", sha256_hex(subject.as_bytes()))
}

fn key(organisation: &OrgId, provider: &str, subject: &str) -> String {
    format!("{organisation}/{}", account(provider, subject))
}

impl Record for UpstreamLink {
    const KIND: &'static str = "upstream_link";
    const INDEXES: &'static [Index] = &[Index::shared("person"), Index::shared("account")];
    fn key(&self) -> String {
        key(&self.organisation, &self.provider, &self.subject)
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![
            IndexEntry::new("person", self.person.as_str()),
            IndexEntry::new("account", account(&self.provider, &self.subject)),
        ]
    }
}

/// Linked accounts.
#[derive(Clone)]
pub struct Links {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) persons: Persons,
}

fn check(provider: &str, subject: &str, label: Option<&str>) -> Result<(), IdentityError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    if provider.is_empty() || provider.len() > 64 || !provider.chars().all(is_name) {
        return Err(IdentityError::Link("a provider's name has 1 to 64 of A-Z a-z 0-9 . _ - :"));
    }
    let is_bad = |text: &str| text.len() > LONGEST_SUBJECT || text.chars().any(char::is_control);
    if subject.is_empty() || is_bad(subject) || label.is_some_and(is_bad) {
        return Err(IdentityError::Link(
            "subject and label have at most 1024 bytes, without control characters",
        ));
    }
    Ok(())
}

impl Links {
    /// Links an account to a person. One that is linked to them already stays; one of somebody else is refused.
    pub async fn link(
        &self,
        scope: &OrgScope,
        person: &PersonId,
        provider: &str,
        subject: &str,
        label: Option<String>,
        actor: &str,
    ) -> Result<UpstreamLink, IdentityError> {
        check(provider, subject, label.as_deref())?;
        for _ in 0..TRIES {
            let found = self.persons.versioned(scope, person).await?.ok_or(IdentityError::NoPerson)?;
            let link = UpstreamLink {
                provider: provider.to_owned(),
                subject: subject.to_owned(),
                organisation: found.record.organisation,
                person: person.clone(),
                label: label.clone(),
                created_at: self.env.now(),
            };
            if let Some(known) = self.store.get::<UpstreamLink>(&link.key()).await? {
                let is_theirs = known.record.person == *person;
                return if is_theirs { Ok(known.record) } else { Err(IdentityError::LinkTaken) };
            }
            if self.of_person(scope, person).await?.len() >= MOST {
                return Err(IdentityError::Link("a person has at most 100 linked accounts"));
            }
            let mut audit = AuditEvent::new("link.added", actor, person.as_str());
            audit.detail = serde_json::json!({ "provider": provider });
            let batch = Batch::new()
                .require::<Person>(person.as_str(), Expect::Version(found.version))
                .put(&link, Expect::Absent)
                .audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(link),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Takes an account from a person; `false` where they don't have it.
    pub async fn unlink(
        &self,
        scope: &OrgScope,
        person: &PersonId,
        provider: &str,
        subject: &str,
        actor: &str,
    ) -> Result<bool, IdentityError> {
        let Some(known) = self.persons.get(scope, person).await? else { return Ok(false) };
        let key = key(&known.organisation, provider, subject);
        if check(provider, subject, None).is_err() {
            return Ok(false);
        }
        let found = self.store.get::<UpstreamLink>(&key).await?;
        let Some(found) = found.filter(|found| found.record.person == *person) else { return Ok(false) };
        let mut audit = AuditEvent::new("link.removed", actor, person.as_str());
        audit.detail = serde_json::json!({ "provider": provider });
        let batch = Batch::new().delete::<UpstreamLink>(&key, Expect::Version(found.version)).audit(audit);
        match self.store.commit(batch).await {
            Ok(_) => Ok(true),
            // Somebody else took it away in this moment.
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The accounts of a person.
    pub async fn of_person(
        &self,
        scope: &OrgScope,
        person: &PersonId,
    ) -> Result<Vec<UpstreamLink>, IdentityError> {
        let found = self.store.find::<UpstreamLink>("person", person.as_str()).await?;
        let theirs = found.into_iter().map(|found| found.record);
        Ok(theirs.filter(|link| scope.covers(&link.organisation)).collect())
    }

    /// The person behind an account. Where several organisations have it and the scope is all of them, nobody.
    pub async fn find(
        &self,
        scope: &OrgScope,
        provider: &str,
        subject: &str,
    ) -> Result<Option<Person>, IdentityError> {
        if check(provider, subject, None).is_err() {
            return Ok(None);
        }
        let found = self.store.find::<UpstreamLink>("account", &account(provider, subject)).await?;
        let mut ours =
            found.into_iter().map(|found| found.record).filter(|link| scope.covers(&link.organisation));
        match (ours.next(), ours.next()) {
            (Some(link), None) => self.persons.get(scope, &link.person).await,
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
