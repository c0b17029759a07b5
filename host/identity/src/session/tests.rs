use super::*;
use crate::organisation::Organisation;
use crate::tests::{alice, identity};
use crate::{Identity, Person};

async fn sign_in(identity: &Identity, store: &Store, person: &Person, browser: &str) -> (Session, Secret) {
    let new = NewSession {
        person: person.id.clone(),
        organisation: person.organisation.clone(),
        browser: browser.to_owned(),
        amr: vec!["pwd".into()],
        acr: "agama_x".into(),
        device: Device::of(Some("Firefox/143.0 Windows"), Some([10, 0, 0, 1].into())),
    };
    let (session, cookie, batch) = identity.sessions.start(new, false, Batch::new()).await.unwrap();
    store.commit(batch).await.unwrap();
    (session, cookie)
}

async fn house() -> (Identity, Store, Organisation, Person) {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    (identity, store, organisation, person)
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_ends_one_the_others_or_all() {
    let (identity, store, _, person) = house().await;
    let (mut open, all) = (Vec::new(), OrgScope::All);
    for browser in ["a", "b", "c", "d"] {
        open.push(sign_in(&identity, &store, &person, browser).await);
    }
    let sessions = &identity.sessions;
    let listed = sessions.of_person(&all, &person.id).await.unwrap();
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|session| session.device.label() == "Firefox on Windows"));
    let elsewhere = OrgScope::One(OrgId::generate(&sessions.env));
    assert!(sessions.of_person(&elsewhere, &person.id).await.unwrap().is_empty());
    assert!(!sessions.revoke(&elsewhere, &open[0].0.id, "admin").await.unwrap());
    assert!(sessions.revoke(&all, &open[0].0.id, "admin").await.unwrap());
    assert!(!sessions.revoke(&all, &open[0].0.id, "admin").await.unwrap());
    assert_eq!(sessions.by_cookie(open[0].1.expose(), None).await.unwrap(), None);
    assert_eq!(sessions.end_others(&person.id, &open[1].0.id, "alice").await.unwrap(), 2);
    assert_eq!(sessions.of_person(&all, &person.id).await.unwrap().len(), 1);
    assert!(sessions.by_cookie(open[1].1.expose(), None).await.unwrap().is_some());
    assert_eq!(sessions.end_all(&person.id, "alice").await.unwrap(), 1);
    assert_eq!(sessions.end_all(&person.id, "alice").await.unwrap(), 0);
}

#[tokio::test]
async fn very_many_sessions_end_too() {
    let (identity, store, _, person) = house().await;
    for n in 0..STEP * 2 + 1 {
        sign_in(&identity, &store, &person, &n.to_string()).await;
    }
    assert_eq!(identity.sessions.end_all(&person.id, "admin").await.unwrap(), STEP * 2 + 1);
    assert!(identity.sessions.of_person(&OrgScope::All, &person.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_last_address_is_kept_to_the_minute() {
    let (mut identity, store, _, person) = house().await;
    let clock = std::sync::Arc::new(agamid_core::time::ManualClock::new(identity.sessions.env.now()));
    identity.sessions.env.clock = clock.clone();
    let (first, cookie) = sign_in(&identity, &store, &person, "a").await;
    let from = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
    let seen = async |last: u8| {
        let found = identity.sessions.by_cookie(cookie.expose(), from(last)).await.unwrap().unwrap();
        found.device.address
    };
    assert_eq!(seen(2).await, from(1), "not written again within a minute");
    clock.advance(TOUCH);
    assert_eq!(seen(2).await, from(2));
    let listed = identity.sessions.of_person(&OrgScope::All, &person.id).await.unwrap();
    assert_eq!(listed[0].device.address, from(2));
    assert!(listed[0].last_seen_at > first.last_seen_at);
}

#[test]
fn a_session_of_an_older_server_has_no_device() {
    let env = Env::system();
    let old = serde_json::json!({
        "hash": "h", "id": SessionId::generate(&env), "person": PersonId::generate(&env),
        "organisation": OrgId::generate(&env), "browser": "b", "authenticated_at": 0, "amr": [], "acr": "a",
        "created_at": 0, "last_seen_at": 0, "expires_at": 0,
    });
    let session: Session = serde_json::from_value(old).unwrap();
    assert_eq!(session.device.label(), "unknown device");
}
