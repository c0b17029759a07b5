//! Persons.

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId};
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::organisation::OrgScope;

/// A person. The id is their `sub`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// Where they belong.
    pub organisation: OrgId,
    /// What they type to log in; unique in the organisation, letter case aside.
    pub username: String,
    /// Mail address.
    pub email: Option<String>,
    /// Whether the address was proved to be theirs.
    #[serde(default)]
    pub email_verified: bool,
    /// Phone number, E.164.
    pub phone: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// BCP 47 tag.
    pub locale: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// Whether they may not log in.
    #[serde(default)]
    pub disabled: bool,
    /// Whether they may be given administrative scopes.
    #[serde(default)]
    pub administrator: bool,
    /// What else is known.
    #[serde(default)]
    pub attributes: serde_json::Map<String, serde_json::Value>,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they changed last.
    pub updated_at: Timestamp,
}

/// What a new person is made of.
#[derive(Debug, Clone, Default)]
pub struct NewPerson {
    /// See [`Person::username`].
    pub username: String,
    /// See [`Person::email`].
    pub email: Option<String>,
    /// See [`Person::email_verified`].
    pub email_verified: bool,
    /// See [`Person::given_name`].
    pub given_name: Option<String>,
    /// See [`Person::family_name`].
    pub family_name: Option<String>,
    /// See [`Person::administrator`].
    pub administrator: bool,
}

impl Person {
    /// The name to show: full name, or what can be put together.
    pub fn display_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let parts: Vec<&str> = self.given_name.iter().chain(&self.family_name).map(String::as_str).collect();
        if parts.is_empty() { self.username.clone() } else { parts.join(" ") }
    }

    pub(crate) fn login_key(organisation: &OrgId, login: &str) -> String {
        format!("{organisation}/{}", fold(login))
    }
}

/// A login without what people vary by accident: blanks around it, letter case.
fn fold(login: &str) -> String {
    login.trim().to_lowercase()
}

/// Whether a text can be a username.
pub(crate) fn is_username(text: &str) -> bool {
    !fold(text).is_empty() && text.len() <= MAX_LOGIN && !text.contains('\0')
}

impl Record for Person {
    const KIND: &'static str = "person";
    const INDEXES: &'static [Index] = &[Index::unique("username"), Index::shared("email")];
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        let mut entries =
            vec![IndexEntry::new("username", Self::login_key(&self.organisation, &self.username))];
        if let Some(email) = &self.email {
            entries.push(IndexEntry::new("email", Self::login_key(&self.organisation, email)));
        }
        entries
    }
}

/// Persons.
#[derive(Clone)]
pub struct Persons {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

/// The longest login that is looked up, in bytes.
const MAX_LOGIN: usize = 256;

impl Persons {
    /// Makes a person.
    pub async fn create(
        &self,
        organisation: &OrgId,
        new: NewPerson,
        actor: &str,
    ) -> Result<Person, IdentityError> {
        let person = self.draft(organisation, new)?;
        let audit = AuditEvent::new("person.created", actor, person.id.as_str());
        match self.store.commit(Batch::new().put(&person, Expect::Absent).audit(audit)).await {
            Ok(_) => Ok(person),
            Err(StoreError::Conflict { .. }) => Err(IdentityError::UsernameTaken(person.username)),
            Err(error) => Err(error.into()),
        }
    }

    /// A new person that is not written yet.
    pub(crate) fn draft(&self, organisation: &OrgId, new: NewPerson) -> Result<Person, IdentityError> {
        if !is_username(&new.username) {
            return Err(IdentityError::Username);
        }
        let now = self.env.now();
        Ok(Person {
            id: PersonId::generate(&self.env),
            organisation: organisation.clone(),
            username: new.username.trim().to_owned(),
            email: new.email,
            email_verified: new.email_verified,
            phone: None,
            given_name: new.given_name,
            family_name: new.family_name,
            name: None,
            locale: None,
            picture: None,
            disabled: false,
            administrator: new.administrator,
            attributes: serde_json::Map::new(),
            created_at: now,
            updated_at: now,
        })
    }

    /// A person by id.
    pub async fn get(&self, scope: &OrgScope, id: &PersonId) -> Result<Option<Person>, IdentityError> {
        let found = self.store.get::<Person>(id.as_str()).await?.map(|found| found.record);
        Ok(found.filter(|person| scope.covers(&person.organisation)))
    }

    /// A person by username, else by mail address; nobody when several have the address.
    pub async fn by_login(&self, organisation: &OrgId, login: &str) -> Result<Option<Person>, IdentityError> {
        if login.len() > MAX_LOGIN || login.contains('\0') {
            return Ok(None);
        }
        let key = Person::login_key(organisation, login);
        let named = self.store.find::<Person>("username", &key).await?;
        // Looked up in any case: whether the name is somebody's must not show in the time.
        let mut found = self.store.find::<Person>("email", &key).await?;
        if let Some(named) = named.into_iter().next() {
            return Ok(Some(named.record));
        }
        Ok(if found.len() == 1 { found.pop().map(|found| found.record) } else { None })
    }

    /// Lets a person in, or keeps them out.
    pub async fn set_disabled(
        &self,
        id: &PersonId,
        disabled: bool,
        actor: &str,
    ) -> Result<(), IdentityError> {
        let found = self.store.get::<Person>(id.as_str()).await?.ok_or(IdentityError::NoPerson)?;
        let mut person = found.record;
        person.disabled = disabled;
        person.updated_at = self.env.now();
        let event = if disabled { "person.disabled" } else { "person.enabled" };
        let audit = AuditEvent::new(event, actor, id.as_str());
        self.store.commit(Batch::new().put(&person, Expect::Version(found.version)).audit(audit)).await?;
        Ok(())
    }
}
