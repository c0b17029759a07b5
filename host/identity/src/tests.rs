use std::sync::Arc;

use agamid_core::random::SystemRng;
use agamid_core::seal::EnvelopeKey;
use agamid_core::time::ManualClock;
use agamid_store::{Batch, Scan};

use super::credential::{Credential, CredentialKind};
use super::session::NewSession;
use super::*;
use agamid_core::secret::Secret;

pub(crate) async fn identity() -> (Identity, Store, organisation::Organisation) {
    identity_in(Env::system()).await
}

pub(crate) async fn identity_at(clock: Arc<ManualClock>) -> (Identity, Store, organisation::Organisation) {
    identity_in(Env { clock, rng: Arc::new(SystemRng) }).await
}

async fn identity_in(env: Env) -> (Identity, Store, organisation::Organisation) {
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
    let parts = IdentityParts { env, store: store.clone(), sealer, settings: IdentitySettings::default() };
    let identity = Identity::new(parts).unwrap();
    let organisation = identity.organisations.ensure_default().await.unwrap();
    (identity, store, organisation)
}

pub(crate) async fn alice(identity: &Identity, organisation: &organisation::Organisation) -> Person {
    let new = NewPerson {
        username: "Alice".into(),
        email: Some("alice@example.org".into()),
        ..NewPerson::default()
    };
    identity.persons.create(&organisation.id, new, "test").await.unwrap()
}

#[tokio::test]
async fn people_are_found_by_username_and_mail_in_any_case_and_only_in_their_organisation() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    for login in ["alice", " ALICE ", "Alice@Example.org"] {
        let found = identity.persons.by_login(&organisation.id, login).await.unwrap();
        assert_eq!(found.map(|found| found.id), Some(person.id.clone()), "{login}");
    }
    let elsewhere = agamid_core::id::OrgId::generate(&Env::system());
    assert!(identity.persons.by_login(&elsewhere, "alice").await.unwrap().is_none());
    assert!(identity.persons.get(&OrgScope::One(elsewhere), &person.id).await.unwrap().is_none());
    let again = NewPerson { username: "aLICE".into(), ..NewPerson::default() };
    let taken = identity.persons.create(&organisation.id, again, "test").await;
    assert!(matches!(taken, Err(IdentityError::UsernameTaken(_))));
}

#[tokio::test]
async fn wrong_unknown_disabled_and_password_less_people_cost_the_same_work() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let new = NewPerson { username: "bare".into(), ..NewPerson::default() };
    identity.persons.create(&organisation.id, new, "test").await.unwrap();
    identity.passwords.set(&person, "correct horse").await.unwrap();
    let verify = async |login: &str, password: &str| {
        let before = identity.passwords.hashes_computed();
        let found = identity.passwords.verify(&organisation.id, login, password).await.unwrap();
        (found.is_some(), identity.passwords.hashes_computed() - before)
    };
    assert_eq!(verify("alice", "correct horse").await, (true, 1));
    assert_eq!(verify("alice", "wrong").await, (false, 1));
    assert_eq!(verify("nobody", "correct horse").await, (false, 1));
    assert_eq!(verify("bare", "nobody has this password").await, (false, 1));
    assert_eq!(verify("alice", &"x".repeat(5000)).await, (false, 1));
    let scope = OrgScope::One(organisation.id.clone());
    identity.persons.set_status(&scope, &person.id, AccountStatus::disabled(), "test").await.unwrap();
    assert_eq!(verify("alice", "correct horse").await, (false, 1));
}

#[tokio::test]
async fn the_hash_of_nobody_is_checked_with_the_parameters_of_a_real_one() {
    let env = Env::system();
    let parts = |phc: &str| phc.rsplitn(3, '$').nth(2).unwrap().to_owned();
    let (nobody, real) = (password::nobodys_hash(&env), password::hash_password(&env, "x").unwrap());
    assert_eq!(parts(&nobody), parts(&real));
    assert_eq!(nobody.len(), real.len());
    assert_ne!(nobody, password::nobodys_hash(&env));
}

#[tokio::test]
async fn a_step_is_used_once_also_in_a_race() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let credential = identity
        .credentials
        .add_sealed(&person, CredentialKind::Totp, None, &Secret::new("SEED"))
        .await
        .unwrap();
    let tries = (0..20).map(|_| {
        let (credentials, id) = (identity.credentials.clone(), credential.id.clone());
        tokio::spawn(async move { credentials.advance(&id, 7).await.unwrap() })
    });
    let mut wins = 0;
    for one in tries.collect::<Vec<_>>() {
        wins += u32::from(one.await.unwrap());
    }
    assert_eq!(wins, 1);
    assert!(!identity.credentials.advance(&credential.id, 6).await.unwrap());
    assert!(identity.credentials.advance(&credential.id, 8).await.unwrap());
}

