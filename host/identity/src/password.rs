//! Passwords: hashed and checked in a bounded pool, with the same work whether or not there is such a person.
//!
//! We make argon2id. Hashes of other systems ([`hash`]) are taken too, and replaced by ours when their owner logs in
//! the next time. Until then a failed login does, besides our own hash, the work of each *shape* (algorithm and cost)
//! that is in the store: in that the time of an answer says nothing about whose hash was checked.

pub(crate) mod hash;
pub(crate) mod history;
mod hook;
pub mod policy;
mod pool;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{CredentialId, OrgId, PersonId};
use agamid_core::ports::Hooks;
use agamid_store::{AuditEvent, Batch, Expect, Scan, Store, StoreError, Versioned};
use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::IdentityError;
use crate::credential::{Credential, CredentialKind, Credentials};
use crate::person::{Person, Persons};
use hash::{Hash, Shape};
use history::PasswordHistory;
use policy::{MAX_HISTORY, MAX_LENGTH, PasswordSettings, Violation};
use pool::{Pool, Tally};

pub use hash::HashError;

/// Memory of one hash, in KiB.
const MEMORY: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// What one of our hashes is counted as.
const OURS: &str = "argon2id";
/// Shapes of imported hashes that may be in the store at a time: each makes failed logins dearer.
const MOST_SHAPES: usize = 4;
/// How long what shapes there are is remembered.
const SHAPES_FOR: Duration = Duration::from_secs(10);
/// A password is marked as used at most this often.
const TOUCH: Duration = Duration::from_secs(3600);
/// How often a lost race is run again.
const TRIES: usize = 20;

/// Passwords.
#[derive(Clone)]
pub struct Passwords {
    env: Env,
    store: Store,
    persons: Persons,
    credentials: Credentials,
    settings: PasswordSettings,
    /// Set once the rest of the server stands.
    hooks: Arc<OnceLock<Arc<dyn Hooks>>>,
    pool: Pool,
    /// What a password of nobody is compared with.
    dummy: Arc<str>,
    shapes: Arc<Mutex<Option<Shapes>>>,
}

/// The shapes of imported hashes in the store, and when they were looked up.
struct Shapes {
    at: Duration,
    found: Vec<Shape>,
}

/// Who changes a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedBy {
    /// Its owner.
    Person,
    /// Somebody who may, for its owner.
    Administrator,
}

/// A password that was right, and the credential it was checked against.
pub(crate) struct Right {
    pub(crate) person: Person,
    credential: Versioned<Credential>,
    is_ours: bool,
}

fn hasher() -> Result<Argon2<'static>, IdentityError> {
    let params = Params::new(MEMORY, PASSES, 1, None).map_err(|_| IdentityError::Hashing)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(env: &Env, password: &str) -> Result<String, IdentityError> {
    let salt: [u8; 16] = agamid_core::random::bytes(&*env.rng);
    let hash =
        hasher()?.hash_password_with_salt(password.as_bytes(), &salt).map_err(|_| IdentityError::Hashing)?;
    Ok(hash.to_string())
}

/// A hash that costs as much to check as any of ours, and that no password has: its bytes are random, not computed.
pub(crate) fn nobodys_hash(env: &Env) -> String {
    let salt: [u8; 16] = agamid_core::random::bytes(&*env.rng);
    let hash: [u8; 32] = agamid_core::random::bytes(&*env.rng);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={MEMORY},t={PASSES},p=1${salt}${hash}")
}

impl Passwords {
    pub(crate) fn new(
        env: Env,
        store: Store,
        persons: Persons,
        credentials: Credentials,
        settings: PasswordSettings,
    ) -> Self {
        let dummy = nobodys_hash(&env).into();
        let (pool, shapes) = (Pool::new(), Arc::default());
        Self { env, store, persons, credentials, settings, hooks: Arc::default(), pool, dummy, shapes }
    }

