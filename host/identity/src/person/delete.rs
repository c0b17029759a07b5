//! Deleting persons. First they can't log in any more and are not found; then what belongs to them goes, in steps; they
//! themselves go last, with the last step. What was cut off goes on with the next try, or at the next start.

use agamid_core::id::PersonId;
use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, StoreError};

use super::{AccountStatus, Person, Persons, TRIES};
use crate::IdentityError;
use crate::consent::Consent;
use crate::credential::Credential;
use crate::directory::link::DirectoryLink;
use crate::group::{Membership, member_key};
use crate::link::UpstreamLink;
use crate::organisation::OrgScope;
use crate::password::history::PasswordHistory;
use crate::session::Session;

/// Records removed in one commit.
const STEP: usize = 100;

impl Persons {
    /// Deletes a person with credentials, sessions, consents, links and memberships.
    pub async fn delete(
        &self,
        scope: &OrgScope,
        id: &PersonId,
        expected: Option<u64>,
        actor: &str,
    ) -> Result<(), IdentityError> {
        for _ in 0..TRIES {
            let found = self.store.get::<Person>(id.as_str()).await?;
            let found = found.filter(|found| scope.covers(&found.record.organisation));
            let mut found = found.ok_or(IdentityError::NoPerson)?;
            if found.record.status == AccountStatus::Deleting {
                return self.finish(id, actor).await;
            }
            if expected.is_some_and(|expected| expected != found.version) {
                return Err(IdentityError::VersionChanged);
            }
            found.record.status = AccountStatus::Deleting;
            let audit = AuditEvent::new("person.deletion_begun", actor, id.as_str());
            let batch = Batch::new().put(&found.record, Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return self.finish(id, actor).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Goes on with deletions that were cut off; answers how many were finished.
    pub async fn resume_deletions(&self) -> Result<usize, IdentityError> {
        let mut done = 0;
        loop {
            let scan = Scan { index: Some("deleting"), limit: STEP, ..Scan::default() };
            let page = self.store.scan::<Person>(scan).await?;
            if page.records.is_empty() {
                return Ok(done);
            }
            for found in page.records {
                self.finish(&found.record.id, "server").await?;
                done += 1;
            }
        }
    }

    async fn finish(&self, id: &PersonId, actor: &str) -> Result<(), IdentityError> {
        for _ in 0..TRIES {
            let Some(found) = self.store.get::<Person>(id.as_str()).await? else { return Ok(()) };
            let last = self.remove_belongings(id).await?;
            let audit = AuditEvent::new("person.deleted", actor, id.as_str());
            let batch = last.delete::<Person>(id.as_str(), Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Removes what belongs to a person, a step at a time; answers the last step, to be committed with the person.
    async fn remove_belongings(&self, id: &PersonId) -> Result<Batch, IdentityError> {
        let person = id.as_str();
        let below = Some(format!("{person}/")..=format!("{person}/{}", char::MAX));
        let exact = |key: &str| Some(key.to_owned()..=key.to_owned());
        loop {
            let mut batch = Batch::new();
            let mut left = STEP;
            batch = self.remove::<Credential>("person", below.clone(), batch, &mut left).await?;
            batch = self.remove::<Session>("person", exact(person), batch, &mut left).await?;
            batch = self.remove::<Consent>("person", exact(person), batch, &mut left).await?;
            batch = self.remove::<UpstreamLink>("person", exact(person), batch, &mut left).await?;
            batch = self.remove::<DirectoryLink>("person", exact(person), batch, &mut left).await?;
            let member = member_key(crate::group::MemberKind::Person, person);
            batch = self.remove::<Membership>("member", exact(&member), batch, &mut left).await?;
            if left > 0 {
                return Ok(batch.delete::<PasswordHistory>(person, Expect::Any));
            }
            self.store.commit(batch).await?;
        }
    }

    async fn remove<R: Record>(
        &self,
        index: &'static str,
        range: Option<std::ops::RangeInclusive<String>>,
        mut batch: Batch,
        left: &mut usize,
    ) -> Result<Batch, IdentityError> {
        if *left == 0 {
            return Ok(batch);
        }
        let scan = Scan { index: Some(index), range, after: None, limit: *left };
        for found in self.store.scan::<R>(scan).await?.records {
            batch = batch.delete::<R>(&found.record.key(), Expect::Any);
            *left = left.saturating_sub(1);
        }
        Ok(batch)
    }
}