#[tokio::test]
async fn the_store_alone_holds_neither_seed_nor_password() {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    identity.passwords.set(&person, "correct horse").await.unwrap();
    let made = identity
        .credentials
        .add_sealed(&person, CredentialKind::Totp, None, &Secret::new("JBSWY3DPEHPK3PXP"))
        .await
        .unwrap();
    assert_eq!(identity.credentials.open(&made).unwrap().expose(), "JBSWY3DPEHPK3PXP");
    let all = store.scan::<Credential>(Scan { limit: 100, ..Scan::default() }).await.unwrap();
    let dump: String =
        all.records.iter().map(|found| serde_json::to_string(&found.record).unwrap()).collect();
    assert_eq!(all.records.len(), 2);
    assert!(!dump.contains("JBSWY3DPEHPK3PXP") && !dump.contains("correct horse"));
}

#[tokio::test]
async fn a_session_is_known_by_its_cookie_only_and_ends() {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let new = NewSession {
        person: person.id.clone(),
        organisation: organisation.id.clone(),
        browser: "b".into(),
        amr: vec!["pwd".into()],
        acr: "agama_x".into(),
        device: session::Device::default(),
    };
    let (first, cookie, batch) = identity.sessions.start(new.clone(), true, Batch::new()).await.unwrap();
    store.commit(batch).await.unwrap();
    assert_eq!(identity.sessions.by_cookie(cookie.expose(), None).await.unwrap(), Some(first.clone()));
    assert_eq!(identity.sessions.by_cookie(first.id.as_str(), None).await.unwrap(), None);
    assert_eq!(identity.sessions.by_cookie(&first.hash, None).await.unwrap(), None);

    let (second, other, batch) = identity.sessions.start(new, true, Batch::new()).await.unwrap();
    store.commit(batch).await.unwrap();
    assert_eq!(
        identity.sessions.by_cookie(cookie.expose(), None).await.unwrap(),
        None,
        "a new login ends the old session"
    );
    assert!(identity.sessions.switch(&second.id, "another browser", Batch::new()).await.unwrap().is_none());
    let (switched, rotated, batch) =
        identity.sessions.switch(&second.id, "b", Batch::new()).await.unwrap().unwrap();
    store.commit(batch).await.unwrap();
    assert_eq!(switched.id, second.id);
    assert_eq!(identity.sessions.by_cookie(other.expose(), None).await.unwrap(), None);
    identity.sessions.end_all(&person.id, "test").await.unwrap();
    assert_eq!(identity.sessions.by_cookie(rotated.expose(), None).await.unwrap(), None);
}

#[tokio::test]
async fn who_sits_down_at_a_browser_without_a_session_can_not_choose_those_of_others() {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let new = NewPerson { username: "bob".into(), ..NewPerson::default() };
    let other = identity.persons.create(&organisation.id, new, "test").await.unwrap();
    let session = |person: &Person| NewSession {
        person: person.id.clone(),
        organisation: organisation.id.clone(),
        browser: "b".into(),
        amr: vec!["pwd".into()],
        acr: "agama_x".into(),
        device: session::Device::default(),
    };
    let start = async |new: NewSession, same_sitting: bool| {
        let (session, cookie, batch) =
            identity.sessions.start(new, same_sitting, Batch::new()).await.unwrap();
        store.commit(batch).await.unwrap();
        (session, cookie)
    };
    let (first, cookie) = start(session(&person), false).await;
    start(session(&other), true).await;
    assert_eq!(identity.sessions.of_browser("b").await.unwrap().len(), 2, "one sitting, two people");
    start(session(&other), false).await;
    let left = identity.sessions.of_browser("b").await.unwrap();
    assert!(left.iter().all(|session| session.person == other.id));
    assert!(identity.sessions.switch(&first.id, "b", Batch::new()).await.unwrap().is_none());
    assert!(identity.sessions.get(&first.id).await.unwrap().is_some(), "its applications go on");
    let by_cookie = identity.sessions.by_cookie(cookie.expose(), None).await.unwrap();
    assert!(by_cookie.is_some_and(|session| session.browser.is_empty()));
}

#[tokio::test]
async fn consent_covers_what_was_granted_until_it_is_revoked() {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let batch =
        identity.consents.grant(&person.id, "shop", &scopes(&["openid"]), Batch::new()).await.unwrap();
    store.commit(batch).await.unwrap();
    let batch = identity.consents.grant(&person.id, "shop", &scopes(&["email"]), Batch::new()).await.unwrap();
    store.commit(batch).await.unwrap();
    assert!(identity.consents.covers(&person.id, "shop", &scopes(&["email", "openid"])).await.unwrap());
    assert!(!identity.consents.covers(&person.id, "shop", &scopes(&["phone"])).await.unwrap());
    assert!(!identity.consents.covers(&person.id, "other", &scopes(&["openid"])).await.unwrap());
    assert!(identity.consents.revoke(&person, "shop", "test").await.unwrap());
    assert!(!identity.consents.covers(&person.id, "shop", &scopes(&["openid"])).await.unwrap());
}
