use serde_json::json;

use super::*;
use crate::group::{GroupFields, Member};
use crate::person::{AccountStatus, Changes, NewPerson, PersonQuery};
use crate::tests::{alice, identity};
use crate::{Identity, Writer};

async fn organisation(identity: &Identity, json: Value) -> Result<Organisation, IdentityError> {
    identity.organisations.create(&OrganisationChanges::read(json)?, "test").await
}

#[tokio::test]
async fn the_ids_of_another_organisation_answer_like_unknown_ones() {
    let (identity, _, home) = identity().await;
    let person = alice(&identity, &home).await;
    let fields = GroupFields { display_name: Some("Staff".into()), ..GroupFields::default() };
    let group = identity.groups.create(&home.id, &fields, "test").await.unwrap();
    identity.groups.add(&OrgScope::All, &group.id, &Member::person(&person.id), "test").await.unwrap();
    identity.links.link(&OrgScope::All, &person.id, "google", "1", None, "test").await.unwrap();
    let other = organisation(&identity, json!({ "name": "Other" })).await.unwrap();
    let scope = OrgScope::One(other.id.clone());
    let Identity { persons, groups, links, organisations, .. } = &identity;
    let member = Member::person(&person.id);
    let admin = (Writer::Administrator, "test");

    assert!(organisations.get(&scope, &home.id).await.unwrap().is_none());
    assert!(persons.get(&scope, &person.id).await.unwrap().is_none());
    assert!(persons.by_login(&other.id, "alice").await.unwrap().is_none());
    assert!(persons.search(&scope, &PersonQuery::Everybody, None, 10).await.unwrap().persons.is_empty());
    let update = persons.update(&scope, &person.id, &Changes::default(), None, admin).await;
    assert!(matches!(update, Err(IdentityError::NoPerson)));
    let status = persons.set_status(&scope, &person.id, AccountStatus::Pending, "test").await;
    assert!(matches!(status, Err(IdentityError::NoPerson)));
    let proved = persons.set_verified(&scope, &person.id, "emails", "alice@example.org", true, "test").await;
    assert!(matches!(proved, Err(IdentityError::NoPerson)));
    assert!(matches!(persons.delete(&scope, &person.id, None, "test").await, Err(IdentityError::NoPerson)));

    assert!(groups.get(&scope, &group.id).await.unwrap().is_none());
    assert!(groups.by_name(&other.id, "Staff").await.unwrap().is_none());
    assert!(groups.search(&other.id, "", None, 10).await.unwrap().0.is_empty());
    assert!(matches!(
        groups.update(&scope, &group.id, &fields, None, "test").await,
        Err(IdentityError::NoGroup)
    ));
    assert!(matches!(groups.add(&scope, &group.id, &member, "test").await, Err(IdentityError::NoGroup)));
    assert!(matches!(groups.remove(&scope, &group.id, &member, "test").await, Err(IdentityError::NoGroup)));
    assert!(matches!(groups.members(&scope, &group.id, None, 10).await, Err(IdentityError::NoGroup)));
    assert!(matches!(groups.delete(&scope, &group.id, "test").await, Err(IdentityError::NoGroup)));
    assert!(groups.effective(&scope, &person.id).await.unwrap().groups.is_empty());

    let link = links.link(&scope, &person.id, "google", "2", None, "test").await;
    assert!(matches!(link, Err(IdentityError::NoPerson)));
    assert!(links.find(&scope, "google", "1").await.unwrap().is_none());
    assert!(links.of_person(&scope, &person.id).await.unwrap().is_empty());
    assert!(!links.unlink(&scope, &person.id, "google", "1", "test").await.unwrap());

    let ours = OrgScope::One(home.id.clone());
    assert!(persons.get(&ours, &person.id).await.unwrap().is_some());
    assert!(links.find(&ours, "google", "1").await.unwrap().is_some());
}

