use agamid_core::BoxFuture;
use agamid_core::ports::{HookError, HookPoint};
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::time::{ManualClock, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::{Identity, IdentityParts, IdentitySettings, NewPerson};

/// Identity, its clock, and a person without a password.
async fn house(rules: PasswordSettings, hooks: Option<Value>) -> (Identity, Arc<ManualClock>, Person) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
    let env = Env { clock: clock.clone(), ..Env::system() };
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
    let settings = IdentitySettings { password: rules, ..IdentitySettings::default() };
    let identity = Identity::new(IdentityParts { env, store, sealer, settings }).unwrap();
    if let Some(answer) = hooks {
        assert!(identity.set_hooks(Arc::new(Answering(answer))));
    }
    let organisation = identity.organisations.ensure_default().await.unwrap();
    let new = NewPerson { username: "alice".into(), ..NewPerson::default() };
    let person = identity.persons.create(&organisation.id, new, "test").await.unwrap();
    (identity, clock, person)
}

/// A hook that answers this, or fails where it is null.
struct Answering(Value);

impl Hooks for Answering {
    fn has(&self, point: HookPoint) -> bool {
        point == HookPoint::PasswordPolicy
    }

    fn call(&self, point: HookPoint, request: Value) -> BoxFuture<'_, Result<Value, HookError>> {
        Box::pin(async move {
            let person = &request["person"];
            assert_eq!(
                (person["username"].as_str(), request["password"].as_str()),
                (Some("alice"), Some("fine words"))
            );
            if self.0.is_null() {
                return Err(HookError { point: point.name(), reason: "it is gone".to_owned() });
            }
            Ok(self.0.clone())
        })
    }
}

fn codes(result: Result<(), IdentityError>) -> Vec<String> {
    match result {
        Ok(()) => Vec::new(),
        Err(IdentityError::Password(found)) => found.iter().map(|one| one.code().to_owned()).collect(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn the_last_passwords_do_not_come_back_and_older_ones_do() {
    let rules = PasswordSettings { history: 3, ..PasswordSettings::default() };
    let (identity, _, person) = house(rules, None).await;
    let set = async |password: &str| codes(identity.passwords.set(&person, password).await);
    for password in ["first words", "second words", "third words"] {
        assert!(set(password).await.is_empty());
    }
    for password in ["first words", "second words", "third words"] {
        assert_eq!(set(password).await, ["used"], "{password}");
    }
    assert!(set("fourth words").await.is_empty());
    assert!(set("first words").await.is_empty());
    assert_eq!(set("fourth words").await, ["used"]);
}

#[tokio::test]
async fn imported_hashes_are_part_of_the_history() {
    let rules = PasswordSettings { history: 5, ..PasswordSettings::default() };
    let (identity, _, person) = house(rules, None).await;
    identity.passwords.set_hash(&person, "{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==").await.unwrap();
    assert_eq!(codes(identity.passwords.set(&person, "correct horse").await), ["used"]);
    assert!(codes(identity.passwords.set(&person, "battery staple").await).is_empty());
    assert_eq!(codes(identity.passwords.set(&person, "correct horse").await), ["used"]);
}

#[tokio::test]
async fn a_person_keeps_a_new_password_for_a_while_and_an_administrator_need_not_wait() {
    let rules =
        PasswordSettings { min_age_seconds: 3600, max_age_seconds: 7200, ..PasswordSettings::default() };
    let (identity, clock, person) = house(rules, None).await;
    let passwords = &identity.passwords;
    let own =
        async |password: &str| codes(passwords.set_by(&person, password, ChangedBy::Person, "alice").await);
    assert!(own("first words").await.is_empty(), "there was none before");
    assert_eq!(own("short").await, ["too_short", "too_soon"]);
    assert!(codes(passwords.set(&person, "second words").await).is_empty());
    clock.advance(Duration::from_secs(3600));
    assert!(own("third words").await.is_empty());
    assert!(!passwords.is_over_age(&person.id).await.unwrap());
    clock.advance(Duration::from_secs(7201));
    assert!(passwords.is_over_age(&person.id).await.unwrap());
}

#[tokio::test]
async fn a_hook_adds_its_rules_and_one_that_fails_allows_nothing() {
    let cases = [
        (json!({ "violations": [] }), vec![]),
        (json!({ "violations": [{ "code": "leaked", "message": "It was leaked." }] }), vec!["leaked"]),
        (json!({ "violations": [{ "code": "leaked" }] }), vec!["unchecked"]),
        (json!({ "ok": true }), vec!["unchecked"]),
        (json!({ "violations": [], "also": 1 }), vec!["unchecked"]),
        (Value::Null, vec!["unchecked"]),
    ];
    for (answer, expected) in cases {
        let (identity, _, person) = house(PasswordSettings::default(), Some(answer.clone())).await;
        assert_eq!(codes(identity.passwords.set(&person, "fine words").await), expected, "{answer}");
    }
}

#[tokio::test]
async fn of_two_passwords_set_at_once_one_stays() {
    let (identity, _, person) = house(PasswordSettings::default(), None).await;
    let sets = (0..8).map(|n| {
        let (passwords, person) = (identity.passwords.clone(), person.clone());
        tokio::spawn(async move { passwords.set(&person, &format!("words number {n}")).await })
    });
    for one in sets.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    let all = identity.credentials.all_of(&person.id, CredentialKind::Password).await.unwrap();
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn hashes_that_can_not_be_imported_change_nothing() {
    let (identity, _, person) = house(PasswordSettings::default(), None).await;
    for text in ["plain", "$2b$12$x", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="] {
        assert!(
            matches!(identity.passwords.set_hash(&person, text).await, Err(IdentityError::Hash(_))),
            "{text}"
        );
    }
    assert!(identity.credentials.find(&person.id, CredentialKind::Password).await.unwrap().is_none());
}

#[test]
fn the_former_name_of_the_shortest_length_still_counts() {
    let old: IdentitySettings = serde_json::from_value(json!({ "password_min_length": 10 })).unwrap();
    assert_eq!(old.password_rules().min_length, 10);
    assert_eq!(IdentitySettings::default().password_rules().min_length, 8);
}
