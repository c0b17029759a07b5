#[path = "../../../../tests/support/slapd.rs"]
mod slapd;

mod imports;
mod servers;

use std::sync::Arc;

use agamid_core::id::OrgId;
use agamid_core::random::SystemRng;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::Secret;
use agamid_core::time::{ManualClock, Timestamp};
use agamid_store::Scan;

use super::*;
use crate::{Identity, IdentityParts, IdentitySettings, NewPerson};
use slapd::{PASSWORD, PEOPLE, SEARCHER, SEARCHER_PASSWORD, Slapd};

/// A house with directories, and a clock that is moved by hand.
struct House {
    identity: Identity,
    store: Store,
    clock: Arc<ManualClock>,
    organisation: OrgId,
}

fn settings(slapd: &Slapd) -> DirectorySettings {
    DirectorySettings {
        name: "staff".into(),
        urls: vec![slapd.url()],
        tls: TlsMode::None,
        bind_dn: SEARCHER.into(),
        bind_password_file: Some(slapd.password_file()),
        base_dn: PEOPLE.into(),
        user_filter: "(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))".into(),
        ..DirectorySettings::default()
    }
}

async fn house(settings: Vec<DirectorySettings>) -> House {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
    let env = Env { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::of_secret("test"), env.clone());
    let parts = IdentityParts { env, store: store.clone(), sealer, settings: IdentitySettings::default() };
    let identity = Identity::new(parts).unwrap().with_directories(DirectoriesSettings(settings)).unwrap();
    let organisation = identity.organisations.ensure_default().await.unwrap().id;
    House { identity, store, clock, organisation }
}

impl House {
    async fn log_in(&self, login: &str, password: &str) -> Option<Person> {
        self.try_log_in(login, password).await.unwrap()
    }

    async fn try_log_in(&self, login: &str, password: &str) -> Result<Option<Person>, IdentityError> {
        self.identity.directories.authenticate(&self.organisation, login, password, true).await
    }

    async fn people(&self) -> Vec<Person> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page =
                self.store.scan::<Person>(Scan { after, limit: 1000, ..Scan::default() }).await.unwrap();
            all.extend(page.records.into_iter().map(|found| found.record));
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    fn exchanges(&self) -> u64 {
        self.identity.directories.exchanges()
    }
}

#[tokio::test]
async fn a_right_password_makes_a_person_of_the_entry_and_a_wrong_one_nobody() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    assert_eq!(house.log_in("alice", "wrong").await, None);
    assert_eq!(house.log_in("nobody", PASSWORD).await, None);
    assert!(house.people().await.is_empty());

    let alice = house.log_in("Alice@Example.org", PASSWORD).await.unwrap();
    assert_eq!((alice.username.as_str(), alice.email()), ("alice", Some("alice@example.org")));
    assert_eq!((alice.text("given_name"), alice.text("name")), (Some("Alice"), Some("Alice Liddell")));
    assert!(alice.primary("emails").unwrap()["verified"] == false && !alice.administrator);
    let again = house.log_in("ALICE", PASSWORD).await.unwrap();
    assert_eq!(again, alice, "the second login changes nothing");
    assert_eq!(house.people().await.len(), 1);
    assert!(house.identity.directories.is_source_of(&alice.id).await.unwrap());
}

#[tokio::test]
async fn an_empty_password_asks_nobody_though_the_server_would_accept_it() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    for password in ["", "a\0b", &"x".repeat(2000)] {
        assert_eq!(house.log_in("alice", password).await, None);
    }
    assert_eq!(house.exchanges(), 0);
}

#[tokio::test]
async fn what_is_typed_can_not_change_the_search() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    for login in [
        "*",
        "ali*",
        "alice)(uid=*",
        "alice))(|(uid=*",
        "*)(objectClass=*",
        "\\61lice",
        "alice\0",
        "alice,ou=people",
        "{login}",
        "alice)(!(uid=x",
    ] {
        assert_eq!(house.log_in(login, PASSWORD).await, None, "{login:?}");
        let found = house.identity.directories.find("staff", &house.organisation, login).await;
        assert_eq!(found.unwrap(), None, "{login:?}");
    }
    assert!(house.log_in("alice", PASSWORD).await.is_some());
}

