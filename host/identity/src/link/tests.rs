use super::*;
use crate::organisation::OrganisationChanges;
use crate::person::NewPerson;
use crate::tests::{alice, identity};

#[tokio::test]
async fn an_account_elsewhere_is_one_persons_also_in_a_race() {
    let (identity, _, home) = identity().await;
    let scope = OrgScope::One(home.id.clone());
    let mut people = vec![alice(&identity, &home).await];
    for n in 0..20 {
        let new = NewPerson { username: format!("p{n}"), ..NewPerson::default() };
        people.push(identity.persons.create(&home.id, new, "test").await.unwrap());
    }
    let tries = people.iter().map(|person| {
        let (links, scope, id) = (identity.links.clone(), scope.clone(), person.id.clone());
        tokio::spawn(async move { links.link(&scope, &id, "google", "1234", None, "test").await })
    });
    let mut winners = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(link) => winners.push(link.person),
            Err(error) => assert!(matches!(error, IdentityError::LinkTaken), "{error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let found = identity.links.find(&scope, "google", "1234").await.unwrap().unwrap();
    assert_eq!(found.id, winners[0]);
    let again = identity.links.link(&scope, &found.id, "google", "1234", None, "test").await.unwrap();
    assert_eq!(identity.links.of_person(&scope, &found.id).await.unwrap(), [again]);
    let other = people.iter().find(|person| person.id != found.id).unwrap();
    assert!(!identity.links.unlink(&scope, &other.id, "google", "1234", "test").await.unwrap());
    assert!(identity.links.unlink(&scope, &found.id, "google", "1234", "test").await.unwrap());
    assert!(!identity.links.unlink(&scope, &found.id, "google", "1234", "test").await.unwrap());
    assert!(identity.links.find(&scope, "google", "1234").await.unwrap().is_none());
    for (provider, subject) in [("", "x"), ("a/b", "x"), ("a", ""), ("a", "\0"), ("a", &"x".repeat(2000))] {
        let refused = identity.links.link(&scope, &found.id, provider, subject, None, "test").await;
        assert!(matches!(refused, Err(IdentityError::Link(_))), "{provider} {subject}");
        assert!(identity.links.find(&scope, provider, subject).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_same_account_may_be_somebody_in_each_organisation() {
    let (identity, _, home) = identity().await;
    let other = OrganisationChanges { name: Some("Other".into()), ..OrganisationChanges::default() };
    let other = identity.organisations.create(&other, "test").await.unwrap();
    let mut ids = Vec::new();
    for org in [&home.id, &other.id] {
        let new = NewPerson { username: "eve".into(), ..NewPerson::default() };
        let person = identity.persons.create(org, new, "test").await.unwrap();
        let scope = OrgScope::One(org.clone());
        identity.links.link(&scope, &person.id, "google", "1", None, "test").await.unwrap();
        ids.push((scope, person.id));
    }
    for (scope, id) in &ids {
        assert_eq!(identity.links.find(scope, "google", "1").await.unwrap().unwrap().id, *id);
    }
    assert!(identity.links.find(&OrgScope::All, "google", "1").await.unwrap().is_none(), "who of the two?");
}
