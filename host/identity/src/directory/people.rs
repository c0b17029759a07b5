//! What an entry does to a person: they are made, changed, disabled when it is gone, enabled when it is back.

use agamid_core::Env;
use agamid_core::id::OrgId;
use agamid_store::{AuditEvent, Batch, Expect, Store, StoreError, Versioned};
use serde_json::json;

use super::link::{self, DirectoryLink};
use super::mapping::{Entry, Mapped};
use super::settings::{DirectorySettings, ImportMode};
use crate::IdentityError;
use crate::person::{NewPerson, Person, Persons, is_username};

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
                // Another login of the same person was faster: what it wrote is read again.
                Err(IdentityError::Store(StoreError::Conflict { kind, .. }))
                    if kind == <DirectoryLink as agamid_store::Record>::KIND => {}
                Err(IdentityError::Store(StoreError::Conflict { .. })) => {
                    // Somebody has the username. If it is this entry's person by now, the link says so.
                    if self.link(stable_id).await?.is_none()
                        || self.has_username_of_another(stable_id, &mapped).await?
                    {
                        return Ok(Outcome::Refused("its username is another person's".to_owned()));
                    }
                }
                // A value is too long to be kept.
                Err(IdentityError::Store(StoreError::Invalid(reason))) => {
                    return Ok(Outcome::Refused(reason));
                }
                done => return done,
            }
        }
        Err(IdentityError::Busy)
    }

    /// Disables the person of an entry that is gone; says whether they were enabled.
    pub(super) async fn vanished(&self, link: Versioned<DirectoryLink>) -> Result<bool, IdentityError> {
        let found = self.store.get::<Person>(link.record.person.as_str()).await?;
        let Some(found) = found.filter(|found| !found.record.disabled) else { return Ok(false) };
        let mut person = found.record;
        person.disabled = true;
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

    async fn has_username_of_another(&self, stable_id: &str, mapped: &Mapped) -> Result<bool, IdentityError> {
        let username = mapped.core.get("username").cloned().flatten().unwrap_or_default();
        let key = Person::login_key(self.organisation, &username);
        let holder = self.store.find::<Person>("username", &key).await?.into_iter().next();
        let own = self.link(stable_id).await?.map(|link| link.record.person);
        Ok(holder.is_some_and(|holder| Some(holder.record.id) != own))
    }

    async fn create(
        &self,
        entry: &Entry,
        stable_id: &str,
        mapped: &Mapped,
    ) -> Result<Outcome, IdentityError> {
        let username = mapped.core.get("username").cloned().flatten().unwrap_or_default();
        let new = NewPerson { username, ..NewPerson::default() };
        let mut person = self.persons.draft(self.organisation, new)?;
        self.apply(&mut person, mapped);
        let link = DirectoryLink {
            directory: self.settings.name.clone(),
            stable_id: stable_id.to_owned(),
            person: person.id.clone(),
            organisation: self.organisation.clone(),
            dn: entry.dn.clone(),
            vanished: false,
            created_at: self.env.now(),
        };
        let batch = Batch::new().put(&link, Expect::Absent).put(&person, Expect::Absent).audit(self.audit(
            "person.imported",
            &person,
            &link,
            json!(null),
        ));
        self.store.commit(batch).await?;
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
        let mut person = found.record.clone();
        self.apply(&mut person, mapped);
        let mut current = link.record.clone();
        current.dn.clone_from(&entry.dn);
        if current.vanished {
            current.vanished = false;
            person.disabled = false;
        }
        if person == found.record && current == link.record {
            return Ok(Outcome::Unchanged(person));
        }
        let mut batch = Batch::new();
        if current != link.record {
            batch = batch.put(&current, Expect::Version(link.version));
        }
        if person != found.record {
            person.updated_at = self.env.now();
            let event =
                if found.record.disabled && !person.disabled { "person.enabled" } else { "person.updated" };
            let audit = self.audit(event, &person, &current, json!(changed(&found.record, &person)));
            batch = batch.put(&person, Expect::Version(found.version)).audit(audit);
        }
        self.store.commit(batch).await?;
        Ok(Outcome::Updated(person))
    }

    /// What the rules found replaces what was there; what no rule names stays.
    fn apply(&self, person: &mut Person, mapped: &Mapped) {
        for (name, value) in &mapped.core {
            let slot = match *name {
                "username" => {
                    if let Some(username) = value {
                        person.username.clone_from(username);
                    }
                    continue;
                }
                "email" => {
                    if person.email != *value {
                        person.email_verified = false;
                    }
                    person.email_verified |= self.settings.trust_email && value.is_some();
                    &mut person.email
                }
                "phone" => &mut person.phone,
                "given_name" => &mut person.given_name,
                "family_name" => &mut person.family_name,
                "name" => &mut person.name,
                "locale" => &mut person.locale,
                "picture" => &mut person.picture,
                _ => continue,
            };
            slot.clone_from(value);
        }
        for (name, value) in &mapped.custom {
            match value {
                Some(value) => person.attributes.insert(name.clone(), value.clone()),
                None => person.attributes.shift_remove(name),
            };
        }
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
