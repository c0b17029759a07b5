//! LDAP directories as a source of people (RFC 4511): passwords are checked by the directory, attributes are copied.
//!
//! A person of a directory has a [`link::DirectoryLink`]: the directory's name and the entry's stable id, never its DN, which
//! changes. Who has no link is local, and no directory is ever asked for them.
//!
//! | module | what |
//! | --- | --- |
//! | `settings` | section `directories` of the settings, and what is refused in it |
//! | `filter` | what people typed becomes a filter (RFC 4515). No DN is ever made of what people typed |
//! | `trust` | certificates of the servers, password of the search account |
//! | `wire` | TLS, and messages that are checked before they are parsed |
//! | `connection` | one connection: the only place that speaks LDAP |
//! | `pool` | servers in their order, dead ones left alone, kept connections |
//! | `mapping` | entry → stable id and attributes |
//! | `people` | entry → person, made or changed |
//! | `link` | records |
//! | `import` | all people of a directory, page by page |

mod connection;
mod filter;
mod import;
pub(crate) mod link;
mod mapping;
mod people;
mod pool;
mod settings;
mod trust;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId};
use agamid_core::seal::Sealer;
use agamid_core::secret::Secret;
use agamid_store::{Store, StoreError};
use serde::Serialize;

use crate::IdentityError;
use crate::organisation::Organisation;
use crate::person::{Person, Persons};
use connection::Query;
use mapping::Entry;
use people::People;
use pool::Pool;

pub(crate) use import::ImportRecord;
pub use import::{Counts, ImportState};
pub(crate) use link::DirectoryLink;
pub use mapping::{Rule, Take};
pub use pool::ServerState;
pub use settings::{
    DirectoriesSettings, DirectorySettings, ImportMode, SearchScope, SettingRefused, TlsMode,
};
pub use trust::seal_password;

/// The longest password that is sent anywhere, in bytes.
const MAX_PASSWORD: usize = 1024;

/// All directories. Cheap to clone.
#[derive(Clone)]
pub struct Directories {
    env: Env,
    store: Store,
    persons: Persons,
    all: Arc<Vec<Directory>>,
}

struct Directory {
    settings: DirectorySettings,
    pool: Pool,
}

/// A login that is tried.
struct Attempt<'a> {
    organisation: &'a OrgId,
    login: &'a str,
    password: &'a str,
    allowed: bool,
    /// Who has the login, where somebody has.
    link: Option<&'a DirectoryLink>,
}

