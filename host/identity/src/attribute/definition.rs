//! Attributes that an operator adds at run time.
//!
//! A change that concerns what is stored (its type, `unique`, `searchable`, removal) goes through all persons. While it
//! does, the definition is marked and values of the attribute can't be written, so nothing slips by; a change that was
//! cut off is finished by the next one, or by deleting.

mod rules;
mod walk;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, Store, StoreError, Versioned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Attribute, Schema};
use crate::IdentityError;

pub use walk::Duplicate;

/// The most attributes that can be defined.
const MOST: usize = 500;
/// How often a lost race is run again.
const TRIES: usize = 20;
/// A change that showed no sign of life for this long was cut off.
const LEASE: Duration = Duration::from_secs(60);

/// How far a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In force.
    #[default]
    Settled,
    /// Stored values are being looked at: none can be written.
    Changing,
    /// Stored values are being removed: none is released.
    Deleting,
}

/// An attribute that an operator defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeDefinition {
    /// What it is.
    pub attribute: Attribute,
    /// How far it is.
    #[serde(default)]
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Record for AttributeDefinition {
    const KIND: &'static str = "attribute_definition";
    fn key(&self) -> String {
        self.attribute.name.clone()
    }
}

/// Changes with every definition: who writes a person makes sure that it is the one they read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SchemaRevision {}

/// The key of the only one.
pub(crate) const REVISION: &str = "person";

impl Record for SchemaRevision {
    const KIND: &'static str = "attribute_revision";
    const CACHED: bool = true;

    fn key(&self) -> String {
        REVISION.to_owned()
    }
}

/// The attributes of persons.
#[derive(Clone)]
pub struct Attributes {
    env: Env,
    store: Store,
    known: Arc<Mutex<Option<Arc<Schema>>>>,
}

/// What a version has to be for a revision to stand.
pub(crate) fn standing(revision: Option<u64>) -> Expect {
    revision.map_or(Expect::Absent, Expect::Version)
}

impl Attributes {
    pub(crate) fn new(env: Env, store: Store) -> Self {
        Self { env, store, known: Arc::default() }
    }

    /// All attributes, as they were not longer than a second ago.
    pub async fn schema(&self) -> Result<Arc<Schema>, IdentityError> {
        let revision = self.store.cached::<SchemaRevision>(REVISION).await?.map(|found| found.version);
        self.schema_at(revision).await
    }

    /// All attributes as they are now: for who writes.
    pub(crate) async fn schema_now(&self) -> Result<Arc<Schema>, IdentityError> {
        let revision = self.store.get::<SchemaRevision>(REVISION).await?.map(|found| found.version);
        self.schema_at(revision).await
    }

