//! Brute force: failures are counted for each account, for each address, and for all together (security item 37).
//!
//! One counter of an account serves all its spellings and all its factors, and is given back only by a login that was
//! finished. A lock is short, grows with more failures up to a limit, and does not hold in a browser in which the person
//! has logged in before (that browser has a counter of its own): so nobody can lock anybody out for long.

use std::net::IpAddr;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId};
use agamid_core::secret::sha256_hex;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Record, Store, StoreError, Versioned};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::person::Person;

/// How long a browser counts as the person's own after a login.
const KNOWN: Duration = Duration::from_secs(180 * 24 * 3600);
/// How often a counter that others change at the same time is tried again.
const TRIES: usize = 50;

/// One counter's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    /// Failures before the first lock.
    pub failures: u32,
    /// The first lock, in seconds; each further failure doubles it.
    pub lock_seconds: u64,
    /// The longest lock, in seconds.
    pub longest_lock_seconds: u64,
    /// Failures are forgotten this long after the last one, in seconds.
    pub window_seconds: u64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { failures: 5, lock_seconds: 30, longest_lock_seconds: 900, window_seconds: 900 }
    }
}

/// When attempts are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LockoutSettings {
    /// Of one account.
    pub account: Threshold,
    /// From one address (of IPv6: one /64).
    pub address: Threshold,
    /// All together: strangers wait, browsers that are known go on.
    pub overall: Threshold,
}

impl Default for LockoutSettings {
    fn default() -> Self {
        Self {
            account: Threshold::default(),
            address: Threshold { failures: 50, ..Threshold::default() },
            overall: Threshold {
                failures: 1_000,
                lock_seconds: 1,
                longest_lock_seconds: 10,
                window_seconds: 60,
            },
        }
    }
}

/// Where an attempt comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// SHA-256 of the browser cookie's value.
    pub browser: Option<String>,
}

/// Whose account is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    key: String,
    person: Option<PersonId>,
}

impl Account {
    /// Of a person, however they are spelled.
    pub fn of_person(person: &PersonId) -> Self {
        Self { key: person.to_string(), person: Some(person.clone()) }
    }

    /// Of a login name that is nobody's: counted all the same, so that it can't be told apart.
    pub fn of_nobody(organisation: &OrgId, login: &str) -> Self {
        let key = sha256_hex(Person::login_key(organisation, login).as_bytes());
        Self { key, person: None }
    }
}

/// A counter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FailuresRecord {
    key: String,
    count: u32,
    locked_until: Timestamp,
    expires_at: Timestamp,
}