#[tokio::test]
async fn a_login_that_several_entries_have_is_nobodys() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    assert_eq!(house.log_in("twins@example.org", PASSWORD).await, None);
    assert!(house.log_in("twin1", PASSWORD).await.is_some());
}

#[tokio::test]
async fn unknown_wrong_disabled_and_right_cost_a_directory_the_same_and_local_people_nothing() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let bob = house.log_in("bob", PASSWORD).await.unwrap();
    house
        .identity
        .persons
        .set_status(&crate::OrgScope::All, &bob.id, crate::AccountStatus::disabled(), "test")
        .await
        .unwrap();
    let new = NewPerson { username: "local".into(), ..NewPerson::default() };
    house.identity.persons.create(&house.organisation, new, "test").await.unwrap();
    for (login, password, found, cost) in [
        ("alice", PASSWORD, true, 2),
        ("alice", "wrong", false, 2),
        ("nobody", PASSWORD, false, 2),
        ("twins@example.org", PASSWORD, false, 2),
        ("bob", PASSWORD, false, 2),
        ("local", PASSWORD, false, 0),
    ] {
        let before = house.exchanges();
        assert_eq!(house.log_in(login, password).await.is_some(), found, "{login}");
        assert_eq!(house.exchanges() - before, cost, "{login}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_costs_the_same_and_does_not_try_the_password() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    for (allowed, found) in [(true, true), (false, false)] {
        let before = house.exchanges();
        let directories = &house.identity.directories;
        let answer = directories.authenticate(&house.organisation, "alice", PASSWORD, allowed).await.unwrap();
        assert_eq!((answer.is_some(), house.exchanges() - before), (found, 2));
    }
}

#[tokio::test]
async fn the_password_of_a_directorys_person_is_checked_and_changed_there_only() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let origin = crate::lockout::Origin::default();
    let log_in = async |identity: &Identity, password: &str| {
        identity.log_in(&house.organisation, "alice", password, &origin).await.unwrap()
    };
    let alice = log_in(&house.identity, PASSWORD).await.unwrap();
    let local = "a password that is kept here";
    house.identity.passwords.set(&alice, local).await.unwrap();
    assert_eq!(log_in(&house.identity, local).await, None);
    let changed = house.identity.change_password(&alice, PASSWORD, "another long password", &origin).await;
    let refused = crate::password::policy::Violation::Directory;
    assert_eq!(changed.unwrap(), crate::login::Changed::Refused(vec![refused]));
    // Without the directory the person is like a local one.
    let alone = house.identity.clone().with_directories(DirectoriesSettings::default()).unwrap();
    assert_eq!(log_in(&alone, local).await.map(|person| person.id), Some(alice.id));
}

#[tokio::test]
async fn a_renamed_and_moved_entry_stays_the_same_person() {
    let mut slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let before = house.log_in("alice", PASSWORD).await.unwrap();
    let id =
        house.identity.directories.find("staff", &house.organisation, "alice").await.unwrap().unwrap().id;
    slapd.delete("alice");
    slapd.add("alice2", "Alice Hargreaves", id.strip_prefix("t:"));
    let after = house.log_in("alice2", PASSWORD).await.unwrap();
    assert_eq!(after.id, before.id);
    assert_eq!((after.username.as_str(), after.email()), ("alice2", Some("alice2@example.org")));
    assert_eq!(house.log_in("alice", PASSWORD).await, None);
    assert_eq!(house.people().await.len(), 1);
}

#[tokio::test]
async fn another_entry_under_an_old_name_is_not_the_person_it_was() {
    let mut slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let before = house.log_in("alice", PASSWORD).await.unwrap();
    slapd.delete("alice");
    slapd.add("alice", "Alice Other", None);
    assert_eq!(house.log_in("alice", PASSWORD).await, None);
    assert_eq!(house.people().await, [before]);
}

