use std::collections::BTreeMap;
use std::sync::Arc;

use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::time::{ManualClock, Timestamp};
use agamid_store::Store;
use agamid_store::testing::fault::Counts;

use super::*;
use crate::credential::CredentialKind;
use crate::{IdentityParts, IdentitySettings, NewPerson};

const BCRYPT: &str = "$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC";
const SCRYPT: &str =
    "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$A9lBa6RTbfBovWqamVIqXKovIl4Vk6OZyVojLJmYmSI";
const SSHA: &str = "{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==";
const PASSWORD: &str = "correct horse";

/// An identity over a store whose commits are counted, by a clock that stands still.
struct House {
    identity: Identity,
    organisation: OrgId,
    counts: Counts,
    clock: Arc<ManualClock>,
}

async fn house(settings: IdentitySettings) -> House {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
    let env = Env { clock: clock.clone(), ..Env::system() };
    let (store, counts) = Store::memory(env.clone()).await.unwrap().counting();
    let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
    let identity = Identity::new(IdentityParts { env, store, sealer, settings }).unwrap();
    let organisation = identity.organisations.ensure_default().await.unwrap().id;
    House { identity, organisation, counts, clock }
}

impl House {
    async fn person(&self, name: &str, hash: Option<&str>) -> Person {
        let email = Some(format!("{name}@example.org"));
        let new = NewPerson { username: name.into(), email, ..NewPerson::default() };
        let person = self.identity.persons.create(&self.organisation, new, "test").await.unwrap();
        if let Some(hash) = hash {
            self.identity.passwords.set_hash(&person, hash).await.unwrap();
        }
        person
    }

