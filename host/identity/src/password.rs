//! Passwords: argon2id in a bounded pool, and the same work whether or not there is such a person.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agamid_core::Env;
use agamid_core::id::{CredentialId, OrgId};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::Semaphore;

use crate::IdentityError;
use crate::credential::{Credential, CredentialKind, Credentials};
use crate::person::{Person, Persons};
use crate::settings::IdentitySettings;

/// Memory of one hash, in KiB.
const MEMORY: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// The longest password, in bytes.
const MAX_LENGTH: usize = 1024;
/// Hashes that may wait for one core; more are refused, so that a storm does not starve everything else.
const QUEUE: usize = 64;

/// Passwords.
#[derive(Clone)]
pub struct Passwords {
    env: Env,
    persons: Persons,
    credentials: Credentials,
    settings: IdentitySettings,
    pool: Arc<Pool>,
}

struct Pool {
    /// One permit for each hash that may wait or run.
    waiting: Arc<Semaphore>,
    /// One permit for each core.
    running: Arc<Semaphore>,
    computed: AtomicU64,
    /// What a password of nobody is compared with.
    dummy: String,
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

/// A hash that costs as much to check as any, and that no password has: its bytes are random, not computed.
pub(crate) fn nobodys_hash(env: &Env) -> String {
    let salt: [u8; 16] = agamid_core::random::bytes(&*env.rng);
    let hash: [u8; 32] = agamid_core::random::bytes(&*env.rng);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={MEMORY},t={PASSES},p=1${salt}${hash}")
}

impl Passwords {
    pub(crate) fn new(
        env: Env,
        persons: Persons,
        credentials: Credentials,
        settings: IdentitySettings,
    ) -> Result<Self, IdentityError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let dummy = nobodys_hash(&env);
        let pool = Arc::new(Pool {
            waiting: Arc::new(Semaphore::new(cores * QUEUE)),
            running: Arc::new(Semaphore::new(cores)),
            computed: AtomicU64::new(0),
            dummy,
        });
        Ok(Self { env, persons, credentials, settings, pool })
    }

    /// How many hashes were computed since the start.
    pub fn hashes_computed(&self) -> u64 {
        self.pool.computed.load(Ordering::SeqCst)
    }

    async fn in_pool<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let waiting = Arc::clone(&self.pool.waiting).try_acquire_owned().map_err(|_| IdentityError::Busy)?;
        let running = Arc::clone(&self.pool.running).acquire_owned().await;
        let running = running.map_err(|_| IdentityError::Busy)?;
        self.pool.computed.fetch_add(1, Ordering::SeqCst);
        let done = tokio::task::spawn_blocking(move || {
            // The permits are given back when the work is over, not when somebody stops waiting for it.
            let _places = (waiting, running);
            work()
        });
        done.await.map_err(|_| IdentityError::Hashing)?
    }

    /// The person, if login and password are right. Unknown, disabled and password-less people cost the same work.
    pub async fn verify(
        &self,
        organisation: &OrgId,
        login: &str,
        password: &str,
    ) -> Result<Option<Person>, IdentityError> {
        let person = self.persons.by_login(organisation, login).await?;
        let credential = match &person {
            Some(person) => self.credentials.find(&person.id, CredentialKind::Password).await?,
            None => None,
        };
        let known = credential.is_some();
        let phc = credential.map_or_else(|| self.pool.dummy.clone(), |credential| credential.material);
        let fits_length = password.len() <= MAX_LENGTH;
        let password = if fits_length { password.to_owned() } else { String::new() };
        let equal = self
            .in_pool(move || {
                let hash = PasswordHash::new(&phc).map_err(|_| IdentityError::Damaged)?;
                Ok(hasher()?.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(person.filter(|person| equal && known && fits_length && !person.disabled))
    }

    /// Sets a person's password, if it fits the policy.
    pub async fn set(&self, person: &Person, password: &str) -> Result<(), IdentityError> {
        let least = self.settings.password_min_length;
        if password.chars().count() < least || password.len() > MAX_LENGTH {
            return Err(IdentityError::PasswordLength { least, most: MAX_LENGTH });
        }
        if password.to_lowercase() == person.username.to_lowercase() {
            return Err(IdentityError::PasswordIsUsername);
        }
        let phc = self.hash(password).await?;
        self.set_hash(person, &phc).await
    }

    /// The hash of a password, as a PHC string.
    pub async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        let (env, password) = (self.env.clone(), password.to_owned());
        self.in_pool(move || hash_now(&env, &password)).await
    }

    /// Sets a hash that was computed elsewhere: argon2id only.
    pub async fn set_hash(&self, person: &Person, phc: &str) -> Result<(), IdentityError> {
        if !phc.starts_with("$argon2id$") || PasswordHash::new(phc).is_err() {
            return Err(IdentityError::NotAHash);
        }
        let credential = Credential {
            id: CredentialId::generate(&self.env),
            person: person.id.clone(),
            organisation: person.organisation.clone(),
            kind: CredentialKind::Password,
            label: None,
            material: phc.to_owned(),
            last_step: None,
            created_at: self.env.now(),
            last_used_at: None,
        };
        self.credentials.replace(&credential).await
    }
}

/// The hash of a password, for tools that have no store.
pub fn hash_password(env: &Env, password: &str) -> Result<String, IdentityError> {
    hash_now(env, password)
}
