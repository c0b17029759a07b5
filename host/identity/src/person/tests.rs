use agamid_core::secret::Secret;
use agamid_store::{Batch, Expect, Scan};
use serde_json::json;

use super::*;
use crate::attribute::Writer;
use crate::credential::{Credential, CredentialKind};
use crate::group::{GroupFields, Member, Membership};
use crate::organisation::{OrganisationChanges, Policy};
use crate::person::{AccountStatus, PersonQuery};
use crate::session::{NewSession, Session};
use crate::tests::{alice, identity};
use crate::{Identity, IdentityError, NewPerson, OrgScope};

const ADMIN: (Writer, &str) = (Writer::Administrator, "test");

fn attributes(json: Value) -> Changes {
    Changes { attributes: json.as_object().unwrap().clone(), ..Changes::default() }
}

async fn bob(identity: &Identity, organisation: &OrgId) -> Person {
    let new = NewPerson { username: "bob".into(), ..NewPerson::default() };
    identity.persons.create(organisation, new, "test").await.unwrap()
}

/// What schema 1 stored.
#[derive(Serialize, Deserialize)]
struct PersonOfSchema1 {
    #[serde(flatten)]
    document: Map<String, Value>,
}

impl Record for PersonOfSchema1 {
    const KIND: &'static str = "person";
    const INDEXES: &'static [Index] = &[Index::unique("username")];
    fn key(&self) -> String {
        self.document["id"].as_str().unwrap().to_owned()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        let organisation = self.document["organisation"].as_str().unwrap();
        vec![IndexEntry::new("username", format!("{organisation}/alice"))]
    }
}

#[tokio::test]
async fn a_person_of_schema_1_is_read_with_everything_that_was_known() {
    let (identity, store, organisation) = identity().await;
    let id = PersonId::generate(&Env::system());
    let document = json!({
        "id": id, "organisation": organisation.id, "username": "Alice", "email": "alice@example.org",
        "email_verified": true, "phone": "044 123", "given_name": "Alice", "family_name": null, "name": null,
        "locale": "de-CH", "picture": null, "disabled": true, "administrator": true,
        "attributes": { "badge": 7, "emails": "clash" }, "created_at": 1000, "updated_at": 2000,
    });
    let old = PersonOfSchema1 { document: document.as_object().unwrap().clone() };
    store.commit(Batch::new().put(&old, Expect::Absent)).await.unwrap();
    let scope = OrgScope::One(organisation.id.clone());
    let person = identity.persons.get(&scope, &id).await.unwrap().unwrap();
    assert_eq!(person.email(), Some("alice@example.org"));
    assert_eq!(person.primary("emails").unwrap()["verified"], true);
    assert_eq!(person.phone(), Some("044 123"));
    assert_eq!((person.text("given_name"), person.text("family_name")), (Some("Alice"), None));
    assert_eq!(person.attributes["badge"], 7);
    assert_eq!(person.status, AccountStatus::disabled());
    assert_eq!(person.source, Source::Local);
    assert!(person.administrator && !person.may_log_in(Timestamp(3000)));
    assert_eq!((person.created_at, person.updated_at), (Timestamp(1000), Timestamp(2000)));
    // Written again it is found by what schema 2 finds people by.
    let back = Changes { status: Some(AccountStatus::Active), ..Changes::default() };
    identity.persons.update(&scope, &id, &back, None, ADMIN).await.unwrap();
    let by_mail = identity.persons.by_login(&organisation.id, "alice@example.org").await.unwrap();
    assert_eq!(by_mail.unwrap().id, id);
    let found = search(&identity, &scope, "given_name", "alice").await;
    assert_eq!(found, ["Alice"]);
}

async fn search(identity: &Identity, scope: &OrgScope, attribute: &str, value: &str) -> Vec<String> {
    let query = PersonQuery::Equal { attribute: attribute.into(), value: value.into() };
    let page = identity.persons.search(scope, &query, None, 10).await.unwrap();
    page.persons.into_iter().map(|found| found.record.username).collect()
}

#[tokio::test]
async fn nobody_is_without_a_username() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    for username in ["", "  ", "a\nb", "a\0", &"x".repeat(257)] {
        let new = NewPerson { username: username.into(), ..NewPerson::default() };
        let refused = identity.persons.create(&organisation.id, new, "test").await;
        assert!(matches!(refused, Err(IdentityError::Username)), "{username:?}");
        let changes = attributes(json!({ "username": username }));
        let refused = identity.persons.update(&OrgScope::All, &person.id, &changes, None, ADMIN).await;
        assert!(matches!(refused, Err(IdentityError::Username)), "{username:?}");
    }
}