    /// The answer, and the work it took: hashes by what they cost, lookups and commits.
    async fn try_in(&self, login: &str, password: &str) -> Work {
        let before = self.identity.passwords.hashes_by_shape();
        let (reads, writes) = (self.counts.reads(), self.counts.writes());
        let origin = Origin { address: Some([10, 0, 0, 1].into()), browser: Some("b".to_owned()) };
        let found = self.identity.log_in(&self.organisation, login, password, &origin).await.unwrap();
        let mut hashes = self.identity.passwords.hashes_by_shape();
        for (shape, count) in before {
            *hashes.get_mut(&shape).unwrap() -= count;
        }
        hashes.retain(|_, count| *count > 0);
        let (reads, writes) = (self.counts.reads() - reads, self.counts.writes() - writes);
        Work { is_in: found.is_some(), hashes, reads, writes }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Work {
    is_in: bool,
    hashes: BTreeMap<String, u64>,
    reads: u64,
    writes: u64,
}

fn hashes(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(shape, count)| ((*shape).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_refusal_costs_the_same_hashes_lookups_and_one_commit_whoever_it_is() {
    let house = house(IdentitySettings::default()).await;
    let own = house.identity.passwords.hash(PASSWORD).await.unwrap();
    house.person("alice", Some(&own)).await;
    house.person("bare", None).await;
    for (name, hash) in [("crypt", BCRYPT), ("scrypt", SCRYPT), ("directory", SSHA)] {
        house.person(name, Some(hash)).await;
    }
    let disabled = house.person("disabled", Some(BCRYPT)).await;
    house
        .identity
        .persons
        .set_status(&crate::OrgScope::All, &disabled.id, crate::AccountStatus::disabled(), "test")
        .await
        .unwrap();
    house.person("locked", Some(&own)).await;
    for _ in 0..6 {
        house.try_in("locked", "wrong").await;
    }
    let expected = house.try_in("nobody", "wrong").await;
    assert_eq!((expected.is_in, expected.writes), (false, 1));
    assert_eq!(expected.hashes, hashes(&[("argon2id", 1), ("bcrypt:6", 1), ("scrypt:10:8:1", 1)]));
    for login in
        ["alice", "ALICE@example.org", "bare", "crypt", "scrypt", "directory", "disabled", "locked", "nobody"]
    {
        assert_eq!(house.try_in(login, "wrong").await, expected, "{login}");
    }
    for login in ["disabled", "locked"] {
        assert_eq!(house.try_in(login, PASSWORD).await, expected, "{login}, with the right password");
    }
    assert_eq!(house.try_in("alice", &"x".repeat(5_000)).await, expected);
}

#[tokio::test]
async fn an_imported_hash_becomes_ours_at_the_first_login_and_its_work_ends_with_the_last_of_its_kind() {
    let house = house(IdentitySettings::default()).await;
    let person = house.person("alice", Some(BCRYPT)).await;
    assert!(!house.try_in("alice", "wrong").await.is_in);
    let first = house.try_in("alice", PASSWORD).await;
    assert_eq!((first.is_in, first.writes), (true, 1));
    assert_eq!(first.hashes, hashes(&[("argon2id", 1), ("bcrypt:6", 1)]));
    let credential =
        house.identity.credentials.find(&person.id, CredentialKind::Password).await.unwrap().unwrap();
    assert!(credential.material.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(credential.last_used_at.is_some());
    let alone = hashes(&[("argon2id", 1)]);
    let second = house.try_in("alice", PASSWORD).await;
    assert!(second.is_in);
    assert_eq!((second.hashes, second.writes), (alone.clone(), 0), "nothing to write for an hour");
    house.clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(house.try_in("nobody", "wrong").await.hashes, alone);
}

#[tokio::test]
async fn many_first_logins_at_once_all_get_in_and_leave_one_credential() {
    let house = house(IdentitySettings::default()).await;
    let person = house.person("alice", Some(SSHA)).await;
    let tries = (0..10).map(|_| {
        let (identity, organisation) = (house.identity.clone(), house.organisation.clone());
        tokio::spawn(async move {
            identity.log_in(&organisation, "alice", PASSWORD, &Origin::default()).await.unwrap().is_some()
        })
    });
    for one in tries.collect::<Vec<_>>() {
        assert!(one.await.unwrap());
    }
    let all = house.identity.credentials.of_person(&crate::OrgScope::All, &person.id).await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(house.try_in("alice", PASSWORD).await.is_in);
}

#[tokio::test]
async fn more_kinds_of_imported_hashes_than_failed_logins_can_bear_are_refused() {
    let house = house(IdentitySettings::default()).await;
    let bcrypt = |cost: u32| BCRYPT.replace("$06$", &format!("$0{cost}$"));
    for cost in 4..8 {
        house.person(&format!("p{cost}"), Some(&bcrypt(cost))).await;
    }
    let more = house.person("more", Some(&bcrypt(5))).await;
    let refused = house.identity.passwords.set_hash(&more, SCRYPT).await.unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("scrypt:10:8:1")
            && said.contains("bcrypt:4, bcrypt:5")
            && said.contains("hide_imported")
    );
    house.identity.passwords.set_hash(&more, SSHA).await.unwrap();
    assert_eq!(house.try_in("nobody", "x").await.hashes.len(), 5);
}

#[tokio::test]
async fn where_imports_need_not_be_hidden_only_their_owners_pay() {
    let mut settings = IdentitySettings::default();
    settings.password.hide_imported = false;
    let house = house(settings).await;
    house.person("crypt", Some(BCRYPT)).await;
    assert_eq!(house.try_in("nobody", "x").await.hashes, hashes(&[("argon2id", 1)]));
    assert_eq!(house.try_in("crypt", "x").await.hashes.len(), 2);
}

#[tokio::test]
async fn spellings_of_somebody_and_of_nobody_look_alike_also_after_a_lock() {
    let house = house(IdentitySettings::default()).await;
    let own = house.identity.passwords.hash(PASSWORD).await.unwrap();
    house.person("alice", Some(&own)).await;
    // Which imports there are is looked up every few seconds, by whoever comes then.
    house.try_in("somebody", "wrong").await;
    let mut seen = Vec::new();
    for name in ["alice", "carol"] {
        let mut answers = Vec::new();
        for login in [name.to_owned(), format!("{name}@example.org"), name.to_uppercase()] {
            for _ in 0..6 {
                answers.push(house.try_in(&login, "wrong").await);
            }
        }
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(!house.try_in("Alice@Example.org", PASSWORD).await.is_in, "one counter serves all spellings");
}

#[tokio::test]
async fn of_guesses_at_once_each_is_counted_and_none_beyond_the_limit() {
    let house = house(IdentitySettings::default()).await;
    let person = house.person("alice", None).await;
    let tries = (0..4).map(|_| {
        let (lockout, account) = (house.identity.lockout.clone(), Account::of_person(&person.id));
        tokio::spawn(async move { lockout.failed(&account, &Origin::default()).await.unwrap() })
    });
    for one in tries.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let state = house.identity.lockout.state(&person.id).await.unwrap();
    assert_eq!((state.failures, state.locked_until), (4, None));
    let (account, origin) = (Account::of_person(&person.id), Origin::default());
    for _ in 0..20 {
        house.identity.lockout.failed(&account, &origin).await.unwrap();
    }
    let state = house.identity.lockout.state(&person.id).await.unwrap();
    assert_eq!(state.failures, 5, "what is tried while a lock holds does not make it longer");
    assert!(state.locked_until.is_some());
}

#[tokio::test]
async fn an_administrator_sees_a_lock_and_lifts_it() {
    let house = house(IdentitySettings::default()).await;
    let own = house.identity.passwords.hash(PASSWORD).await.unwrap();
    let person = house.person("alice", Some(&own)).await;
    for _ in 0..5 {
        house.try_in("alice", "wrong").await;
        house.try_in("nobody", "wrong").await;
    }
    let page = house.identity.lockout.accounts(None, 10).await.unwrap();
    assert_eq!(page.accounts.len(), 1, "names of nobody are not shown");
    assert_eq!((page.accounts[0].person.clone(), page.accounts[0].failures), (person.id.clone(), 5));
    assert!(!house.try_in("alice", PASSWORD).await.is_in);
    let elsewhere = crate::OrgScope::One(OrgId::generate(&Env::system()));
    assert!(house.identity.lockout.clear(&elsewhere, &person, "admin").await.is_err());
    house.identity.lockout.clear(&crate::OrgScope::All, &person, "admin").await.unwrap();
    assert!(house.try_in("alice", PASSWORD).await.is_in);
    assert!(house.identity.lockout.accounts(None, 10).await.unwrap().accounts.is_empty());
}

#[tokio::test]
async fn a_person_changes_their_password_with_the_old_one_and_wrong_ones_count() {
    let house = house(IdentitySettings::default()).await;
    let own = house.identity.passwords.hash(PASSWORD).await.unwrap();
    let person = house.person("alice", Some(&own)).await;
    let change = async |old: &str, new: &str| {
        house.identity.change_password(&person, old, new, &Origin::default()).await.unwrap()
    };
    assert!(
        matches!(change(PASSWORD, "short").await, Changed::Refused(found) if found[0].code() == "too_short")
    );
    assert_eq!(change(PASSWORD, "battery staple").await, Changed::Yes);
    for _ in 0..5 {
        assert_eq!(change(PASSWORD, "something else").await, Changed::WrongPassword);
    }
    assert_eq!(change("battery staple", "something else").await, Changed::WrongPassword, "locked");
}

#[tokio::test]
async fn who_has_no_password_here_can_not_make_one_by_changing_it() {
    let house = house(IdentitySettings::default()).await;
    let person = house.person("directory", None).await;
    for old in ["", "wrong"] {
        let changed =
            house.identity.change_password(&person, old, "battery staple", &Origin::default()).await;
        assert_eq!(changed.unwrap(), Changed::WrongPassword);
    }
    let all = house.identity.credentials.of_person(&crate::OrgScope::All, &person.id).await.unwrap();
    assert!(all.is_empty());
}