    pub(crate) fn set_hooks(&self, hooks: Arc<dyn Hooks>) -> bool {
        self.hooks.set(hooks).is_ok()
    }

    /// How many hashes were computed since the start.
    pub fn hashes_computed(&self) -> u64 {
        self.pool.computed().values().sum()
    }

    /// How many hashes were computed since the start, by what they cost (`argon2id`, `bcrypt:12`, …).
    pub fn hashes_by_shape(&self) -> BTreeMap<String, u64> {
        self.pool.computed()
    }

    /// The person, if login and password are right. Unknown, disabled and password-less people cost the same work.
    /// Nothing is counted or written: [`crate::Identity::log_in`] is what strangers may be let at.
    pub async fn verify(
        &self,
        organisation: &OrgId,
        login: &str,
        password: &str,
    ) -> Result<Option<Person>, IdentityError> {
        let person = self.persons.by_login(organisation, login).await?;
        Ok(self.check(person, password, true).await?.map(|right| right.person))
    }

    /// Checks a password: of nobody, too, and also where it can't be accepted, with the same work.
    pub(crate) async fn check(
        &self,
        person: Option<Person>,
        password: &str,
        acceptable: bool,
    ) -> Result<Option<Right>, IdentityError> {
        // Nobody's is looked up as well, which costs the same and finds nothing.
        let owner = person.as_ref().map_or_else(|| PersonId::generate(&self.env), |person| person.id.clone());
        let credential = self.credentials.versioned(&owner, CredentialKind::Password).await?;
        let hash = match &credential {
            Some(found) => Some(Hash::parse(&found.record.material).map_err(|_| IdentityError::Damaged)?),
            None => None,
        };
        let fits = password.len() <= MAX_LENGTH;
        let person = person.filter(|person| person.may_log_in(self.env.now()));
        let is_ours = hash.as_ref().is_some_and(Hash::is_ours);
        let check = Check {
            acceptable: acceptable && fits && person.is_some(),
            password: if fits { password.to_owned() } else { String::new() },
            dummy: Arc::clone(&self.dummy),
            shapes: self.shapes_in_store().await?,
            hash,
        };
        let right = self.pool.run(move |tally| Ok(check.run(tally))).await?;
        Ok(match (person, credential) {
            (Some(person), Some(credential)) if right => Some(Right { person, credential, is_ours }),
            _ => None,
        })
    }

