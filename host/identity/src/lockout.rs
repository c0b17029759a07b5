//! Brute force: failures are counted for each account, for each address, and for all together (security item 37).
//!
//! One counter of an account serves all its spellings, all its factors and all its grants, and is given back only by a
//! login that was finished. A lock is short, grows with more failures up to a limit, and does not hold in a browser in
//! which the person has logged in before (that browser has a counter of its own): so nobody can lock anybody out for long.
//! What is tried while a lock holds does not make it longer.
//!
//! **A lock can't be seen.** The spellings of a known person share a counter, those of a name that is nobody's can't (we
//! don't know which mail would be theirs). Whoever could see that five failures of `alice` lock `alice@example.org` too
//! would know that there is an Alice. They can't: an attempt while the account is locked gets the same answer after the
//! same hashes, the same single commit (the counter is written again, unchanged) and the same count of the address. What
//! can be seen is the lock of one's own address, and of all addresses together, by logging in to an account of one's own:
//! these count names of nobody like all others.
//!
//! The account's counter is in the store, changed under its version, so that of all nodes one wins each step. Those of
//! addresses and of all together are in [`RateCounters`]: losing them loses little.

mod counters;
mod shared;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId};
use agamid_core::secret::sha256_hex;
use agamid_core::time::Timestamp;
use agamid_store::{
    AuditEvent, Batch, Expect, Index, IndexEntry, Record, Scan, Store, StoreError, Versioned,
};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::organisation::OrgScope;
use crate::person::Person;

pub use counters::{Counted, LocalCounters, RateCounters};
pub use shared::SharedCounters;

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
    /// Failures are forgotten this long after the last one, or after the end of its lock, in seconds.
    pub window_seconds: u64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { failures: 5, lock_seconds: 30, longest_lock_seconds: 900, window_seconds: 900 }
    }
}

impl Threshold {
    /// How long the lock after so many failures holds.
    fn lock(&self, count: u32) -> Duration {
        let Some(over) = count.checked_sub(self.failures.max(1)) else { return Duration::ZERO };
        let seconds = self.lock_seconds.saturating_mul(1 << over.min(20));
        Duration::from_secs(seconds.min(self.longest_lock_seconds))
    }

    /// How long a counter is kept after its last failure: a lock that ends does not end its memory.
    fn kept(&self, count: u32) -> Duration {
        self.lock(count).saturating_add(Duration::from_secs(self.window_seconds))
    }

    /// How long any counter of this kind may be kept.
    fn longest(&self) -> Duration {
        Duration::from_secs(self.longest_lock_seconds.saturating_add(self.window_seconds))
    }

    /// Whether a counter that may be lost holds a lock.
    fn holds(&self, counted: Counted) -> bool {
        counted.idle < self.lock(counted.count)
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
    /// Absent where the name is nobody's.
    #[serde(default)]
    person: Option<PersonId>,
    count: u32,
    locked_until: Timestamp,
    expires_at: Timestamp,
}

impl Record for FailuresRecord {
    const KIND: &'static str = "login_failures";
    const INDEXES: &'static [Index] = &[Index::shared("person")];

    fn key(&self) -> String {
        self.key.clone()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        self.person.iter().map(|person| IndexEntry::new("person", person.as_str())).collect()
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

/// What stands against a person's account: for administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountLock {
    /// Whose.
    pub person: PersonId,
    /// Failures of strangers that are remembered.
    pub failures: u32,
    /// Until when strangers are refused, where they are.
    pub locked_until: Option<Timestamp>,
    /// Failures in browsers that the person has logged in with.
    pub known_browser_failures: u32,
    /// Until when the last of such browsers is refused, where one is.
    pub known_browser_locked_until: Option<Timestamp>,
}

/// Part of the list of accounts with failures.
#[derive(Debug, Clone)]
pub struct LockPage {
    /// The accounts.
    pub accounts: Vec<AccountLock>,
    /// Where the next page starts; absent at the end.
    pub next: Option<String>,
}

/// Counts failures.
#[derive(Clone)]
pub struct Lockout {
    env: Env,
    store: Store,
    settings: LockoutSettings,
    counters: Arc<dyn RateCounters>,
}

impl Lockout {
    pub(crate) fn new(env: Env, store: Store, settings: LockoutSettings) -> Self {
        let counters = Arc::new(LocalCounters::new(env.clone()));
        Self { env, store, settings, counters }
    }

    pub(crate) fn with_counters(&mut self, counters: Arc<dyn RateCounters>) {
        self.counters = counters;
    }

    /// Whether an attempt may be made. The reason of a refusal is for the log only: people are told what they are told
    /// about a wrong password.
    pub async fn allows(&self, account: &Account, origin: &Origin) -> Result<bool, IdentityError> {
        let known = self.known_browser(account, origin).await?;
        let is_known = known.is_some();
        let key = known.unwrap_or_else(|| account_key(account));
        let found = self.store.get::<FailuresRecord>(&key).await?;
        let mut locked = found.filter(|found| self.env.now() < found.record.locked_until).map(|_| "account");
        if locked.is_none() && !is_known {
            locked = self.shared_lock(origin).await;
        }
        if let Some(which) = locked {
            tracing::warn!(event = "login.locked", which, address = ?origin.address);
        }
        Ok(locked.is_none())
    }

    /// Which of the counters that accounts share holds a lock.
    async fn shared_lock(&self, origin: &Origin) -> Option<&'static str> {
        for (which, key, threshold) in self.shared(origin) {
            if threshold.holds(self.counters.get(&key, threshold.longest()).await) {
                return Some(which);
            }
        }
        None
    }

