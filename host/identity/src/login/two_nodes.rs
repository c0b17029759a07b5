//! Two nodes on one database: what is counted, used up or replaced, is so once.

use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_store::testing::PrivatePostgres;
use agamid_store::{Store, StoreOptions};

use super::*;
use crate::credential::CredentialKind;
use crate::{IdentityParts, IdentitySettings, NewPerson, OrgScope};

const SSHA: &str = "{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==";

/// A node of its own: its own connections, and its own memory.
async fn node(url: &str, sealer: &Sealer) -> (Identity, Store) {
    let env = Env::system();
    let options = StoreOptions { url: url.to_owned(), kinds: crate::records(), ..StoreOptions::default() };
    let store = Store::open(options, env.clone()).await.unwrap();
    let parts = IdentityParts {
        env,
        store: store.clone(),
        sealer: sealer.clone(),
        settings: IdentitySettings::default(),
    };
    (Identity::new(parts).unwrap(), store)
}

/// How often something happened, by the audit of all nodes.
async fn audited(store: &Store, event: &str) -> usize {
    let mut count = 0;
    for chain in store.audit_chains().await.unwrap() {
        let entries = store.audit_events(&chain, 0, 1000).await.unwrap();
        count += entries.iter().filter(|entry| entry.event.event == event).count();
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failures_codes_and_first_logins_raced_from_two_nodes_count_once() {
    let database = tokio::task::spawn_blocking(|| {
        let server = PrivatePostgres::start(false).unwrap();
        let url = server.database().unwrap();
        (server, url)
    });
    let (_server, url) = database.await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::generate(&Env::system()), Env::system());
    let (one, store) = node(&url, &sealer).await;
    let (two, _) = node(&url, &sealer).await;
    let nodes = [one.clone(), two];
    let organisation = one.organisations.ensure_default().await.unwrap().id;
    let new = NewPerson { username: "alice".into(), ..NewPerson::default() };
    let person = one.persons.create(&organisation, new, "test").await.unwrap();
    one.passwords.set_hash(&person, SSHA).await.unwrap();

    let race = async |count: usize, work: &'static str, code: Option<String>| {
        let tries = (0..count).map(|n| {
            let (node, id) = (nodes[n % 2].clone(), person.id.clone());
            let (organisation, code) = (organisation.clone(), code.clone().unwrap_or_default());
            tokio::spawn(async move {
                let (account, origin) = (Account::of_person(&id), Origin::default());
                match work {
                    "fail" => node.lockout.failed(&account, &origin).await.map(|()| true).unwrap(),
                    "code" => node.credentials.use_recovery_code(&id, &code).await.unwrap(),
                    _ => {
                        let found = node.log_in(&organisation, "alice", "correct horse", &origin).await;
                        found.unwrap().is_some()
                    }
                }
            })
        });
        let mut wins = 0;
        for one in tries.collect::<Vec<_>>() {
            wins += usize::from(one.await.unwrap());
        }
        wins
    };

    assert_eq!(
        race(10, "log in", None).await,
        10,
        "who loses the race for the new hash gets in all the same"
    );
    let all = one.credentials.of_person(&OrgScope::All, &person.id).await.unwrap();
    assert_eq!((all.len(), audited(&store, "password.rehashed").await), (1, 1));

    race(4, "fail", None).await;
    assert_eq!(nodes[1].lockout.state(&person.id).await.unwrap().failures, 4, "each is counted");
    race(12, "fail", None).await;
    let state = one.lockout.state(&person.id).await.unwrap();
    assert_eq!((state.failures, audited(&store, "login.locked").await), (5, 1), "one of them locks");
    assert_eq!(race(4, "log in", None).await, 0, "on both nodes");

    let codes = one.credentials.make_recovery_codes(&person).await.unwrap().codes;
    let code = codes[0].expose().to_owned();
    assert_eq!(race(16, "code", Some(code)).await, 1);
    assert_eq!(nodes[1].credentials.recovery_codes_left(&person.id).await.unwrap(), 9);
    let found = one.credentials.find(&person.id, CredentialKind::Password).await.unwrap();
    assert!(found.is_some(), "the password is not touched by it");
}
