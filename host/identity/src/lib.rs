//! People: organisations, persons, credentials, passwords, lock-out, browser sessions, consent.
//!
//! One file a record, with the service that alone changes it. Each change is audited in the same commit.
//!
//! To add a kind of credential: a variant of [`credential::CredentialKind`].

pub mod consent;
pub mod credential;
pub mod directory;
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

pub use organisation::OrgScope;
pub use person::{NewPerson, Person};
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
    /// Persons.
    pub persons: person::Persons,
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
        let persons = person::Persons { env: env.clone(), store: store.clone() };
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
            organisations: organisation::Organisations { env: env.clone(), store: store.clone() },
            lockout: lockout::Lockout::new(env.clone(), store.clone(), settings.lockout.clone()),
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
        let person::Persons { env, store } = self.persons.clone();
        let (sealer, persons) = (&self.credentials.sealer, self.persons.clone());
        self.directories = directory::Directories::new(env, store, sealer, persons, settings)?;
        Ok(self)
    }
}

/// The kinds of record of this crate.
pub fn records() -> Vec<Kind> {
    vec![
        Kind::of::<organisation::Organisation>(),
        Kind::of::<person::Person>(),
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
    /// The label of a credential is too long, or has control characters in it.
    #[error("a label has at most {most} characters, in one line")]
    Label {
        /// Characters.
        most: usize,
    },
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked now; try again in a moment")]
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
