//! What may be known of a person: one table that drives validation, search, claims, provisioning and pages.
//!
//! | file | what |
//! | --- | --- |
//! | `attribute/core.rs` | the attributes that every server has |
//! | `attribute/definition.rs` | those that an operator adds at run time, and the rules for changing them |
//! | `attribute/schema.rs` | both together, as they are now |
//! | `attribute/check.rs` | whether a value may be written |
//! | `attribute/entries.rs` | what a person is found by |
//! | `attribute/claims.rs` | what an application is told |
//!
//! To add a core attribute: a line in `core.rs`, a row in `docs/identity.md`.

pub(crate) mod check;
pub(crate) mod claims;
mod core;
pub mod definition;
pub(crate) mod entries;
mod schema;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use schema::Schema;

/// What kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeType {
    /// Text without control characters.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number that JavaScript can hold.
    Integer,
    /// RFC 3339; kept in UTC.
    Timestamp,
    /// `YYYY-MM-DD`; the year `0000` where it is withheld, or the year alone (OpenID Connect Core section 5.1).
    Date,
    /// A JSON object with named sub-attributes.
    Complex,
    /// An http or https URL.
    Reference,
    /// The id of a person of the same organisation.
    Person,
}

impl AttributeType {
    /// What has to be written, for errors.
    pub(crate) fn wanted(self) -> &'static str {
        match self {
            AttributeType::Text => "text",
            AttributeType::Boolean => "true or false",
            AttributeType::Integer => "a whole number between -9007199254740991 and 9007199254740991",
            AttributeType::Timestamp => "a time like 2026-03-01T12:00:00Z",
            AttributeType::Date => "a date like 2026-03-01",
            AttributeType::Complex => "an object of sub-attributes",
            AttributeType::Reference => "an http or https URL",
            AttributeType::Person => "the id of a person of the same organisation",
        }
    }
}

/// Who may read or write an attribute. Each includes those after it, but for `Nobody`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// The person themselves, and administrators.
    Person,
    /// Administrators only.
    Administrator,
    /// Nobody: the server keeps it.
    Nobody,
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The person themselves.
    Person,
    /// An administrator, or a source of people that one has set up.
    Administrator,
}

impl Access {
    /// Whether this writer (or reader) is let.
    pub fn lets(self, writer: Writer) -> bool {
        match self {
            Access::Person => true,
            Access::Administrator => writer == Writer::Administrator,
            Access::Nobody => false,
        }
    }
}

/// How text must be spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Anything.
    Any,
    /// Anything, on several lines.
    Lines,
    /// A mail address.
    Mail,
    /// A phone number in E.164: `+` and 6 to 15 digits; RFC 3966 extensions are allowed.
    Phone,
    /// A BCP 47 language tag.
    Language,
    /// A name of the time zone database.
    Zone,
}

/// How an attribute becomes a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimForm {
    /// As it is.
    Whole,
    /// The primary one of several: its value, or its sub-attributes without those that say what it is.
    Primary,
}

/// A part of a complex attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubAttribute {
    /// Its name.
    pub name: String,
    /// Its type; not complex.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// The longest text, in characters.
    #[serde(default = "default_length")]
    pub max_length: usize,
    /// How it must be spelled.
    #[serde(default = "default_format")]
    pub format: Format,
    /// Who may write it.
    #[serde(default = "default_access")]
    pub write: Access,
}

