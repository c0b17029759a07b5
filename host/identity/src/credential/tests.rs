use super::*;
use crate::tests::{alice, identity};

#[tokio::test]
async fn credentials_are_listed_renamed_and_removed_only_for_their_own_person() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let (credentials, all) = (&identity.credentials, OrgScope::All);
    let totp = CredentialKind::Totp;
    let made = credentials.add_sealed(&person, totp, None, &Secret::new("SEED")).await.unwrap();
    identity.passwords.set(&person, "correct horse").await.unwrap();
    let kinds = async |scope: &OrgScope| {
        let found = credentials.of_person(scope, &person.id).await.unwrap();
        found.iter().map(|found| found.kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&all).await, ["password", "totp"]);
    let elsewhere = OrgScope::One(OrgId::generate(&credentials.env));
    assert!(kinds(&elsewhere).await.is_empty());
    let (other, id) = (PersonId::generate(&credentials.env), &made.id);
    let rename = async |scope: &OrgScope, person: &PersonId, label: &str| {
        credentials.rename(scope, person, id, Some(label.to_owned()), "test").await
    };
    assert!(!rename(&all, &other, "mine").await.unwrap());
    assert!(!rename(&elsewhere, &person.id, "mine").await.unwrap());
    assert!(rename(&all, &person.id, " my telephone ").await.unwrap());
    assert!(matches!(rename(&all, &person.id, &"x".repeat(101)).await, Err(IdentityError::Label { .. })));
    assert!(matches!(rename(&all, &person.id, "a\nb").await, Err(IdentityError::Label { .. })));
    let renamed = credentials.get(id).await.unwrap().unwrap();
    assert_eq!(renamed.label.as_deref(), Some("my telephone"));
    assert_eq!(credentials.open(&renamed).unwrap().expose(), "SEED");
    assert!(!credentials.remove(&all, &other, id, "test").await.unwrap());
    assert!(credentials.remove(&all, &person.id, id, "test").await.unwrap());
    assert!(!credentials.remove(&all, &person.id, id, "test").await.unwrap());
    assert_eq!(kinds(&all).await, ["password"]);
}

#[tokio::test]
async fn a_recovery_code_is_used_once_in_any_spelling_also_in_a_race() {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let made = identity.credentials.make_recovery_codes(&person).await.unwrap();
    assert_eq!((made.codes.len(), made.codes[0].expose().len()), (10, 19));
    assert!(made.codes.iter().all(|code| !made.credential.material.contains(code.expose())));
    let left = async || identity.credentials.recovery_codes_left(&person.id).await.unwrap();
    let first = made.codes[0].expose().to_owned();
    let spelled = format!(" {} ", first.to_lowercase().replace('-', " "));
    let tries = (0..10).map(|n| {
        let (credentials, person) = (identity.credentials.clone(), person.id.clone());
        let code = if n % 2 == 0 { first.clone() } else { spelled.clone() };
        tokio::spawn(async move { credentials.use_recovery_code(&person, &code).await.unwrap() })
    });
    let mut wins = 0;
    for one in tries.collect::<Vec<_>>() {
        wins += u32::from(one.await.unwrap());
    }
    assert_eq!((wins, left().await), (1, 9));
    let using = async |code: &str| identity.credentials.use_recovery_code(&person.id, code).await.unwrap();
    for wrong in ["", "0000-0000-0000-0000", &"x".repeat(100_000), &made.credential.material] {
        assert!(!using(wrong).await);
    }
    let again = identity.credentials.make_recovery_codes(&person).await.unwrap();
    assert!(!using(made.codes[1].expose()).await, "a new set takes the old one's place");
    assert!(using(again.codes[1].expose()).await);
    let used = store.audit_events(&store.node().await.unwrap(), 0, 1000).await.unwrap();
    let used = used.iter().filter(|entry| entry.event.event == "credential.used");
    assert_eq!(used.map(|entry| entry.event.detail["left"].clone()).collect::<Vec<_>>(), [9, 9]);
}

#[tokio::test]
async fn of_credentials_of_one_kind_added_at_once_one_stays() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let adds = (0..8).map(|n| {
        let (credentials, person) = (identity.credentials.clone(), person.clone());
        tokio::spawn(async move {
            let seed = Secret::new(format!("SEED{n}"));
            credentials.add_sealed(&person, CredentialKind::Totp, None, &seed).await.unwrap();
        })
    });
    for one in adds.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(identity.credentials.all_of(&person.id, CredentialKind::Totp).await.unwrap().len(), 1);
}
