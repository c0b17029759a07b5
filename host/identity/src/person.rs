//! Persons.
//!
//! What is known of a person is in their attributes, by the names of the table ([`crate::attribute`]). One service
//! ([`Persons`]) alone writes them, and checks every value against the table.

mod delete;
mod find;
mod service;
mod upgrade;

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId};
use agamid_core::time::Timestamp;
use agamid_store::{Index, IndexEntry, Record, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::attribute::claims::primary;
use crate::attribute::definition::Attributes;
use crate::attribute::entries::Entries;
use crate::organisation::Organisations;

pub use find::{PersonPage, PersonQuery};
pub use service::Changes;

/// Whether somebody may log in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountStatus {
    /// They may.
    #[default]
    Active,
    /// Not yet: something has to be done first, such as the confirmation of an address.
    Pending,
    /// Not any more, or not for a while.
    Disabled {
        /// Why, for administrators.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// From when on they may again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Never again: what belongs to them is being removed.
    Deleting,
}

impl AccountStatus {
    /// Disabled, until somebody says otherwise.
    pub fn disabled() -> Self {
        AccountStatus::Disabled { reason: None, until: None }
    }
}

/// Where a person comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// They were made here.
    #[default]
    Local,
    /// From a directory of that name, which is the master of their attributes and checks their password.
    Directory {
        /// Its name.
        name: String,
    },
}

/// A person. The id is their `sub`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// Where they belong.
    pub organisation: OrgId,
    /// What they type to log in; unique in the organisation, letter case aside.
    pub username: String,
    /// Whether they may log in.
    pub status: AccountStatus,
    /// Where they come from.
    pub source: Source,
    /// Whether they may be given administrative scopes.
    pub administrator: bool,
    /// What else is known, by the names of the table.
    pub attributes: Map<String, Value>,
    /// What they are found by.
    pub(crate) entries: Entries,
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
    /// Their mail address; short for an attribute `emails` with one value.
    pub email: Option<String>,
    /// Whether that address was proved to be theirs.
    pub email_verified: bool,
    /// Short for the attribute.
    pub given_name: Option<String>,
    /// Short for the attribute.
    pub family_name: Option<String>,
    /// See [`Person::status`].
    pub status: AccountStatus,
    /// See [`Person::source`].
    pub source: Source,
    /// See [`Person::administrator`].
    pub administrator: bool,
    /// All others.
    pub attributes: Map<String, Value>,
}

impl Person {
    /// Whether they may log in, and what they hold is worth anything.
    pub fn may_log_in(&self, now: Timestamp) -> bool {
        match self.status {
            AccountStatus::Active => true,
            AccountStatus::Disabled { until, .. } => until.is_some_and(|until| until <= now),
            AccountStatus::Pending | AccountStatus::Deleting => false,
        }
    }

    /// The name to show: full name, or what can be put together.
    pub fn display_name(&self) -> String {
        if let Some(name) = self.text("name").or_else(|| self.text("display_name")) {
            return name.to_owned();
        }
        let parts = ["given_name", "family_name"].into_iter().filter_map(|name| self.text(name));
        let parts: Vec<&str> = parts.collect();
        if parts.is_empty() { self.username.clone() } else { parts.join(" ") }
    }

    /// The text of an attribute that has one.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// The primary one of the values of a complex attribute.
    pub fn primary(&self, attribute: &str) -> Option<&Map<String, Value>> {
        primary(self.attributes.get(attribute)?.as_array()?)?.as_object()
    }

    /// The primary mail address.
    pub fn email(&self) -> Option<&str> {
        self.primary("emails")?.get("value")?.as_str()
    }

    /// The primary phone number.
    pub fn phone(&self) -> Option<&str> {
        self.primary("phones")?.get("value")?.as_str()
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
    !fold(text).is_empty() && text.len() <= MAX_LOGIN && !text.chars().any(char::is_control)
}

impl Record for Person {
    const KIND: &'static str = "person";
    const SCHEMA: u16 = 2;
    const INDEXES: &'static [Index] = &[
        Index::unique("username"),
        Index::shared("email"),
        Index::unique("unique").many(),
        Index::shared("attribute").many(),
        Index::shared("deleting"),
    ];

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        let mut entries =
            vec![IndexEntry::new("username", Self::login_key(&self.organisation, &self.username))];
        entries.extend(
            self.email().map(|email| IndexEntry::new("email", Self::login_key(&self.organisation, email))),
        );
        entries.extend(self.entries.unique.iter().map(|entry| IndexEntry::new("unique", entry)));
        entries.extend(self.entries.shared.iter().map(|entry| IndexEntry::new("attribute", entry)));
        if self.status == AccountStatus::Deleting {
            entries.push(IndexEntry::new("deleting", self.organisation.as_str()));
        }
        entries
    }

    fn upgrade(from: u16, document: Value) -> Result<Value, StoreError> {
        match from {
            1 => Ok(upgrade::from_1(document)),
            _ => Err(StoreError::Schema { kind: Self::KIND, found: from, known: Self::SCHEMA }),
        }
    }
}

/// Persons.
#[derive(Clone)]
pub struct Persons {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) attributes: Attributes,
    pub(crate) organisations: Organisations,
    /// Whether no two persons may have the same primary mail address, where their organisation says nothing.
    pub(crate) unique_mail: bool,
}

/// The longest login that is looked up, in bytes.
const MAX_LOGIN: usize = 256;
/// How often a lost race is run again.
const TRIES: usize = 60;

#[cfg(test)]
mod tests;