    /// Writes down that a password was right: when, and our own hash in place of an imported one. Who loses a race
    /// against another change of the password leaves it as that made it.
    pub(crate) async fn accepted(&self, right: &Right, password: &str) -> Result<(), IdentityError> {
        let Versioned { record, version } = &right.credential;
        let now = self.env.now();
        let is_fresh = record.last_used_at.is_some_and(|last| now.since(last) < TOUCH);
        if right.is_ours && is_fresh {
            return Ok(());
        }
        let mut credential = Credential { last_used_at: Some(now), ..record.clone() };
        let mut batch = Batch::new();
        if !right.is_ours {
            credential.material = self.hash(password).await?;
            let person = credential.person.as_str();
            batch = batch.audit(AuditEvent::new("password.rehashed", person, person));
        }
        match self.store.commit(batch.put(&credential, Expect::Version(*version))).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every rule that a new password of a person would break; none where it may be set.
    pub async fn violations(
        &self,
        person: &Person,
        password: &str,
        by: ChangedBy,
    ) -> Result<Vec<Violation>, IdentityError> {
        let mut found = policy::violations(&self.settings, person, password);
        if found.iter().any(|violation| matches!(violation, Violation::TooLong(_))) {
            return Ok(found);
        }
        let current = self.credentials.find(&person.id, CredentialKind::Password).await?;
        if let (ChangedBy::Person, Some(current)) = (by, &current) {
            found.extend(policy::too_soon(&self.settings, current.created_at, self.env.now()));
        }
        let kept = self.settings.history.min(MAX_HISTORY);
        if kept > 0 && self.was_used(&person.id, current, password, kept).await? {
            found.push(Violation::Used(kept));
        }
        if let Some(hooks) = self.hooks.get() {
            let by = if by == ChangedBy::Person { "person" } else { "administrator" };
            found.extend(hook::objections(&**hooks, person, password, by).await);
        }
        Ok(found)
    }

    async fn was_used(
        &self,
        person: &PersonId,
        current: Option<Credential>,
        password: &str,
        kept: usize,
    ) -> Result<bool, IdentityError> {
        let former = self.store.get::<PasswordHistory>(person.as_str()).await?;
        let former = former.map(|found| found.record.hashes).unwrap_or_default();
        let hashes: Vec<String> =
            current.map(|current| current.material).into_iter().chain(former).take(kept).collect();
        let password = password.to_owned();
        self.pool
            .run(move |tally| {
                Ok(hashes.iter().filter_map(|text| Hash::parse(text).ok()).any(|hash| {
                    count(tally, &hash);
                    hash.is_of(password.as_bytes())
                }))
            })
            .await
    }

    /// Sets a person's password for them, if it fits the policy.
    pub async fn set(&self, person: &Person, password: &str) -> Result<(), IdentityError> {
        self.set_by(person, password, ChangedBy::Administrator, "server").await
    }

    /// Sets a person's password, if it fits the policy.
    pub async fn set_by(
        &self,
        person: &Person,
        password: &str,
        by: ChangedBy,
        actor: &str,
    ) -> Result<(), IdentityError> {
        let violations = self.violations(person, password, by).await?;
        if !violations.is_empty() {
            return Err(IdentityError::Password(violations));
        }
        let phc = self.hash(password).await?;
        self.write(person, phc, actor).await
    }

    /// Whether the person's password is older than the policy allows; `false` where they have none.
    pub async fn is_over_age(&self, person: &PersonId) -> Result<bool, IdentityError> {
        if self.settings.max_age_seconds == 0 {
            return Ok(false);
        }
        let found = self.credentials.find(person, CredentialKind::Password).await?;
        let most = Duration::from_secs(self.settings.max_age_seconds);
        Ok(found.is_some_and(|found| self.env.now().since(found.created_at) > most))
    }

    /// The hash of a password, as a PHC string.
    pub async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        let (env, password) = (self.env.clone(), password.to_owned());
        self.pool
            .run(move |tally| {
                tally.count(OURS);
                hash_now(&env, &password)
            })
            .await
    }

    /// Sets a hash that was computed elsewhere, in any of the forms of [`HashError::Unknown`].
    pub async fn set_hash(&self, person: &Person, text: &str) -> Result<(), IdentityError> {
        self.import_hash(person, text, "server").await
    }