/// Why a directory could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A setting can't work.
    #[error(transparent)]
    Setting(#[from] SettingRefused),
    /// There is none of this name.
    #[error("there is no directory {0}")]
    Unknown(String),
    /// None of its servers answers.
    #[error("no server of the directory {0} answers; its state says why")]
    Unavailable(String),
    /// Too many are waiting for it.
    #[error("too many are waiting for the directory {0}; try again in a moment")]
    Busy(String),
    /// An import of it is running, here or on another node.
    #[error("an import of the directory {0} is running")]
    ImportRunning(String),
    /// An import stopped.
    #[error("the import of the directory {directory} stopped: {reason}")]
    ImportStopped {
        /// Which.
        directory: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is known of a directory.
#[derive(Debug, Clone, Serialize)]
pub struct DirectoryState {
    /// Its name.
    pub name: String,
    /// The name of its organisation.
    pub organisation: String,
    /// Why nobody can log in with it, where that does not depend on its servers.
    pub problem: Option<String>,
    /// When people are taken over.
    pub mode: ImportMode,
    /// Its servers, as this node sees them.
    pub servers: Vec<ServerState>,
    /// The last import, by any node.
    pub import: Option<ImportState>,
}

/// An entry, as far as flows may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// Its stable id.
    pub id: String,
    /// Where it is.
    pub dn: String,
}

impl Directories {
    /// The directories of the settings.
    pub(crate) fn new(
        env: Env,
        store: Store,
        sealer: &Sealer,
        persons: Persons,
        settings: DirectoriesSettings,
    ) -> Result<Self, DirectoryError> {
        settings.check()?;
        let mut all = Vec::new();
        for settings in settings.0 {
            let pool = Pool::new(env.clone(), sealer.clone(), settings.clone())?;
            all.push(Directory { settings, pool });
        }
        Ok(Self { env, store, persons, all: Arc::new(all) })
    }

    /// The person, if a directory says that login and password are right. Asked is the directory that the person came from;
    /// for a login that nobody has, every directory of the organisation, so that it looks like one of theirs; for a local
    /// person none. Where the attempt is not `allowed`, the same is asked about an entry that can't be there: a lock can't be
    /// seen by the time it takes, and nobody locks people out of the directory by trying here.
    ///
    /// # Errors
    /// A directory that was needed does not answer.
    pub async fn authenticate(
        &self,
        organisation: &OrgId,
        login: &str,
        password: &str,
        allowed: bool,
    ) -> Result<Option<Person>, IdentityError> {
        if self.all.is_empty() || !askable(login, password) {
            return Ok(None);
        }
        let known = self.persons.by_login(organisation, login).await?;
        let link = match &known {
            Some(person) => self.link_of(&person.id).await?,
            None => None,
        };
        if known.is_some() && link.is_none() {
            return Ok(None);
        }
        for directory in self.all.iter() {
            let other = link.as_ref().is_some_and(|link| link.directory != directory.settings.name);
            if other || !self.serves(directory, organisation).await? {
                continue;
            }
            let attempt = Attempt { organisation, login, password, allowed, link: link.as_ref() };
            if let Some(person) = self.log_in(directory, &attempt).await? {
                return Ok(Some(person));
            }
        }
        Ok(None)
    }

    /// As [`Self::authenticate`], with one directory only.
    pub async fn authenticate_in(
        &self,
        directory: &str,
        organisation: &OrgId,
        login: &str,
        password: &str,
        allowed: bool,
    ) -> Result<Option<Person>, IdentityError> {
        let directory = self.named(directory, organisation).await?;
        if !askable(login, password) {
            return Ok(None);
        }
        self.log_in(directory, &Attempt { organisation, login, password, allowed, link: None }).await
    }

    /// The entry that has this login; nobody when several have it.
    pub async fn find(
        &self,
        directory: &str,
        organisation: &OrgId,
        login: &str,
    ) -> Result<Option<FoundEntry>, IdentityError> {
        let directory = self.named(directory, organisation).await?;
        let found = directory.within(directory.entry(login, &[])).await?;
        let stable = &directory.settings.stable_id;
        Ok(found.and_then(|entry| Some(FoundEntry { id: entry.stable_id(stable)?, dn: entry.dn })))
    }

    /// Attributes of the entry that has this login, in the order of `names`: those that the settings let flows read; others
    /// are as if the entry had none.
    pub async fn attributes(
        &self,
        directory: &str,
        organisation: &OrgId,
        login: &str,
        names: &[String],
    ) -> Result<Vec<(String, Vec<String>)>, IdentityError> {
        let directory = self.named(directory, organisation).await?;
        let asked: Vec<String> = names.iter().filter(|name| directory.may_read(name)).cloned().collect();
        let found = directory.within(directory.entry(login, &asked)).await?;
        let values = |name: &String| match &found {
            Some(entry) if asked.contains(name) => entry.texts(name).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(names.iter().map(|name| (name.clone(), values(name))).collect())
    }

    /// All directories and how they are doing.
    pub async fn state(&self) -> Result<Vec<DirectoryState>, IdentityError> {
        let mut all = Vec::new();
        for directory in self.all.iter() {
            let organisation = directory.settings.organisation.clone();
            let missing = self.organisation(directory).await?.is_none();
            all.push(DirectoryState {
                name: directory.settings.name.clone(),
                problem: missing.then(|| format!("there is no organisation {organisation}")),
                organisation,
                mode: directory.settings.import,
                servers: directory.pool.state(),
                import: self.last_import(&directory.settings.name).await?,
            });
        }
        Ok(all)
    }

    /// How many searches and binds all directories together were asked for.
    pub fn exchanges(&self) -> u64 {
        self.all.iter().map(|directory| directory.pool.exchanges()).sum()
    }

    /// Whether a person came from one of these directories: their password is not ours to check or to change.
    pub async fn is_source_of(&self, person: &PersonId) -> Result<bool, IdentityError> {
        if self.all.is_empty() {
            return Ok(false);
        }
        let link = self.link_of(person).await?;
        Ok(link.is_some_and(|link| self.all.iter().any(|one| one.settings.name == link.directory)))
    }

    async fn named(&self, name: &str, organisation: &OrgId) -> Result<&Directory, IdentityError> {
        if let Some(directory) = self.all.iter().find(|directory| directory.settings.name == name)
            && self.serves(directory, organisation).await?
        {
            return Ok(directory);
        }
        Err(DirectoryError::Unknown(name.to_owned()).into())
    }

    /// Whether a directory's people belong to an organisation.
    async fn serves(&self, directory: &Directory, organisation: &OrgId) -> Result<bool, IdentityError> {
        Ok(self.organisation(directory).await?.is_some_and(|found| found == *organisation))
    }

    async fn organisation(&self, directory: &Directory) -> Result<Option<OrgId>, IdentityError> {
        let found = self.store.find::<Organisation>("name", &directory.settings.organisation).await?;
        Ok(found.into_iter().next().map(|found| found.record.id))
    }

    async fn link_of(&self, person: &PersonId) -> Result<Option<DirectoryLink>, IdentityError> {
        let found = self.store.find::<DirectoryLink>("person", person.as_str()).await?;
        Ok(found.into_iter().next().map(|found| found.record))
    }

    /// One search and one bind, whatever is found: how long it takes tells nobody whether there is such an entry.
    async fn log_in(
        &self,
        directory: &Directory,
        attempt: &Attempt<'_>,
    ) -> Result<Option<Person>, IdentityError> {
        let wanted: Vec<String> = directory.settings.map.iter().flat_map(|rule| rule.from.clone()).collect();
        let checked = directory
            .within(async {
                let entry = directory.entry(attempt.login, &wanted).await?;
                let entry = entry.filter(|_| attempt.allowed);
                let dn = entry.as_ref().map_or_else(|| self.nobodys_dn(directory), |entry| entry.dn.clone());
                let right = directory.pool.bind(&dn, &Secret::new(attempt.password)).await?;
                Ok(entry.filter(|_| right))
            })
            .await?;
        let Some(entry) = checked else { return Ok(None) };
        let Some(stable_id) = entry.stable_id(&directory.settings.stable_id) else {
            let (name, attribute) = (&directory.settings.name, &directory.settings.stable_id);
            tracing::warn!(
                event = "directory.entry_refused",
                directory = name,
                dn = entry.dn,
                reason = "no one value",
                attribute
            );
            return Ok(None);
        };
        let key = link::key(&directory.settings.name, &stable_id);
        if attempt.link.is_some_and(|link| link::key(&link.directory, &link.stable_id) != key) {
            // The login is now another entry's: the person it belonged to is not the one who is here.
            return Ok(None);
        }
        let person = self.people(directory, attempt.organisation).logged_in(&entry, &stable_id).await?;
        Ok(person.filter(|person| person.may_log_in(self.env.now())))
    }

    /// The DN of an entry that can't be there.
    fn nobodys_dn(&self, directory: &Directory) -> String {
        let id = agamid_core::id::new_ulid(&self.env);
        format!("cn=agamid-nobody-{id},{}", directory.settings.base_dn)
    }

    fn people<'a>(&'a self, directory: &'a Directory, organisation: &'a OrgId) -> People<'a> {
        People {
            env: &self.env,
            store: &self.store,
            persons: &self.persons,
            settings: &directory.settings,
            organisation,
        }
    }
}