    /// The counters that accounts share.
    fn shared(&self, origin: &Origin) -> Vec<(&'static str, String, &Threshold)> {
        let address = origin.address.map(|at| ("address", address_key(at), &self.settings.address));
        address.into_iter().chain([("overall", "overall".to_owned(), &self.settings.overall)]).collect()
    }

    /// Counts a failed attempt, by whatever factor: one commit, whether or not a lock holds.
    pub async fn failed(&self, account: &Account, origin: &Origin) -> Result<(), IdentityError> {
        let known = self.known_browser(account, origin).await?;
        if known.is_none() && self.shared_lock(origin).await.is_none() {
            for (_, key, threshold) in self.shared(origin) {
                self.counters.add(&key, threshold.longest()).await;
            }
        }
        let key = known.unwrap_or_else(|| account_key(account));
        for _ in 0..TRIES {
            let found = self.store.get::<FailuresRecord>(&key).await?;
            let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
            let (record, starts) = self.counted(account, &key, found.map(|found| found.record));
            let mut batch = Batch::new().put(&record, expect);
            if starts {
                batch = batch.audit(AuditEvent::new("login.locked", "server", &key));
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

    /// The counter after a failure, and whether the first lock starts with it. While a lock holds it stays as it is.
    fn counted(
        &self,
        account: &Account,
        key: &str,
        before: Option<FailuresRecord>,
    ) -> (FailuresRecord, bool) {
        let (now, threshold) = (self.env.now(), &self.settings.account);
        let count = match before {
            Some(before) if now < before.locked_until => return (before, false),
            Some(before) => before.count.saturating_add(1),
            None => 1,
        };
        let record = FailuresRecord {
            key: key.to_owned(),
            person: account.person.clone(),
            count,
            locked_until: now.plus(threshold.lock(count)),
            expires_at: now.plus(threshold.kept(count)),
        };
        (record, count == threshold.failures.max(1))
    }

    /// A login was finished: the account's failures are forgotten, and the browser is known from now on. Written with
    /// `batch`, by whoever commits it.
    pub async fn succeeded(
        &self,
        person: &PersonId,
        origin: &Origin,
        mut batch: Batch,
    ) -> Result<Batch, IdentityError> {
        let known = origin.browser.as_deref().map(|browser| known_key(person.as_str(), browser));
        for key in [Some(account_key(&Account::of_person(person))), known.clone()].into_iter().flatten() {
            if self.store.get::<FailuresRecord>(&key).await?.is_some() {
                batch = batch.delete::<FailuresRecord>(&key, Expect::Any);
            }
        }
        if let Some(key) = known
            && self.store.get::<KnownBrowserRecord>(&key).await?.is_none()
        {
            let record = KnownBrowserRecord { key, expires_at: self.env.now().plus(KNOWN) };
            batch = batch.put(&record, Expect::Any);
        }
        Ok(batch)
    }

    /// The counter of the browser itself, where the person knows it.
    async fn known_browser(
        &self,
        account: &Account,
        origin: &Origin,
    ) -> Result<Option<String>, IdentityError> {
        let Some(browser) = &origin.browser else { return Ok(None) };
        // Nobody knows a browser, but is looked up like everybody.
        let key = known_key(&account.key, browser);
        Ok(self.store.get::<KnownBrowserRecord>(&key).await?.map(|_| key))
    }

    /// What stands against a person's account.
    pub async fn state(&self, person: &PersonId) -> Result<AccountLock, IdentityError> {
        let now = self.env.now();
        let mut state = AccountLock {
            person: person.clone(),
            failures: 0,
            locked_until: None,
            known_browser_failures: 0,
            known_browser_locked_until: None,
        };
        let account = account_key(&Account::of_person(person));
        for Versioned { record, .. } in self.store.find::<FailuresRecord>("person", person.as_str()).await? {
            let until = Some(record.locked_until).filter(|until| now < *until);
            if record.key == account {
                (state.failures, state.locked_until) = (record.count, until);
            } else {
                state.known_browser_failures = state.known_browser_failures.saturating_add(record.count);
                state.known_browser_locked_until = state.known_browser_locked_until.max(until);
            }
        }
        Ok(state)
    }

    /// The accounts with failures. Names that are nobody's are left out: only their hashes are known.
    pub async fn accounts(&self, after: Option<String>, limit: usize) -> Result<LockPage, IdentityError> {
        let page = Scan { index: Some("person"), range: None, after, limit };
        let page = self.store.scan::<FailuresRecord>(page).await?;
        let mut people: Vec<PersonId> =
            page.records.into_iter().filter_map(|found| found.record.person).collect();
        people.dedup();
        let mut accounts = Vec::new();
        for person in people {
            accounts.push(self.state(&person).await?);
        }
        Ok(LockPage { accounts, next: page.next })
    }

    /// Forgets all failures of a person.
    pub async fn clear(&self, scope: &OrgScope, person: &Person, actor: &str) -> Result<(), IdentityError> {
        if !scope.covers(&person.organisation) {
            return Err(IdentityError::NoPerson);
        }
        let mut batch = Batch::new();
        for found in self.store.find::<FailuresRecord>("person", person.id.as_str()).await? {
            batch = batch.delete::<FailuresRecord>(&found.record.key, Expect::Any);
        }
        let audit = AuditEvent::new("login.unlocked", actor, person.id.as_str());
        self.store.commit(batch.audit(audit)).await?;
        Ok(())
    }
}

fn account_key(account: &Account) -> String {
    format!("account:{}", account.key)
}

fn known_key(account: &str, browser: &str) -> String {
    format!("known:{account}:{browser}")
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
        (clock, Lockout::new(env, store, LockoutSettings::default()), person)
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