impl Record for FailuresRecord {
    const KIND: &'static str = "login_failures";
    fn key(&self) -> String {
        self.key.clone()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// A browser in which a person has logged in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KnownBrowserRecord {
    key: String,
    expires_at: Timestamp,
}

impl Record for KnownBrowserRecord {
    const KIND: &'static str = "known_browser";
    fn key(&self) -> String {
        self.key.clone()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Counts failures.
#[derive(Clone)]
pub struct Lockout {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) settings: LockoutSettings,
}

impl Lockout {
    /// Whether an attempt may be made. The reason of a refusal is for the log only: people are told what they are told
    /// about a wrong password.
    pub async fn allows(&self, account: &Account, origin: &Origin) -> Result<bool, IdentityError> {
        for (key, _) in self.counters(account, origin).await? {
            let found = self.store.get::<FailuresRecord>(&key).await?;
            if found.is_some_and(|found| self.env.now() < found.record.locked_until) {
                let which = key.split(':').next().unwrap_or_default().to_owned();
                tracing::warn!(event = "login.locked", which, address = ?origin.address);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts a failed attempt, by whatever factor.
    pub async fn failed(&self, account: &Account, origin: &Origin) -> Result<(), IdentityError> {
        for (key, threshold) in self.counters(account, origin).await? {
            self.count(&key, threshold).await?;
        }
        Ok(())
    }

    /// A login was finished: the account's failures are forgotten, and the browser is known from now on. Written with
    /// `batch`, by whoever commits it.
    pub async fn succeeded(
        &self,
        person: &PersonId,
        origin: &Origin,
        mut batch: Batch,
    ) -> Result<Batch, IdentityError> {
        let account = Account::of_person(person);
        for key in [
            account_key(&account),
            origin.browser.as_deref().map_or_else(String::new, |b| known_key(person, b)),
        ] {
            if !key.is_empty() && self.store.get::<FailuresRecord>(&key).await?.is_some() {
                batch = batch.delete::<FailuresRecord>(&key, Expect::Any);
            }
        }
        if let Some(browser) = &origin.browser {
            let key = known_key(person, browser);
            if self.store.get::<KnownBrowserRecord>(&key).await?.is_none() {
                let record = KnownBrowserRecord { key, expires_at: self.env.now().plus(KNOWN) };
                batch = batch.put(&record, Expect::Any);
            }
        }
        Ok(batch)
    }

    /// The counters of an attempt: in a browser that the person knows only that browser's own.
    async fn counters(
        &self,
        account: &Account,
        origin: &Origin,
    ) -> Result<Vec<(String, &Threshold)>, IdentityError> {
        if let (Some(person), Some(browser)) = (&account.person, &origin.browser) {
            let key = known_key(person, browser);
            if self.store.get::<KnownBrowserRecord>(&key).await?.is_some() {
                return Ok(vec![(key, &self.settings.account)]);
            }
        }
        let mut counters = vec![(account_key(account), &self.settings.account)];
        counters.extend(origin.address.map(|address| (address_key(address), &self.settings.address)));
        counters.push(("overall".to_owned(), &self.settings.overall));
        Ok(counters)
    }

    async fn count(&self, key: &str, threshold: &Threshold) -> Result<(), IdentityError> {
        let now = self.env.now();
        for _ in 0..TRIES {
            let found = self.store.get::<FailuresRecord>(key).await?;
            let (before, expect) = match &found {
                Some(Versioned { record, version }) => (record.count, Expect::Version(*version)),
                None => (0, Expect::Absent),
            };
            let count = before.saturating_add(1);
            let over = count.checked_sub(threshold.failures.max(1));
            let lock = over.map_or(Duration::ZERO, |over| {
                let seconds = threshold.lock_seconds.saturating_mul(1 << over.min(20));
                Duration::from_secs(seconds.min(threshold.longest_lock_seconds))
            });
            let window = Duration::from_secs(threshold.window_seconds);
            let record = FailuresRecord {
                key: key.to_owned(),
                count,
                locked_until: now.plus(lock),
                expires_at: now.plus(window.max(lock)),
            };
            let mut batch = Batch::new().put(&record, expect);
            if over == Some(0) {
                batch = batch.audit(AuditEvent::new("login.locked", "server", key));
            }
            match self.store.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // What can't be counted must not go on as if it had been.
        Err(IdentityError::Busy)
    }
}

fn account_key(account: &Account) -> String {
    format!("account:{}", account.key)
}

fn known_key(person: &PersonId, browser: &str) -> String {
    format!("known:{person}:{browser}")
}

fn address_key(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("address:{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agamid_core::random::SystemRng;
    use agamid_core::time::ManualClock;

    use super::*;

    async fn bench() -> (Arc<ManualClock>, Lockout, PersonId) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let env = Env { clock: clock.clone(), rng: Arc::new(SystemRng) };
        let store = Store::memory(env.clone()).await.unwrap();
        let person = PersonId::generate(&env);
        (clock, Lockout { env, store, settings: LockoutSettings::default() }, person)
    }

    fn from(address: u8, browser: &str) -> Origin {
        Origin { address: Some([10, 0, 0, address].into()), browser: Some(browser.to_owned()) }
    }

    async fn finish(lockout: &Lockout, person: &PersonId, origin: &Origin) {
        let batch = lockout.succeeded(person, origin, Batch::new()).await.unwrap();
        lockout.store.commit(batch).await.unwrap();
    }

    #[tokio::test]
    async fn five_failures_lock_an_account_for_a_while_that_grows_and_ends() {
        let (clock, lockout, person) = bench().await;
        let account = Account::of_person(&person);
        for n in 0..5 {
            assert!(lockout.allows(&account, &from(n, "b")).await.unwrap(), "{n}");
            lockout.failed(&account, &from(n, "b")).await.unwrap();
        }
        assert!(!lockout.allows(&account, &from(9, "other")).await.unwrap(), "from anywhere");
        clock.advance(Duration::from_secs(30));
        assert!(lockout.allows(&account, &from(9, "b")).await.unwrap());
        lockout.failed(&account, &from(9, "b")).await.unwrap();
        clock.advance(Duration::from_secs(59));
        assert!(!lockout.allows(&account, &from(9, "b")).await.unwrap(), "twice as long");
        for _ in 0..40 {
            lockout.failed(&account, &from(9, "b")).await.unwrap();
        }
        clock.advance(Duration::from_secs(900));
        assert!(lockout.allows(&account, &from(10, "b")).await.unwrap(), "never longer than the longest");
    }

    #[tokio::test]
    async fn a_browser_in_which_the_person_logged_in_is_not_locked_by_strangers() {
        let (_, lockout, person) = bench().await;
        let account = Account::of_person(&person);
        finish(&lockout, &person, &from(1, "own")).await;
        for _ in 0..200 {
            lockout.failed(&account, &from(2, "stranger")).await.unwrap();
        }
        assert!(!lockout.allows(&account, &from(3, "third")).await.unwrap());
        assert!(lockout.allows(&account, &from(1, "own")).await.unwrap());
        for _ in 0..5 {
            lockout.failed(&account, &from(1, "own")).await.unwrap();
        }
        assert!(!lockout.allows(&account, &from(1, "own")).await.unwrap(), "it has a counter of its own");
    }

    #[tokio::test]
    async fn an_address_that_tries_many_accounts_waits_and_a_finished_login_forgets() {
        let (_, lockout, person) = bench().await;
        let organisation = OrgId::generate(&lockout.env);
        for n in 0..50 {
            let nobody = Account::of_nobody(&organisation, &format!("name{n}"));
            lockout.failed(&nobody, &from(1, "b")).await.unwrap();
        }
        let account = Account::of_person(&person);
        assert!(!lockout.allows(&account, &from(1, "b")).await.unwrap());
        assert!(lockout.allows(&account, &from(2, "b")).await.unwrap());
        for _ in 0..4 {
            lockout.failed(&account, &from(2, "b")).await.unwrap();
        }
        finish(&lockout, &person, &from(2, "b")).await;
        lockout.failed(&account, &from(3, "c")).await.unwrap();
        assert!(lockout.allows(&account, &from(3, "c")).await.unwrap());
    }

    #[tokio::test]
    async fn spellings_of_a_name_that_is_nobodys_share_a_counter() {
        let (_, lockout, _) = bench().await;
        let organisation = OrgId::generate(&lockout.env);
        let one = Account::of_nobody(&organisation, "Nobody ");
        assert_eq!(one, Account::of_nobody(&organisation, "nobody"));
        for n in 0..5 {
            lockout.failed(&one, &from(n, "b")).await.unwrap();
        }
        assert!(!lockout.allows(&one, &from(9, "b")).await.unwrap());
    }
}