#[tokio::test]
async fn of_fifty_who_write_a_unique_value_at_once_exactly_one_wins_and_the_others_are_told_which() {
    let (identity, _, organisation) = identity().await;
    let badge = json!({ "name": "badge", "type": "text", "unique": true });
    identity.attributes.define(badge, "test").await.unwrap();
    let policy = Policy { unique_primary_mail: Some(true) };
    let changes = OrganisationChanges { policy: Some(policy), ..OrganisationChanges::default() };
    identity.organisations.update(&organisation.id, &changes, "test").await.unwrap();
    let new = |n: usize, json: Value| NewPerson {
        username: format!("{n}"),
        attributes: json.as_object().unwrap().clone(),
        ..NewPerson::default()
    };
    type Make = Box<dyn Fn(usize) -> NewPerson>;
    let cases: [(&str, Make); 3] = [
        (
            "username",
            Box::new(|n| NewPerson {
                username: if n % 2 == 0 { "Same" } else { "sAME" }.into(),
                ..Default::default()
            }),
        ),
        ("badge", Box::new(move |n| new(n, json!({ "badge": if n % 2 == 0 { "B7" } else { "b7" } })))),
        ("emails", Box::new(move |n| new(n + 100, json!({ "emails": [{ "value": "one@example.org" }] })))),
    ];
    for (what, make) in cases {
        let tries = (0..50).map(|n| {
            let (persons, organisation, new) = (identity.persons.clone(), organisation.id.clone(), make(n));
            tokio::spawn(async move { persons.create(&organisation, new, "test").await })
        });
        let mut wins = 0;
        for one in tries.collect::<Vec<_>>() {
            match one.await.unwrap() {
                Ok(_) => wins += 1,
                Err(error) => assert_eq!(error.field(), Some(what), "{error}"),
            }
        }
        assert_eq!(wins, 1, "{what}");
    }
}

#[tokio::test]
async fn of_fifty_who_change_one_person_none_undoes_the_work_of_another() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    for n in 0..50 {
        let definition = json!({ "name": format!("a{n}"), "type": "integer" });
        identity.attributes.define(definition, "test").await.unwrap();
    }
    let tries = (0..50).map(|n| {
        let (persons, id) = (identity.persons.clone(), person.id.clone());
        let changes = attributes(json!({ (format!("a{n}")): n }));
        tokio::spawn(async move { persons.update(&OrgScope::All, &id, &changes, None, ADMIN).await.unwrap() })
    });
    for one in tries.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let after = identity.persons.get(&OrgScope::All, &person.id).await.unwrap().unwrap();
    assert!((0..50).all(|n| after.attributes[&format!("a{n}")] == n));
}

#[tokio::test]
async fn a_change_is_partial_checked_by_version_and_refuses_what_is_not_theirs_to_write() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let persons = &identity.persons;
    let scope = OrgScope::One(organisation.id.clone());
    let changes = attributes(json!({ "given_name": "Alice", "employee_number": "7" }));
    let first = persons.update(&scope, &person.id, &changes, Some(1), ADMIN).await.unwrap();
    assert_eq!((first.version, first.record.email()), (2, Some("alice@example.org")));
    let stale = persons.update(&scope, &person.id, &changes, Some(1), ADMIN).await;
    assert!(matches!(stale, Err(IdentityError::VersionChanged)));
    let gone = attributes(json!({ "given_name": null }));
    let second = persons.update(&scope, &person.id, &gone, None, ADMIN).await.unwrap();
    assert_eq!((second.record.text("given_name"), second.record.text("employee_number")), (None, Some("7")));
    let nothing = persons.update(&scope, &person.id, &gone, None, ADMIN).await.unwrap();
    assert_eq!(nothing.version, second.version, "what changes nothing writes nothing");
    let themselves = (Writer::Person, "alice");
    for (json, field) in [
        (json!({ "employee_number": "1" }), "employee_number"),
        (json!({ "username": "root" }), "username"),
        (json!({ "groups": ["admins"] }), "groups"),
        (json!({ "planet": "Mars" }), "planet"),
        (json!({ "manager": PersonId::generate(&Env::system()) }), "manager"),
    ] {
        let refused = persons.update(&scope, &person.id, &attributes(json), None, themselves).await;
        assert_eq!(refused.unwrap_err().field(), Some(field));
    }
    let unknown = attributes(json!({ "manager": PersonId::generate(&Env::system()) }));
    let refused = persons.update(&scope, &person.id, &unknown, None, ADMIN).await.unwrap_err();
    assert_eq!(refused.to_string(), "manager: must be the id of a person of the same organisation");
    let large = "x".repeat(8000);
    let many: Vec<Value> = (0..4).map(|n| json!({ "value": format!("{n}{large}") })).collect();
    let addresses: Vec<Value> = (0..20)
        .map(|n| json!({ "formatted": "y".repeat(1000), "region": "z".repeat(250), "street_address": "s".repeat(250), "type": n.to_string(), "locality": "l".repeat(250) }))
        .collect();
    let too_large =
        attributes(json!({ "x509_certificates": many, "addresses": addresses, "name": "x".repeat(256) }));
    let refused = persons.update(&scope, &person.id, &too_large, None, ADMIN).await;
    if let Err(error) = refused {
        assert_eq!(error.field(), Some("attributes"), "{error}");
    } else {
        panic!("64 KiB are the limit");
    }
}