#[tokio::test]
async fn an_organisation_with_people_or_groups_stays_also_in_a_race() {
    let (identity, _, home) = identity().await;
    let own = identity.organisations.delete(&home.id, "test").await;
    assert!(matches!(own, Err(IdentityError::OrganisationInUse(_))));
    for round in 0..10 {
        let acme = organisation(&identity, json!({ "name": format!("Acme {round}") })).await.unwrap();
        let making = {
            let (persons, id) = (identity.persons.clone(), acme.id.clone());
            let new = NewPerson { username: "eve".into(), ..NewPerson::default() };
            tokio::spawn(async move { persons.create(&id, new, "test").await })
        };
        let deleted = identity.organisations.delete(&acme.id, "test").await;
        let made = making.await.unwrap();
        let still = identity.organisations.get(&OrgScope::All, &acme.id).await.unwrap();
        assert_eq!(made.is_ok(), still.is_some() && deleted.is_err(), "{made:?} {deleted:?}");
        if let Some(still) = still {
            assert!(!still.closing);
            identity.persons.delete(&OrgScope::All, &made.unwrap().id, None, "test").await.unwrap();
            identity.organisations.delete(&acme.id, "test").await.unwrap();
        }
    }
    let acme = organisation(&identity, json!({ "name": "Acme" })).await.unwrap();
    let fields = GroupFields { display_name: Some("Staff".into()), ..GroupFields::default() };
    let group = identity.groups.create(&acme.id, &fields, "test").await.unwrap();
    let refused = identity.organisations.delete(&acme.id, "test").await.unwrap_err();
    assert_eq!(refused.to_string(), "the organisation can't be deleted: it has groups: delete them first");
    identity.groups.delete(&OrgScope::All, &group.id, "test").await.unwrap();
    identity.organisations.delete(&acme.id, "test").await.unwrap();
    let new = NewPerson { username: "eve".into(), ..NewPerson::default() };
    assert!(matches!(
        identity.persons.create(&acme.id, new, "test").await,
        Err(IdentityError::NoOrganisation)
    ));
}

#[tokio::test]
async fn names_domains_and_branding_are_checked_and_unique() {
    let (identity, _, _) = identity().await;
    let acme = json!({ "name": "Acme", "domain": "Acme.example", "branding": { "colour": "#1a73e8" } });
    let acme = organisation(&identity, acme).await.unwrap();
    assert_eq!(acme.domain.as_deref(), Some("acme.example"));
    let cases = [
        (json!({}), "name"),
        (json!({ "name": "ACME" }), "name"),
        (json!({ "name": "B", "domain": "ACME.example" }), "domain"),
        (json!({ "name": "B", "domain": "no domain" }), "domain"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "B", "planet": 1 }), "planet"),
        (json!({ "name": "B", "branding": { "logo_uri": "javascript:x" } }), "branding.logo_uri"),
        (json!({ "name": "B", "branding": { "colour": "red" } }), "branding.colour"),
        (json!({ "name": "B", "branding": { "support_mail": "x" } }), "branding.support_mail"),
        (json!({ "name": "B", "policy": { "x": true } }), "policy.x"),
        (json!({ "name": 1 }), "name"),
    ];
    for (json, field) in cases {
        let refused = organisation(&identity, json.clone()).await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{json}: {refused}");
    }
    let changes = OrganisationChanges::read(json!({ "name": "Acme Ltd", "domain": null })).unwrap();
    let changed = identity.organisations.update(&acme.id, &changes, "test").await.unwrap();
    assert_eq!((changed.name.as_str(), changed.domain), ("Acme Ltd", None));
    assert_eq!(changed.branding.colour.as_deref(), Some("#1a73e8"));
}

#[tokio::test]
async fn the_default_organisation_is_one_whatever_it_is_called_and_however_many_make_it() {
    let (identity, _, home) = identity().await;
    let changes = OrganisationChanges::read(json!({ "name": "Our Company" })).unwrap();
    identity.organisations.update(&home.id, &changes, "test").await.unwrap();
    assert_eq!(identity.organisations.ensure_default().await.unwrap().id, home.id);
    let env = Env::system();
    let store = Store::memory(env.clone()).await.unwrap();
    let organisations = Organisations { env, store };
    let tries = (0..20).map(|_| {
        let organisations = organisations.clone();
        tokio::spawn(async move { organisations.ensure_default().await.unwrap().id })
    });
    let mut ids = std::collections::BTreeSet::new();
    for one in tries.collect::<Vec<_>>() {
        ids.insert(one.await.unwrap());
    }
    assert_eq!((ids.len(), organisations.list().await.unwrap().len()), (1, 1));
}
