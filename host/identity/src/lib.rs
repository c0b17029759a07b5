//! People: organisations, persons and their attributes, groups, credentials, passwords, lock-out, browser sessions,
//! consent, accounts elsewhere.
//!
//! One file a record, with the service that alone changes it. Each change is audited in the same commit.
//!
//! To add an attribute of persons: see [`attribute`]. To add a kind of credential: a variant of [`credential::CredentialKind`].

pub mod attribute;
pub mod consent;
pub mod credential;
pub mod directory;
pub mod group;
pub mod json;
pub mod link;
pub mod lockout;
pub mod login;
pub mod organisation;
pub mod password;
pub mod person;
pub mod session;
pub mod settings;

use std::sync::Arc;

use agamid_core::Env;
use agamid_core::blame::{Blame, Blamed};
use agamid_core::ports::Hooks;
use agamid_core::seal::{SealError, Sealer};
use agamid_store::{Kind, Store, StoreError};

pub use attribute::{Attribute, AttributeError, Schema, Writer};
pub use organisation::OrgScope;
pub use person::{AccountStatus, NewPerson, Person};
pub use session::Session;
pub use settings::IdentitySettings;

/// What the identity services are made of.
pub struct IdentityParts {
    /// Time and randomness.
    pub env: Env,
    /// Where people are kept.
    pub store: Store,
    /// Seals secrets.
    pub sealer: Sealer,
    /// Section `identity`.
    pub settings: IdentitySettings,
}

/// All services. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    /// Organisations.
    pub organisations: organisation::Organisations,
    /// The attributes of persons.
    pub attributes: attribute::definition::Attributes,
    /// Persons.
    pub persons: person::Persons,
    /// Groups.
    pub groups: group::Groups,
    /// Accounts elsewhere.
    pub links: link::Links,
    /// Credentials.
    pub credentials: credential::Credentials,
    /// Passwords.
    pub passwords: password::Passwords,
    /// Brute force.
    pub lockout: lockout::Lockout,
    /// Browser sessions.
    pub sessions: session::Sessions,
    /// Consent.
    pub consents: consent::Consents,
    /// LDAP directories; none unless [`Identity::with_directories`] gave them.
    pub directories: directory::Directories,
}

impl Identity {
    /// Builds the services.
    pub fn new(parts: IdentityParts) -> Result<Self, IdentityError> {
        let IdentityParts { env, store, sealer, settings } = parts;
        let organisations = organisation::Organisations { env: env.clone(), store: store.clone() };
        let attributes = attribute::definition::Attributes::new(env.clone(), store.clone());
        let groups =
            group::Groups { env: env.clone(), store: store.clone(), organisations: organisations.clone() };
        let persons = person::Persons {
            env: env.clone(),
            store: store.clone(),
            attributes: attributes.clone(),
            organisations: organisations.clone(),
            unique_mail: settings.unique_primary_mail,
        };
        let credentials = credential::Credentials { env: env.clone(), store: store.clone(), sealer };
        let rules = settings.password_rules();
        let passwords =
            password::Passwords::new(env.clone(), store.clone(), persons.clone(), credentials.clone(), rules);
        let none = directory::DirectoriesSettings::default();
        let directories = directory::Directories::new(
            env.clone(),
            store.clone(),
            &credentials.sealer,
            persons.clone(),
            none,
        )?;
        Ok(Self {
            directories,
            lockout: lockout::Lockout::new(env.clone(), store.clone(), settings.lockout.clone()),
            organisations,
            attributes,
            groups,
            links: link::Links { env: env.clone(), store: store.clone(), persons: persons.clone() },
            sessions: session::Sessions { env: env.clone(), store: store.clone(), settings },
            consents: consent::Consents { env, store },
            persons,
            credentials,
            passwords,
        })
    }

    /// Asks an operator's own code, where it has rules: from now on, by all clones. Only the first such call counts; it
    /// answers whether it did.
    pub fn set_hooks(&self, hooks: Arc<dyn Hooks>) -> bool {
        self.passwords.set_hooks(hooks)
    }

    /// Keeps the counters of addresses elsewhere than in this process.
    #[must_use]
    pub fn with_rate_counters(mut self, counters: Arc<dyn lockout::RateCounters>) -> Self {
        self.lockout.with_counters(counters);
        self
    }

    /// The same with directories as sources of people.
    pub fn with_directories(
        mut self,
        settings: directory::DirectoriesSettings,
    ) -> Result<Self, IdentityError> {
        let person::Persons { env, store, .. } = self.persons.clone();
        let (sealer, persons) = (&self.credentials.sealer, self.persons.clone());
        self.directories = directory::Directories::new(env, store, sealer, persons, settings)?;
        Ok(self)
    }
}