/// An attribute of persons: of the core, or defined by an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name: a small letter, then small letters, digits and underscores.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// The parts of a complex one.
    #[serde(default)]
    pub sub_attributes: Vec<SubAttribute>,
    /// Whether a person may have several.
    #[serde(default)]
    pub multi_valued: bool,
    /// Whether no two persons of an organisation may have the same.
    #[serde(default)]
    pub unique: bool,
    /// Whether persons can be looked for by it.
    #[serde(default)]
    pub searchable: bool,
    /// Whether letter case counts when values are compared.
    #[serde(default)]
    pub case_exact: bool,
    /// The longest text, in characters.
    #[serde(default = "default_length")]
    pub max_length: usize,
    /// The most values.
    #[serde(default = "default_values")]
    pub max_values: usize,
    /// How text must be spelled.
    #[serde(default = "default_format")]
    pub format: Format,
    /// Who may read it.
    #[serde(default = "default_access")]
    pub read: Access,
    /// Who may write it.
    #[serde(default = "administrators")]
    pub write: Access,
    /// The claim it becomes.
    #[serde(default)]
    pub claim: Option<String>,
    /// How.
    #[serde(default = "whole")]
    pub claim_form: ClaimForm,
    /// The scopes that release it.
    #[serde(default)]
    pub scopes: BTreeSet<String>,
    /// The only clients that get it; all when empty.
    #[serde(default)]
    pub clients: BTreeSet<String>,
    /// Its path in SCIM: below the core user schema, or with the URN of an extension.
    #[serde(default)]
    pub scim: Option<String>,
    /// The key of its label on pages; `attribute.` and the name unless set.
    #[serde(default)]
    pub label: String,
    /// Whether every server has it.
    #[serde(default)]
    pub core: bool,
    /// Whether it is kept nowhere, but follows from something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub derived: bool,
}

fn default_length() -> usize {
    256
}

fn default_values() -> usize {
    20
}

fn default_format() -> Format {
    Format::Any
}

fn default_access() -> Access {
    Access::Person
}

fn administrators() -> Access {
    Access::Administrator
}

fn whole() -> ClaimForm {
    ClaimForm::Whole
}

impl Attribute {
    /// A sub-attribute.
    pub(crate) fn sub(&self, name: &str) -> Option<&SubAttribute> {
        self.sub_attributes.iter().find(|sub| sub.name == name)
    }

    /// Whether it may have a value with this sub-attribute that stands for the whole.
    pub(crate) fn has_value(&self) -> bool {
        self.sub("value").is_some()
    }
}

/// A value that can't be written: which attribute, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attribute}: {reason}")]
pub struct AttributeError {
    /// Where: `emails[1].value`.
    pub attribute: String,
    /// Why.
    pub reason: Reason,
}

/// Why a value can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No such attribute.
    #[error("there is no such attribute; GET /config/v1/attributes lists them")]
    Unknown,
    /// No such part.
    #[error("there is no such sub-attribute; there are {0}")]
    UnknownPart(String),
    /// Not theirs to write.
    #[error("it is read-only for you")]
    ReadOnly,
    /// Being changed.
    #[error("its definition is being changed; try again in a moment")]
    Changing,
    /// Another type.
    #[error("must be {0}")]
    Type(&'static str),
    /// A list is needed.
    #[error("has several values: write a list")]
    List,
    /// A list is wrong.
    #[error("has one value: write no list")]
    NoList,
    /// Too long.
    #[error("has {found} characters, at most {most} are allowed")]
    TooLong {
        /// Characters.
        found: usize,
        /// Characters.
        most: usize,
    },
    /// Too many.
    #[error("has {found} values, at most {most} are allowed")]
    TooMany {
        /// Values.
        found: usize,
        /// Values.
        most: usize,
    },
    /// All together is too much.
    #[error("all attributes of a person together have {found} bytes, at most {most} are allowed")]
    TooLarge {
        /// Bytes.
        found: usize,
        /// Bytes.
        most: usize,
    },
    /// Control characters.
    #[error("holds a control character or NUL; remove it")]
    Control,
    /// Empty.
    #[error("is empty; write null to remove it")]
    Empty,
    /// A part is missing.
    #[error("is missing")]
    Missing,
    /// Spelled wrongly.
    #[error("must be {0}")]
    Format(&'static str),
    /// The same value twice.
    #[error("has the same value twice")]
    Twice,
    /// Two primary ones.
    #[error("has more than one primary value; mark one")]
    Primaries,
    /// No such person.
    #[error("must be the id of a person of the same organisation")]
    NoPerson,
}