#[tokio::test]
async fn a_directory_does_not_take_over_a_local_person() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let new = NewPerson { username: "ALICE".into(), administrator: true, ..NewPerson::default() };
    let local = house.identity.persons.create(&house.organisation, new, "test").await.unwrap();
    assert_eq!(house.log_in("alice", PASSWORD).await, None);
    assert_eq!(house.log_in("alice@example.org", PASSWORD).await, None, "nor by the entry's mail address");
    assert_eq!(house.people().await, [local]);
}

#[tokio::test]
async fn twenty_first_logins_at_once_make_one_person() {
    let slapd = Slapd::start("localhost", 0);
    let house = Arc::new(house(vec![settings(&slapd)]).await);
    let tries = (0..20).map(|_| {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.log_in("alice", PASSWORD).await.unwrap().id })
    });
    let mut ids = std::collections::BTreeSet::new();
    for one in tries.collect::<Vec<_>>() {
        ids.insert(one.await.unwrap());
    }
    assert_eq!((ids.len(), house.people().await.len()), (1, 1));
}

#[tokio::test]
async fn a_directory_serves_its_organisation_only_and_needs_its_name() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let elsewhere = OrgId::generate(&Env::system());
    let directories = &house.identity.directories;
    assert_eq!(directories.authenticate(&elsewhere, "alice", PASSWORD, true).await.unwrap(), None);
    for (name, organisation) in [("staff", &elsewhere), ("other", &house.organisation)] {
        let found = directories.find(name, organisation, "alice").await;
        assert!(matches!(found, Err(IdentityError::Directory(DirectoryError::Unknown(_)))));
    }
    assert_eq!(house.exchanges(), 0);
}

#[tokio::test]
async fn a_directory_of_an_organisation_that_is_not_there_says_so() {
    let slapd = Slapd::start("localhost", 0);
    let lost = DirectorySettings { organisation: "nowhere".into(), ..settings(&slapd) };
    let house = house(vec![lost]).await;
    assert_eq!(house.log_in("alice", PASSWORD).await, None);
    let state = house.identity.directories.state().await.unwrap().remove(0);
    assert!(state.problem.unwrap().contains("nowhere"));
    let stopped = house.identity.directories.import("staff").await.unwrap_err();
    assert!(stopped.to_string().contains("nowhere"));
}

#[tokio::test]
async fn flows_read_the_attributes_they_may_and_never_a_password() {
    let slapd = Slapd::start("localhost", 0);
    let allowed = DirectorySettings { flow_attributes: vec!["cn".into()], ..settings(&slapd) };
    let house = house(vec![allowed]).await;
    let names: Vec<String> = ["mail", "CN", "userPassword", "objectClass", "sn"].map(str::to_owned).into();
    let read = house.identity.directories.attributes("staff", &house.organisation, "alice", &names);
    let read = read.await.unwrap();
    let values: Vec<&[String]> = read.iter().map(|(_, values)| values.as_slice()).collect();
    assert_eq!(values[0], ["alice@example.org"]);
    assert_eq!(values[1], ["Alice Liddell"]);
    assert!(values[2].is_empty() && values[3].is_empty(), "{values:?}");
    assert_eq!(values[4], ["Liddell"]);
}

#[tokio::test]
async fn a_sealed_password_of_the_search_account_opens_for_its_directory_only() {
    let slapd = Slapd::start("localhost", 0);
    let sealer = Sealer::new(EnvelopeKey::of_secret("test"), Env::system());
    let sealed = |name: &str| seal_password(&sealer, name, &Secret::new(SEARCHER_PASSWORD)).unwrap();
    let with = |name: &str| DirectorySettings {
        bind_password_file: None,
        bind_password_sealed: Some(sealed(name)),
        ..settings(&slapd)
    };
    assert!(house(vec![with("staff")]).await.log_in("alice", PASSWORD).await.is_some());
    assert!(house(vec![with("other")]).await.try_log_in("alice", PASSWORD).await.is_err());
}