    /// Makes the revision that [`Self::schema`] looks at, where there is none: only what is there can be cached.
    pub async fn prepare(&self) -> Result<(), IdentityError> {
        if self.store.get::<SchemaRevision>(REVISION).await?.is_some() {
            return Ok(());
        }
        match self.store.commit(Batch::new().put(&SchemaRevision {}, Expect::Absent)).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn schema_at(&self, revision: Option<u64>) -> Result<Arc<Schema>, IdentityError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.revision == revision) {
            return Ok(known);
        }
        // A definition that is written meanwhile has a newer revision: then this one is read again next time.
        let definitions = if revision.is_some() { self.list().await? } else { Vec::new() };
        let schema = Arc::new(Schema::with(definitions, revision));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&schema));
        Ok(schema)
    }

    /// The attributes that operators defined, by name.
    pub async fn list(&self) -> Result<Vec<AttributeDefinition>, IdentityError> {
        let page = self.store.scan::<AttributeDefinition>(Scan { limit: MOST, ..Scan::default() }).await?;
        Ok(page.records.into_iter().map(|found| found.record).collect())
    }

    /// A defined attribute.
    pub async fn get(&self, name: &str) -> Result<Option<AttributeDefinition>, IdentityError> {
        if !rules::is_name(name) {
            return Ok(None);
        }
        Ok(self.store.get::<AttributeDefinition>(name).await?.map(|found| found.record))
    }

    /// Defines an attribute, as the admin API's JSON has it.
    pub async fn define(&self, json: Value, actor: &str) -> Result<AttributeDefinition, IdentityError> {
        let attribute = rules::read(json)?;
        for _ in 0..TRIES {
            let schema = self.schema_now().await?;
            rules::check(&attribute, &schema)?;
            if schema.get(&attribute.name).is_some() {
                return Err(rules::wrong("name", format!("the attribute {} exists", attribute.name)));
            }
            if self.list().await?.len() >= MOST {
                return Err(rules::wrong("name", format!("at most {MOST} attributes can be defined")));
            }
            let now = self.env.now();
            let definition = AttributeDefinition {
                attribute: attribute.clone(),
                state: State::Settled,
                created_at: now,
                updated_at: now,
            };
            let event = AuditEvent::new("attribute.created", actor, &attribute.name);
            if self.save(&definition, Expect::Absent, schema.revision, event).await?.is_some() {
                return Ok(definition);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Changes a defined attribute: members of `json` take the place of those there are. Its name stays; its type and
    /// what values are compared by only while nobody has one; `unique` is refused while persons have the same value.
    pub async fn change(
        &self,
        name: &str,
        json: &Value,
        actor: &str,
    ) -> Result<AttributeDefinition, IdentityError> {
        let (before, marked) = self.mark(name, State::Changing, actor).await?;
        if before.state == State::Changing {
            // What a change that was cut off has written is undone first.
            self.index(&before.attribute).await?;
        }
        let changed = self.changed(&before, json).await;
        let (attribute, refused) = match changed {
            Ok(attribute) => (attribute, None),
            Err(refused) => (before.attribute.clone(), Some(refused)),
        };
        let settled = AttributeDefinition { attribute, state: State::Settled, ..marked };
        let event = if refused.is_some() { "attribute.change_refused" } else { "attribute.changed" };
        let settled = self.settle(settled, event, actor).await?;
        refused.map_or(Ok(settled), Err)
    }

    /// What a definition is to be, after all persons were looked at and their entries written anew.
    async fn changed(&self, before: &AttributeDefinition, json: &Value) -> Result<Attribute, IdentityError> {
        let attribute = rules::merged(&before.attribute, json)?;
        rules::check(&attribute, &*self.schema_now().await?)?;
        if rules::is_another_shape(&before.attribute, &attribute) && self.has_values(&attribute.name).await? {
            let reason =
                "type, multi_valued, case_exact and sub_attributes can't change while persons have a value";
            return Err(rules::wrong("type", reason.to_owned()));
        }
        if let Err(refused) = self.index(&attribute).await {
            // What was written on the way is undone.
            self.index(&before.attribute).await?;
            return Err(refused);
        }
        Ok(attribute)
    }

    /// Deletes a defined attribute, with all its values. Deleting again goes on where it was cut off.
    pub async fn delete(&self, name: &str, actor: &str) -> Result<(), IdentityError> {
        self.mark(name, State::Deleting, actor).await?;
        self.strip(name).await?;
        for _ in 0..TRIES {
            let revision = self.schema_now().await?.revision;
            let Some(found) = self.found(name).await? else { return Ok(()) };
            let batch = Batch::new()
                .delete::<AttributeDefinition>(name, Expect::Version(found.version))
                .put(&SchemaRevision {}, standing(revision))
                .audit(AuditEvent::new("attribute.deleted", actor, name));
            match self.store.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    async fn found(&self, name: &str) -> Result<Option<Versioned<AttributeDefinition>>, IdentityError> {
        if !rules::is_name(name) {
            return Ok(None);
        }
        Ok(self.store.get::<AttributeDefinition>(name).await?)
    }

    /// Marks a definition; answers it as it was and as it is.
    async fn mark(
        &self,
        name: &str,
        state: State,
        actor: &str,
    ) -> Result<(AttributeDefinition, AttributeDefinition), IdentityError> {
        for _ in 0..TRIES {
            let revision = self.schema_now().await?.revision;
            let Some(found) = self.found(name).await? else {
                return Err(match Schema::core().get(name) {
                    Some(_) => rules::wrong("name", format!("{name} is a core attribute: it can't change")),
                    None => IdentityError::NoAttribute,
                });
            };
            if found.record.state == State::Deleting && state != State::Deleting {
                return Err(rules::wrong("name", format!("{name} is being deleted: delete it again")));
            }
            let is_alive = self.env.now().since(found.record.updated_at) < LEASE;
            if found.record.state == State::Changing && state == State::Changing && is_alive {
                return Err(rules::wrong("name", format!("{name} is being changed: try again in a minute")));
            }
            let marked = AttributeDefinition { state, updated_at: self.env.now(), ..found.record.clone() };
            let event = AuditEvent::new("attribute.change_begun", actor, name);
            if self.save(&marked, Expect::Version(found.version), revision, event).await?.is_some() {
                return Ok((found.record, marked));
            }
        }
        Err(IdentityError::Busy)
    }

    /// Shows that a change goes on. Refused where somebody deletes the attribute meanwhile.
    async fn renew(&self, name: &str) -> Result<(), IdentityError> {
        let found = self.found(name).await?.filter(|found| found.record.state == State::Changing);
        let found = found.ok_or(IdentityError::VersionChanged)?;
        let renewed = AttributeDefinition { updated_at: self.env.now(), ..found.record };
        match self.store.commit(Batch::new().put(&renewed, Expect::Version(found.version))).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => Err(IdentityError::VersionChanged),
            Err(error) => Err(error.into()),
        }
    }

    async fn settle(
        &self,
        definition: AttributeDefinition,
        event: &str,
        actor: &str,
    ) -> Result<AttributeDefinition, IdentityError> {
        let name = definition.attribute.name.clone();
        for _ in 0..TRIES {
            let revision = self.schema_now().await?.revision;
            let found = self.found(&name).await?.ok_or(IdentityError::NoAttribute)?;
            if found.record.state != State::Changing {
                return Err(IdentityError::VersionChanged);
            }
            let event = AuditEvent::new(event, actor, &name);
            let definition = AttributeDefinition { updated_at: self.env.now(), ..definition.clone() };
            if self.save(&definition, Expect::Version(found.version), revision, event).await?.is_some() {
                return Ok(definition);
            }
        }
        Err(IdentityError::Busy)
    }

    /// Writes a definition and a new revision; nothing where somebody was faster.
    async fn save(
        &self,
        definition: &AttributeDefinition,
        expect: Expect,
        revision: Option<u64>,
        event: AuditEvent,
    ) -> Result<Option<()>, IdentityError> {
        let batch =
            Batch::new().put(definition, expect).put(&SchemaRevision {}, standing(revision)).audit(event);
        match self.store.commit(batch).await {
            Ok(_) => Ok(Some(())),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
