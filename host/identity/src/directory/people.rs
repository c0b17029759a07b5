//! What an entry does to a person: they are made, changed, disabled when it is gone, enabled when it is back.

use agamid_core::Env;
use agamid_core::id::OrgId;
use agamid_store::{AuditEvent, Batch, Expect, Store, StoreError, Versioned};
use serde_json::{Value, json};

use super::link::{self, DirectoryLink};
use super::mapping::{Entry, Mapped};
use super::settings::{DirectorySettings, ImportMode};
use crate::IdentityError;
use crate::person::{AccountStatus, Changes, Person, Persons, Source, is_username};

/// How often a lost race is run again.
const TRIES: usize = 20;

/// What became of an entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// A person was made.
    Created(Person),
    /// The person changed.
    Updated(Person),
    /// The person is as they were.
    Unchanged(Person),
    /// The username is another person's, or the entry has none that fits.
    Refused(String),
}

/// The people of one directory.
pub(super) struct People<'a> {
    pub(super) env: &'a Env,
    pub(super) store: &'a Store,
    pub(super) persons: &'a Persons,
    pub(super) settings: &'a DirectorySettings,
    pub(super) organisation: &'a OrgId,
}

impl People<'_> {
    /// The person of an entry whose password was right.
    pub(super) async fn logged_in(
        &self,
        entry: &Entry,
        stable_id: &str,
    ) -> Result<Option<Person>, IdentityError> {
        if self.settings.import == ImportMode::Schedule && self.link(stable_id).await?.is_none() {
            return Ok(None);
        }
        match self.take_over(entry, stable_id).await? {
            Outcome::Created(person) | Outcome::Updated(person) | Outcome::Unchanged(person) => {
                Ok(Some(person))
            }
            Outcome::Refused(reason) => {
                let directory = &self.settings.name;
                tracing::warn!(event = "directory.entry_refused", directory, dn = entry.dn, reason);
                Ok(None)
            }
        }
    }

    /// Makes or changes the person of an entry.
    pub(super) async fn take_over(&self, entry: &Entry, stable_id: &str) -> Result<Outcome, IdentityError> {
        let mapped = entry.mapped(&self.settings.map);
        if !mapped.core.get("username").is_some_and(|name| name.as_deref().is_some_and(is_username)) {
            return Ok(Outcome::Refused("it has no username that fits".to_owned()));
        }
        for _ in 0..TRIES {
            let done = match self.link(stable_id).await? {
                Some(link) => self.update(link, entry, &mapped).await,
                None => self.create(entry, stable_id, &mapped).await,
            };
            match done {
                // Somebody was faster, perhaps another login of the same person: what they wrote is read again.
                Err(IdentityError::Store(StoreError::Conflict { .. })) => {}
                Err(IdentityError::UsernameTaken(_)) => {
                    return Ok(Outcome::Refused("its username is another person's".to_owned()));
                }
                // A value is another person's, or too long to be kept.
                Err(
                    refused @ (IdentityError::Taken { .. }
                    | IdentityError::Attribute(_)
                    | IdentityError::Username
                    | IdentityError::NoPerson
                    | IdentityError::Store(StoreError::Invalid(_))),
                ) => return Ok(Outcome::Refused(refused.to_string())),
                done => return done,
            }
        }
        Err(IdentityError::Busy)
    }

    /// Disables the person of an entry that is gone; says whether they were enabled.
    pub(super) async fn vanished(&self, link: Versioned<DirectoryLink>) -> Result<bool, IdentityError> {
        let found = self.store.get::<Person>(link.record.person.as_str()).await?;
        let now = self.env.now();
        let Some(found) = found.filter(|found| found.record.may_log_in(now)) else { return Ok(false) };
        let mut person = found.record;
        let reason = Some(format!("the entry in the directory {} is gone", self.settings.name));
        person.status = AccountStatus::Disabled { reason, until: None };
        person.updated_at = self.env.now();
        let gone = DirectoryLink { vanished: true, ..link.record };
        let batch = Batch::new()
            .put(&person, Expect::Version(found.version))
            .put(&gone, Expect::Version(link.version))
            .audit(self.audit("person.disabled", &person, &gone, json!("its entry is gone")));
        match self.store.commit(batch).await {
            Ok(_) => Ok(true),
            // Somebody changed the person meanwhile: the next import looks again.
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn link(&self, stable_id: &str) -> Result<Option<Versioned<DirectoryLink>>, IdentityError> {
        Ok(self.store.get::<DirectoryLink>(&link::key(&self.settings.name, stable_id)).await?)
    }

    async fn create(
        &self,
        entry: &Entry,
        stable_id: &str,
        mapped: &Mapped,
    ) -> Result<Outcome, IdentityError> {
        let (person, batch) = self.apply(self.persons.bare(self.organisation, Source::Local), mapped).await?;
        let link = DirectoryLink {
            directory: self.settings.name.clone(),
            stable_id: stable_id.to_owned(),
            person: person.id.clone(),
            organisation: self.organisation.clone(),
            dn: entry.dn.clone(),
            vanished: false,
            created_at: self.env.now(),
        };
        let audit = self.audit("person.imported", &person, &link, json!(null));
        let batch = batch.put(&link, Expect::Absent).put(&person, Expect::Absent).audit(audit);
        self.commit(batch, &person, stable_id).await?;
        Ok(Outcome::Created(person))
    }

    async fn update(
        &self,
        link: Versioned<DirectoryLink>,
        entry: &Entry,
        mapped: &Mapped,
    ) -> Result<Outcome, IdentityError> {
        let found = self.store.get::<Person>(link.record.person.as_str()).await?;
        let Some(found) = found else {
            // The person was deleted, the link was not: it is nobody's.
            let key = link::key(&link.record.directory, &link.record.stable_id);
            let stable_id = link.record.stable_id.clone();
            self.store
                .commit(Batch::new().delete::<DirectoryLink>(&key, Expect::Version(link.version)))
                .await?;
            return self.create(entry, &stable_id, mapped).await;
        };
        let (mut person, mut batch) = self.apply(found.record.clone(), mapped).await?;
        let mut current = link.record.clone();
        current.dn.clone_from(&entry.dn);
        if current.vanished {
            current.vanished = false;
            person.status = AccountStatus::Active;
        }
        if person == found.record && current == link.record {
            return Ok(Outcome::Unchanged(person));
        }
        if current != link.record {
            batch = batch.put(&current, Expect::Version(link.version));
        }
        if person != found.record {
            person.updated_at = self.env.now();
            let is_back = link.record.vanished && !current.vanished;
            let event = if is_back { "person.enabled" } else { "person.updated" };
            let audit = self.audit(event, &person, &current, json!(changed(&found.record, &person)));
            batch = batch.put(&person, Expect::Version(found.version)).audit(audit);
        }
        self.commit(batch, &person, &link.record.stable_id).await?;
        Ok(Outcome::Updated(person))
    }

    /// Writes a person. Where that meets something, whose it is decides: a username or another value of somebody else is
    /// told; anything else was a race.
    async fn commit(&self, batch: Batch, person: &Person, stable_id: &str) -> Result<(), IdentityError> {
        match self.store.commit(batch).await {
            Ok(_) => Ok(()),
            Err(conflict @ StoreError::Conflict { .. }) => {
                let link = self.link(stable_id).await?;
                // Made by another login meanwhile: then the name is this entry's own.
                if link.is_none_or(|link| link.record.person == person.id) {
                    self.persons.check_taken(person).await?;
                }
                Err(conflict.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the rules found replaces what was there; what no rule names stays, and so does what has another form than the
    /// table of attributes wants.
    async fn apply(&self, person: Person, mapped: &Mapped) -> Result<(Person, Batch), IdentityError> {
        let mut changes = Changes {
            source: Some(Source::Directory { name: self.settings.name.clone() }),
            ..Changes::default()
        };
        for (name, value) in &mapped.core {
            let primary = |value: &String| json!([{ "value": value, "primary": true }]);
            let (name, value) = match *name {
                "username" => {
                    changes.username.clone_from(value);
                    continue;
                }
                "email" if self.settings.trust_email => {
                    let trusted = |value| json!([{ "value": value, "primary": true, "verified": true }]);
                    ("emails", value.as_ref().map(trusted))
                }
                "email" => ("emails", value.as_ref().map(primary)),
                "phone" => ("phones", value.as_ref().map(primary)),
                name => (name, value.clone().map(Value::from)),
            };
            changes.attributes.insert(name.to_owned(), value.unwrap_or(Value::Null));
        }
        for (name, value) in &mapped.custom {
            changes.attributes.insert(name.clone(), value.clone().unwrap_or(Value::Null));
        }
        let (person, batch, misfits) = self.persons.fitted(person, changes).await?;
        for misfit in misfits {
            let (directory, reason) = (&self.settings.name, misfit.to_string());
            tracing::debug!(event = "directory.value_refused", directory, person = %person.id, reason);
        }
        Ok((person, batch))
    }

    fn audit(
        &self,
        event: &str,
        person: &Person,
        link: &DirectoryLink,
        why: serde_json::Value,
    ) -> AuditEvent {
        let actor = format!("directory:{}", self.settings.name);
        let mut audit = AuditEvent::new(event, actor, person.id.as_str());
        audit.detail = json!({ "directory": self.settings.name, "stable_id": link.stable_id, "change": why });
        audit
    }
}

/// The names of what differs; values are not for the audit.
fn changed(before: &Person, after: &Person) -> Vec<String> {
    let fields = |person: &Person| match serde_json::to_value(person) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .map(|(name, _)| name.clone())
        .collect()
}