/// An empty password is refused before anybody is asked: it would be an unauthenticated bind, which succeeds.
fn askable(login: &str, password: &str) -> bool {
    !password.is_empty()
        && password.len() <= MAX_PASSWORD
        && !password.contains('\0')
        && filter::is_askable(login)
}

impl Directory {
    /// The one entry that has this login.
    async fn entry(&self, login: &str, attributes: &[String]) -> Result<Option<Entry>, DirectoryError> {
        let login = login.trim();
        if !filter::is_askable(login) {
            return Ok(None);
        }
        let mut attributes = attributes.to_vec();
        attributes.push(self.settings.stable_id.clone());
        let query = Query {
            base: self.settings.base_dn.clone(),
            scope: self.settings.scope,
            filter: filter::of_login(&self.settings.user_filter, login),
            attributes,
            limit: 1,
            page: None,
        };
        let mut found = self.pool.search(&query).await?;
        if found.more {
            tracing::warn!(event = "directory.ambiguous", directory = self.settings.name);
            return Ok(None);
        }
        Ok(found.entries.pop())
    }

    /// What a login may take, over all servers.
    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, DirectoryError>>,
    ) -> Result<T, DirectoryError> {
        let limit = Duration::from_secs(self.settings.login_seconds);
        match tokio::time::timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => Err(DirectoryError::Unavailable(self.settings.name.clone())),
        }
    }

    fn may_read(&self, attribute: &str) -> bool {
        let named = |name: &String| name.eq_ignore_ascii_case(attribute);
        let mapped = self.settings.map.iter().any(|rule| rule.from.iter().any(named));
        settings::is_attribute(attribute)
            && !settings::is_secret(attribute)
            && (mapped || self.settings.flow_attributes.iter().any(named))
    }
}

#[cfg(test)]
mod tests;