    /// As [`Passwords::set_hash`], by somebody.
    pub async fn import_hash(&self, person: &Person, text: &str, actor: &str) -> Result<(), IdentityError> {
        let hash = Hash::parse(text).map_err(IdentityError::Hash)?;
        if let (true, Some(shape)) = (self.settings.hide_imported, hash.shape()) {
            let known = self.shapes_in_store().await?;
            if known.len() >= MOST_SHAPES && !known.contains(&shape) {
                let known = known.iter().map(Shape::to_string).collect::<Vec<_>>().join(", ");
                return Err(IdentityError::TooManyShapes { shape: shape.to_string(), known });
            }
        }
        self.write(person, text.trim().to_owned(), actor).await?;
        *self.shapes.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Puts a new hash in place, and the old one into the history.
    async fn write(&self, person: &Person, material: String, actor: &str) -> Result<(), IdentityError> {
        let credential = Credential {
            id: CredentialId::generate(&self.env),
            person: person.id.clone(),
            organisation: person.organisation.clone(),
            kind: CredentialKind::Password,
            label: None,
            material,
            last_step: None,
            created_at: self.env.now(),
            last_used_at: None,
        };
        for _ in 0..TRIES {
            let old = self.credentials.all_of(&person.id, CredentialKind::Password).await?;
            let batch = self.remember(&person.id, old.first(), Batch::new()).await?;
            let batch = self.credentials.replacing(&credential, &old, actor, batch);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    async fn remember(
        &self,
        person: &PersonId,
        old: Option<&Versioned<Credential>>,
        batch: Batch,
    ) -> Result<Batch, IdentityError> {
        let kept = self.settings.history.min(MAX_HISTORY);
        let found = self.store.get::<PasswordHistory>(person.as_str()).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
        // The current one counts among the last n, so one less is kept here.
        let most = kept.saturating_sub(1);
        let former = found.map(|found| found.record.hashes).unwrap_or_default();
        if most == 0 && former.is_empty() {
            return Ok(batch);
        }
        let last = old.map(|old| old.record.material.clone());
        let hashes: Vec<String> = last.into_iter().chain(former).take(most).collect();
        Ok(batch.put(&PasswordHistory { person: person.clone(), hashes }, expect))
    }

    /// The shapes of the imported hashes in the store, as they were a few seconds ago.
    async fn shapes_in_store(&self) -> Result<Vec<Shape>, IdentityError> {
        if !self.settings.hide_imported {
            return Ok(Vec::new());
        }
        let now = self.env.clock.monotonic();
        if let Some(shapes) = &*self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
            && now.saturating_sub(shapes.at) < SHAPES_FOR
        {
            return Ok(shapes.found.clone());
        }
        let mut found: Vec<Shape> = Vec::new();
        let mut from = String::new();
        // From one shape to the first entry behind it, however many have it. One more than allowed, for what two nodes
        // imported at once.
        while found.len() <= MOST_SHAPES {
            let range = Some(from.clone()..="~".to_owned());
            let page = Scan { index: Some("imported"), range, after: None, limit: 1 };
            let page = self.store.scan::<Credential>(page).await?.records;
            let Some(shape) = page.first().and_then(|next| next.record.shape()) else { break };
            from = format!("{shape} ");
            found.push(shape);
        }
        let shapes = Shapes { at: now, found: found.clone() };
        *self.shapes.lock().unwrap_or_else(PoisonError::into_inner) = Some(shapes);
        Ok(found)
    }
}

/// What one check does in the pool.
struct Check {
    /// Absent where nobody is behind the login, or they have no password.
    hash: Option<Hash>,
    /// Whether a right password would be let through.
    acceptable: bool,
    password: String,
    dummy: Arc<str>,
    shapes: Vec<Shape>,
}

fn count(tally: &Tally, hash: &Hash) {
    match hash.shape() {
        Some(shape) => tally.count(shape.to_string()),
        None if hash.is_ours() => tally.count(OURS),
        None => {}
    }
}

impl Check {
    /// Whether the password is right and may be accepted: then nothing more is done, and in all other cases the same:
    /// one of our hashes, and one of each shape in the store.
    fn run(self, tally: &Tally) -> bool {
        let password = self.password.as_bytes();
        let equal = self.hash.as_ref().is_some_and(|hash| {
            count(tally, hash);
            hash.is_of(password)
        });
        if equal && self.acceptable {
            return true;
        }
        if !self.hash.as_ref().is_some_and(Hash::is_ours) {
            tally.count(OURS);
            // Whatever comes out: nobody is behind it.
            let _ = Hash::parse(&self.dummy).is_ok_and(|dummy| dummy.is_of(password));
        }
        let own = self.hash.as_ref().and_then(Hash::shape);
        for shape in self.shapes.iter().filter(|shape| Some(*shape) != own.as_ref()) {
            tally.count(shape.to_string());
            shape.work(password);
        }
        false
    }
}

/// The hash of a password, for tools that have no store.
pub fn hash_password(env: &Env, password: &str) -> Result<String, IdentityError> {
    hash_now(env, password)
}

#[cfg(test)]
mod tests;