/// The kinds of record of this crate.
pub fn records() -> Vec<Kind> {
    vec![
        Kind::of::<organisation::Organisation>(),
        Kind::of::<organisation::DefaultOrganisation>(),
        Kind::of::<attribute::definition::AttributeDefinition>(),
        Kind::of::<attribute::definition::SchemaRevision>(),
        Kind::of::<person::Person>(),
        Kind::of::<group::Group>(),
        Kind::of::<group::Membership>(),
        Kind::of::<group::Nesting>(),
        Kind::of::<link::UpstreamLink>(),
        Kind::of::<credential::Credential>(),
        Kind::of::<password::history::PasswordHistory>(),
        Kind::of::<session::Session>(),
        Kind::of::<consent::Consent>(),
        Kind::of::<lockout::FailuresRecord>(),
        Kind::of::<lockout::KnownBrowserRecord>(),
        Kind::of::<directory::DirectoryLink>(),
        Kind::of::<directory::ImportRecord>(),
    ]
}

/// Why an identity service refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The username is empty or too long.
    #[error("a username has 1 to 256 characters")]
    Username,
    /// The username is another person's.
    #[error("the username {0} is taken")]
    UsernameTaken(String),
    /// There is no such person.
    #[error("there is no such person")]
    NoPerson,
    /// The password breaks rules.
    #[error("the password can't be set: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Password(Vec<password::policy::Violation>),
    /// A hash that is not taken.
    #[error(transparent)]
    Hash(password::HashError),
    /// Each kind of imported hashes makes every failed login dearer.
    #[error(
        "a hash that costs {shape} can't be imported while there are those of {known}: wait until their owners have logged \
         in, or turn `identity.password.hide_imported` off"
    )]
    TooManyShapes {
        /// The new one.
        shape: String,
        /// Those in the store.
        known: String,
    },
    /// A value of an attribute can't be written.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// Another person (or group, or organisation) has a value that only one may have.
    #[error("{attribute}: another one has this value, and it must be unique")]
    Taken {
        /// Which.
        attribute: String,
    },
    /// A definition of an attribute, a group or an organisation says something that can't be.
    #[error("{field}: {reason}")]
    Definition {
        /// Which member.
        field: String,
        /// What is allowed.
        reason: String,
    },
    /// An attribute can't be unique.
    #[error("unique: several persons have the same value: {}", duplicates(.0))]
    Duplicates(Vec<attribute::definition::Duplicate>),
    /// There is no such attribute.
    #[error("there is no such attribute")]
    NoAttribute,
    /// There is no such group.
    #[error("there is no such group")]
    NoGroup,
    /// There is no such organisation.
    #[error("there is no such organisation")]
    NoOrganisation,
    /// The organisation can't be deleted.
    #[error("the organisation can't be deleted: {0}")]
    OrganisationInUse(&'static str),
    /// A group would be in itself.
    #[error("members: the group would be a member of itself, directly or through others")]
    Cycle,
    /// Too many groups one in the other.
    #[error("members: at most {} groups may lie one in the other", group::MAX_DEPTH)]
    TooDeep,
    /// A link to an account elsewhere can't be.
    #[error("{0}")]
    Link(&'static str),
    /// The account elsewhere is another person's.
    #[error("this account is linked to another person")]
    LinkTaken,
    /// Somebody else changed it.
    #[error("somebody else changed it meanwhile: read it again")]
    VersionChanged,
    /// The label of a credential is too long, or has control characters in it.
    #[error("a label has at most {most} characters, in one line")]
    Label {
        /// Characters.
        most: usize,
    },
    /// Too many passwords are being checked, or too many change the same thing.
    #[error("too much is going on at once; try again in a moment")]
    Busy,
    /// Hashing failed.
    #[error("a password could not be hashed")]
    Hashing,
    /// A stored credential can't be read.
    #[error("a stored credential is damaged")]
    Damaged,
    /// A sealed credential can't be opened.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// A directory could not be asked.
    #[error(transparent)]
    Directory(#[from] directory::DirectoryError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Duplicates, for people.
fn duplicates(all: &[attribute::definition::Duplicate]) -> String {
    let one = |d: &attribute::definition::Duplicate| format!("{:?} ({})", d.value, d.persons.join(", "));
    all.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl IdentityError {
    /// The part of a request that is wrong, where one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            IdentityError::Username | IdentityError::UsernameTaken(_) => Some("username"),
            IdentityError::Attribute(error) => Some(&error.attribute),
            IdentityError::Taken { attribute } => Some(attribute),
            IdentityError::Definition { field, .. } => Some(field),
            IdentityError::Duplicates(_) => Some("unique"),
            IdentityError::Cycle | IdentityError::TooDeep => Some("members"),
            _ => None,
        }
    }
}

impl Blamed for IdentityError {
    fn blame(&self) -> Blame {
        match self {
            IdentityError::Store(error) => error.blame(),
            IdentityError::Busy
            | IdentityError::Hashing
            | IdentityError::Damaged
            | IdentityError::Directory(_)
            | IdentityError::Sealed(_) => Blame::Us,
            _ => Blame::Caller,
        }
    }
}

#[cfg(test)]
mod tests;