#[tokio::test]
async fn a_disabled_account_comes_back_when_its_time_is_up() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let scope = OrgScope::One(organisation.id.clone());
    let until = Timestamp(5_000);
    let status = AccountStatus::Disabled { reason: Some("holiday".into()), until: Some(until) };
    identity.persons.set_status(&scope, &person.id, status.clone(), "test").await.unwrap();
    let person = identity.persons.get(&scope, &person.id).await.unwrap().unwrap();
    assert!(!person.may_log_in(Timestamp(4_999)) && person.may_log_in(until));
    for status in [AccountStatus::Pending, AccountStatus::disabled(), AccountStatus::Deleting] {
        let person = Person { status, ..person.clone() };
        assert!(!person.may_log_in(Timestamp(i64::MAX)));
    }
    let refused = identity.persons.set_status(&scope, &person.id, AccountStatus::Deleting, "test").await;
    assert_eq!(refused.unwrap_err().field(), Some("status"));
}

#[tokio::test]
async fn an_address_is_marked_as_proved_until_it_changes() {
    let (identity, _, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    let scope = OrgScope::One(organisation.id.clone());
    let persons = &identity.persons;
    persons.set_verified(&scope, &person.id, "emails", "ALICE@example.org", true, "test").await.unwrap();
    let proved = persons.get(&scope, &person.id).await.unwrap().unwrap();
    assert_eq!(proved.primary("emails").unwrap()["verified"], true);
    assert!(proved.primary("emails").unwrap().contains_key("verified_at"));
    let other = persons.set_verified(&scope, &person.id, "emails", "x@example.org", true, "test").await;
    assert_eq!(other.unwrap_err().field(), Some("emails"));
    let changes = attributes(json!({ "emails": [{ "value": "new@example.org" }] }));
    let changed =
        persons.update(&scope, &person.id, &changes, None, (Writer::Person, "alice")).await.unwrap();
    assert_eq!(changed.record.primary("emails").unwrap()["verified"], false);
    assert!(persons.by_login(&organisation.id, "alice@example.org").await.unwrap().is_none());
    assert!(persons.by_login(&organisation.id, "new@example.org").await.unwrap().is_some());
}

#[tokio::test]
async fn people_are_listed_and_searched_page_by_page_each_once() {
    let (identity, _, organisation) = identity().await;
    let other = OrganisationChanges { name: Some("Other".into()), ..OrganisationChanges::default() };
    let other = identity.organisations.create(&other, "test").await.unwrap();
    for n in 0..25 {
        for home in [&organisation.id, &other.id] {
            let new = NewPerson {
                username: format!("user{n:02}"),
                family_name: Some(if n % 5 == 0 { "Müller" } else { "Meier" }.into()),
                ..NewPerson::default()
            };
            identity.persons.create(home, new, "test").await.unwrap();
        }
    }
    let all = async |scope: &OrgScope, query: PersonQuery, limit: usize| {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = identity.persons.search(scope, &query, after.as_deref(), limit).await.unwrap();
            assert!(page.persons.len() <= limit);
            names.extend(page.persons.into_iter().map(|found| found.record.username));
            match page.next {
                Some(next) => after = Some(next),
                None => return names,
            }
        }
    };
    let one = OrgScope::One(organisation.id.clone());
    let equal = |attribute: &str, value: &str| PersonQuery::Equal {
        attribute: attribute.into(),
        value: value.into(),
    };
    let starts = |attribute: &str, value: &str| PersonQuery::StartsWith {
        attribute: attribute.into(),
        value: value.into(),
    };
    for limit in [1, 5, 7, 25, 100] {
        let names = all(&one, PersonQuery::Everybody, limit).await;
        assert_eq!(names, (0..25).map(|n| format!("user{n:02}")).collect::<Vec<_>>(), "{limit}");
        assert_eq!(all(&OrgScope::All, PersonQuery::Everybody, limit).await.len(), 50);
        assert_eq!(all(&one, equal("family_name", "MÜLLER"), limit).await.len(), 5);
        assert_eq!(all(&OrgScope::All, starts("family_name", "m"), limit).await.len(), 50);
    }
    assert_eq!(all(&one, starts("username", "USER1"), 3).await.len(), 10);
    assert_eq!(all(&one, equal("family_name", "mei"), 3).await.len(), 0);
    for bad in ["nickname", "planet"] {
        let refused = identity.persons.search(&one, &equal(bad, "x"), None, 5).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("{bad}: must be an attribute that is searchable"));
    }
    assert!(identity.persons.search(&one, &equal("given_name", "a\0"), None, 5).await.is_err());
}

