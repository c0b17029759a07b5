//! Making and changing persons.

use agamid_core::id::{OrgId, PersonId};
use agamid_store::{AuditEvent, Batch, Expect, StoreError, Versioned};
use serde_json::{Map, Value, json};

use super::{AccountStatus, NewPerson, Person, Persons, Source, TRIES, fold, is_username};
use crate::IdentityError;
use crate::attribute::definition::{REVISION, SchemaRevision, State, standing};
use crate::attribute::{AttributeError, AttributeType, Reason, Schema, Writer, check, entries};
use crate::organisation::{OrgScope, Organisation};

/// The most that all attributes of a person may take, in bytes.
const LARGEST: usize = 64 * 1024;
/// The longest reason of a disabled account, in characters.
const LONGEST_REASON: usize = 500;

/// What is to change of a person; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// See [`Person::username`].
    pub username: Option<String>,
    /// See [`Person::status`].
    pub status: Option<AccountStatus>,
    /// See [`Person::administrator`].
    pub administrator: Option<bool>,
    /// See [`Person::source`].
    pub source: Option<Source>,
    /// Attributes by name; null removes one.
    pub attributes: Map<String, Value>,
}

impl Persons {
    /// Makes a person. What only administrators may write can be written.
    pub async fn create(
        &self,
        organisation: &OrgId,
        new: NewPerson,
        actor: &str,
    ) -> Result<Person, IdentityError> {
        // One that is empty would pass for unchanged.
        checked_username(&new.username)?;
        let bare = Person { administrator: new.administrator, ..self.bare(organisation, new.source) };
        let mut attributes = new.attributes;
        for (name, value) in [("given_name", new.given_name), ("family_name", new.family_name)] {
            attributes.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        if let Some(mail) = new.email {
            let mail = json!([{ "value": mail, "verified": new.email_verified }]);
            attributes.insert("emails".to_owned(), mail);
        }
        let changes = Changes {
            username: Some(new.username),
            status: Some(new.status),
            attributes,
            ..Changes::default()
        };
        for _ in 0..TRIES {
            let home = self.organisations.open(organisation).await?;
            let audit = AuditEvent::new("person.created", actor, bare.id.as_str());
            let batch =
                Batch::new().require::<Organisation>(organisation.as_str(), Expect::Version(home.version));
            let (person, batch) =
                self.changed(bare.clone(), &home.record, &changes, Writer::Administrator, batch).await?;
            match self.store.commit(batch.put(&person, Expect::Absent).audit(audit)).await {
                Ok(_) => return Ok(person),
                Err(StoreError::Conflict { .. }) => self.check_taken(&person).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// A person who is not written yet, and has not even a name.
    pub(crate) fn bare(&self, organisation: &OrgId, source: Source) -> Person {
        let now = self.env.now();
        Person {
            id: PersonId::generate(&self.env),
            organisation: organisation.clone(),
            username: String::new(),
            status: AccountStatus::Active,
            source,
            administrator: false,
            attributes: Map::new(),
            entries: entries::Entries::default(),
            created_at: now,
            updated_at: now,
        }
    }

    /// A person with those changes that fit the table, the batch to write them with, and what did not fit: for sources of
    /// people that nobody can be asked about.
    pub(crate) async fn fitted(
        &self,
        person: Person,
        mut changes: Changes,
    ) -> Result<(Person, Batch, Vec<AttributeError>), IdentityError> {
        let schema = self.attributes.schema_now().await?;
        let (writer, now) = (Writer::Administrator, self.env.now());
        let mut misfits = Vec::new();
        for (name, value) in std::mem::take(&mut changes.attributes) {
            let fits = check_writable(&schema, &name, writer).and_then(|()| match schema.get(&name) {
                Some(attribute) if !value.is_null() => {
                    check::checked(attribute, &value, person.attributes.get(&name), writer, now).map(drop)
                }
                _ => Ok(()),
            });
            match fits {
                Ok(()) => drop(changes.attributes.insert(name, value)),
                Err(misfit) => misfits.push(misfit),
            }
        }
        let home = self.organisations.open(&person.organisation).await?;
        let batch =
            Batch::new().require::<Organisation>(person.organisation.as_str(), Expect::Version(home.version));
        let (person, batch) = self.changed(person, &home.record, &changes, writer, batch).await?;
        Ok((person, batch, misfits))
    }

    /// Changes a person. Where `expected` is given, only if they have that version still.
    pub async fn update(
        &self,
        scope: &OrgScope,
        id: &PersonId,
        changes: &Changes,
        expected: Option<u64>,
        by: (Writer, &str),
    ) -> Result<Versioned<Person>, IdentityError> {
        let (writer, actor) = by;
        for _ in 0..TRIES {
            let found = self.versioned(scope, id).await?.ok_or(IdentityError::NoPerson)?;
            if expected.is_some_and(|expected| expected != found.version) {
                return Err(IdentityError::VersionChanged);
            }
            let home = self.organisations.versioned(&found.record.organisation).await?;
            let home = home.ok_or(IdentityError::NoOrganisation)?.record;
            let (mut person, batch) =
                self.changed(found.record.clone(), &home, changes, writer, Batch::new()).await?;
            if person == found.record {
                return Ok(found);
            }
            person.updated_at = self.env.now();
            let audit = audit_of(&found.record, &person, actor);
            let batch = batch.put(&person, Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(Versioned { record: person, version: found.version + 1 }),
                Err(StoreError::Conflict { .. }) => self.check_taken(&person).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Lets a person in, or keeps them out.
    pub async fn set_status(
        &self,
        scope: &OrgScope,
        id: &PersonId,
        status: AccountStatus,
        actor: &str,
    ) -> Result<(), IdentityError> {
        let changes = Changes { status: Some(status), ..Changes::default() };
        self.update(scope, id, &changes, None, (Writer::Administrator, actor)).await.map(drop)
    }

    /// Marks a mail address (`emails`) or a phone number (`phones`) that a person has as proved, or not.
    pub async fn set_verified(
        &self,
        scope: &OrgScope,
        id: &PersonId,
        attribute: &'static str,
        value: &str,
        verified: bool,
        actor: &str,
    ) -> Result<(), IdentityError> {
        for _ in 0..TRIES {
            let found = self.versioned(scope, id).await?.ok_or(IdentityError::NoPerson)?;
            let mut list = found.record.attributes.get(attribute).and_then(Value::as_array).cloned();
            let same = |one: &&mut Value| {
                let known = one.get("value").and_then(Value::as_str).unwrap_or_default();
                check::folded(known, false) == check::folded(value, false)
            };
            let one = list.iter_mut().flatten().find(same).and_then(Value::as_object_mut);
            let Some(one) = one else {
                let reason = Reason::Format("an address or number that the person has");
                return Err(AttributeError { attribute: attribute.to_owned(), reason }.into());
            };
            one.insert("verified".to_owned(), verified.into());
            one.remove("verified_at");
            let attributes = Map::from_iter([(attribute.to_owned(), list.into())]);
            let changes = Changes { attributes, ..Changes::default() };
            let by = (Writer::Administrator, actor);
            match self.update(scope, id, &changes, Some(found.version), by).await {
                Ok(_) => return Ok(()),
                Err(IdentityError::VersionChanged) => {}
                Err(error) => return Err(error),
            }
        }
        Err(IdentityError::Busy)
    }

    /// A person with changes, checked, and a batch that holds what must be true for them.
    async fn changed(
        &self,
        mut person: Person,
        home: &Organisation,
        changes: &Changes,
        writer: Writer,
        mut batch: Batch,
    ) -> Result<(Person, Batch), IdentityError> {
        let schema = self.attributes.schema_now().await?;
        let before_mail = person.email().map(str::to_owned);
        batch = batch.require::<SchemaRevision>(REVISION, standing(schema.revision));
        let mut attributes = changes.attributes.clone();
        let named = attributes.remove("username").map(|value| match value {
            Value::String(name) => Ok(name),
            _ => Err(IdentityError::Username),
        });
        let username = named.transpose()?.or_else(|| changes.username.clone());
        if let Some(username) = username.filter(|username| *username != person.username) {
            check_writable(&schema, "username", writer)?;
            person.username = checked_username(&username)?;
        }
        if person.status == AccountStatus::Deleting {
            return Err(IdentityError::NoPerson);
        }
        if let Some(status) = &changes.status {
            check_status(status)?;
            person.status.clone_from(status);
        }
        person.administrator = changes.administrator.unwrap_or(person.administrator);
        person.source = changes.source.clone().unwrap_or(person.source);
        for (name, value) in &attributes {
            let Some(attribute) = schema.get(name) else { return Err(refused(name, Reason::Unknown)) };
            check_writable(&schema, name, writer)?;
            let is_empty =
                value.is_null() || value.as_array().is_some_and(Vec::is_empty) && attribute.multi_valued;
            if is_empty {
                person.attributes.remove(name);
                continue;
            }
            let old = person.attributes.get(name);
            let value = check::checked(attribute, value, old, writer, self.env.now())?;
            if attribute.kind == AttributeType::Person {
                batch = self.require_persons(&person, name, &value, batch).await?;
            }
            person.attributes.insert(name.clone(), value);
        }
        check_size(&person.attributes)?;
        let mail = self.unique_mail_of(home, &person, before_mail.as_deref()).await?;
        let mail = person.email().filter(|_| mail);
        person.entries =
            entries::of(&schema, &person.organisation, &person.attributes, &person.entries, mail);
        Ok((person, batch))
    }

    /// Whether nobody else may have this person's primary mail address. Those who shared one before that was so keep it.
    async fn unique_mail_of(
        &self,
        home: &Organisation,
        person: &Person,
        before: Option<&str>,
    ) -> Result<bool, IdentityError> {
        let Some(mail) = person.email() else { return Ok(false) };
        if !home.policy.unique_primary_mail.unwrap_or(self.unique_mail) {
            return Ok(false);
        }
        let key = Person::login_key(&person.organisation, mail);
        let found = self.store.find::<Person>("email", &key).await?;
        let is_shared = found.iter().any(|found| found.record.id != person.id);
        if is_shared && before.is_none_or(|before| fold(before) != fold(mail)) {
            return Err(IdentityError::Taken { attribute: "emails".to_owned() });
        }
        Ok(!is_shared)
    }

    /// Persons that an attribute names have to be there, in the same organisation.
    async fn require_persons(
        &self,
        person: &Person,
        name: &str,
        value: &Value,
        mut batch: Batch,
    ) -> Result<Batch, IdentityError> {
        let scope = OrgScope::One(person.organisation.clone());
        for id in check::values(value).iter().filter_map(Value::as_str) {
            let Some(id) = PersonId::parse(id) else { continue };
            let Some(found) = self.versioned(&scope, &id).await?.filter(|_| id != person.id) else {
                return Err(refused(name, Reason::NoPerson));
            };
            batch = batch.require::<Person>(id.as_str(), Expect::Version(found.version));
        }
        Ok(batch)
    }

    /// After a conflict: whether somebody else has what only one may have. If nobody has, it was a race: try again.
    pub(crate) async fn check_taken(&self, person: &Person) -> Result<(), IdentityError> {
        let key = Person::login_key(&person.organisation, &person.username);
        let others = |found: &Versioned<Person>| found.record.id != person.id;
        if self.store.find::<Person>("username", &key).await?.iter().any(others) {
            return Err(IdentityError::UsernameTaken(person.username.clone()));
        }
        for entry in &person.entries.unique {
            if self.store.find::<Person>("unique", entry).await?.iter().any(others) {
                let attribute = entries::attribute_of(entry).to_owned();
                return Err(IdentityError::Taken { attribute });
            }
        }
        Ok(())
    }
}

fn refused(name: &str, reason: Reason) -> IdentityError {
    AttributeError { attribute: name.to_owned(), reason }.into()
}

fn check_writable(schema: &Schema, name: &str, writer: Writer) -> Result<(), AttributeError> {
    let refuse = |reason| Err(AttributeError { attribute: name.to_owned(), reason });
    let Some(attribute) = schema.get(name) else { return refuse(Reason::Unknown) };
    if attribute.derived || !attribute.write.lets(writer) {
        return refuse(Reason::ReadOnly);
    }
    match schema.state(name) {
        Some(State::Settled) => Ok(()),
        _ => refuse(Reason::Changing),
    }
}

fn checked_username(username: &str) -> Result<String, IdentityError> {
    if !is_username(username) {
        return Err(IdentityError::Username);
    }
    Ok(username.trim().to_owned())
}

fn check_status(status: &AccountStatus) -> Result<(), IdentityError> {
    match status {
        AccountStatus::Deleting => Err(refused("status", Reason::ReadOnly)),
        AccountStatus::Disabled { reason: Some(reason), .. } => {
            let found = reason.chars().count();
            if found > LONGEST_REASON {
                return Err(refused("status.reason", Reason::TooLong { found, most: LONGEST_REASON }));
            }
            if reason.chars().any(char::is_control) {
                return Err(refused("status.reason", Reason::Control));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_size(attributes: &Map<String, Value>) -> Result<(), IdentityError> {
    let found = serde_json::to_vec(attributes).map_or(usize::MAX, |bytes| bytes.len());
    if found > LARGEST {
        return Err(refused("attributes", Reason::TooLarge { found, most: LARGEST }));
    }
    Ok(())
}

/// What changed, by name: values may be nobody's business.
fn audit_of(before: &Person, after: &Person, actor: &str) -> AuditEvent {
    let event = match (&before.status, &after.status) {
        (before, after) if before == after => "person.changed",
        (_, AccountStatus::Disabled { .. }) => "person.disabled",
        (AccountStatus::Disabled { .. }, _) => "person.enabled",
        _ => "person.changed",
    };
    let mut changed: Vec<&str> = Vec::new();
    let names = before.attributes.keys().chain(after.attributes.keys());
    changed.extend(
        names.filter(|name| before.attributes.get(*name) != after.attributes.get(*name)).map(String::as_str),
    );
    changed.extend((before.username != after.username).then_some("username"));
    changed.extend((before.administrator != after.administrator).then_some("administrator"));
    changed.extend((before.source != after.source).then_some("source"));
    changed.sort_unstable();
    changed.dedup();
    let mut audit = AuditEvent::new(event, actor, after.id.as_str());
    audit.detail = json!({ "changed": changed });
    audit
}