#[tokio::test]
async fn a_deleted_person_takes_everything_of_theirs_along() {
    let (identity, store, organisation) = identity().await;
    let (person, other) = (alice(&identity, &organisation).await, bob(&identity, &organisation.id).await);
    let scope = OrgScope::One(organisation.id.clone());
    let group = GroupFields { display_name: Some("Staff".into()), ..GroupFields::default() };
    let group = identity.groups.create(&organisation.id, &group, "test").await.unwrap();
    for one in [&person, &other] {
        identity.passwords.set(one, "correct horse").await.unwrap();
        identity.credentials.add_sealed(one, CredentialKind::Totp, None, &Secret::new("SEED")).await.unwrap();
        identity.groups.add(&scope, &group.id, &Member::person(&one.id), "test").await.unwrap();
        identity.links.link(&scope, &one.id, "google", one.id.as_str(), None, "test").await.unwrap();
        let allowed = ["openid".to_owned()];
        let batch = identity.consents.grant(&one.id, "shop", &allowed, Batch::new()).await.unwrap();
        store.commit(batch).await.unwrap();
        // More than one step of the removal holds.
        for browser in 0..130 {
            let new = NewSession {
                person: one.id.clone(),
                organisation: organisation.id.clone(),
                browser: format!("{}-{browser}", one.id),
                device: crate::session::Device::default(),
                amr: vec!["pwd".into()],
                acr: "agama_x".into(),
            };
            let (_, _, batch) = identity.sessions.start(new, true, Batch::new()).await.unwrap();
            store.commit(batch).await.unwrap();
        }
    }
    let stale = identity.persons.delete(&scope, &person.id, Some(9), "test").await;
    assert!(matches!(stale, Err(IdentityError::VersionChanged)));
    identity.persons.delete(&scope, &person.id, Some(1), "test").await.unwrap();
    assert!(matches!(
        identity.persons.delete(&scope, &person.id, None, "test").await,
        Err(IdentityError::NoPerson)
    ));
    let scan = || Scan { limit: 1000, ..Scan::default() };
    assert_eq!(store.scan::<Person>(scan()).await.unwrap().records.len(), 1);
    assert_eq!(store.scan::<Credential>(scan()).await.unwrap().records.len(), 2);
    assert_eq!(store.scan::<Session>(scan()).await.unwrap().records.len(), 130);
    assert_eq!(store.scan::<Membership>(scan()).await.unwrap().records.len(), 1);
    assert_eq!(store.scan::<crate::consent::Consent>(scan()).await.unwrap().records.len(), 1);
    assert_eq!(identity.links.of_person(&OrgScope::All, &person.id).await.unwrap().len(), 0);
    assert_eq!(identity.links.of_person(&OrgScope::All, &other.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_is_finished_and_its_person_is_nobody_meanwhile() {
    let (identity, store, organisation) = identity().await;
    let person = alice(&identity, &organisation).await;
    identity.passwords.set(&person, "correct horse").await.unwrap();
    let cut = Person { status: AccountStatus::Deleting, ..person.clone() };
    store.commit(Batch::new().put(&cut, Expect::Any)).await.unwrap();
    let persons = &identity.persons;
    assert!(persons.get(&OrgScope::All, &person.id).await.unwrap().is_none());
    assert!(persons.by_login(&organisation.id, "alice").await.unwrap().is_none());
    assert!(identity.passwords.verify(&organisation.id, "alice", "correct horse").await.unwrap().is_none());
    assert_eq!(persons.resume_deletions().await.unwrap(), 1);
    assert_eq!(persons.resume_deletions().await.unwrap(), 0);
    assert!(store.scan::<Credential>(Scan::default()).await.unwrap().records.is_empty());
    assert!(store.scan::<Person>(Scan::default()).await.unwrap().records.is_empty());
}
