use std::sync::Arc;

use agamid_core::time::ManualClock;
use serde_json::json;

use super::*;
use crate::attribute::AttributeType;
use crate::attribute::Writer;
use crate::organisation::OrgScope;
use crate::person::{Changes, NewPerson, Person, PersonQuery};
use crate::tests::{alice, identity};
use crate::{Identity, organisation};

async fn person(
    identity: &Identity,
    home: &organisation::Organisation,
    name: &str,
    attributes: Value,
) -> Person {
    let attributes = attributes.as_object().unwrap().clone();
    let new = NewPerson { username: name.into(), attributes, ..NewPerson::default() };
    identity.persons.create(&home.id, new, "test").await.unwrap()
}

async fn set(identity: &Identity, person: &Person, attributes: Value) -> Result<Person, IdentityError> {
    let changes = Changes { attributes: attributes.as_object().unwrap().clone(), ..Changes::default() };
    let by = (Writer::Administrator, "test");
    Ok(identity.persons.update(&OrgScope::All, &person.id, &changes, None, by).await?.record)
}

#[tokio::test]
async fn a_definition_that_clashes_or_can_not_be_is_refused_with_the_member_that_is_wrong() {
    let (identity, _, _) = identity().await;
    let cases = [
        (json!({ "name": "Badge", "type": "text" }), "name"),
        (json!({ "name": "a".repeat(65), "type": "text" }), "name"),
        (json!({ "name": "emails", "type": "text" }), "name"),
        (json!({ "name": "password", "type": "text" }), "name"),
        (json!({ "name": "badge", "type": "number" }), "type"),
        (json!({ "name": "badge" }), "type"),
        (json!({ "name": "badge", "type": "text", "colour": 1 }), "colour"),
        (json!({ "name": "badge", "type": "text", "core": true }), "core"),
        (json!({ "name": "badge", "type": "text", "max_length": 0 }), "max_length"),
        (json!({ "name": "badge", "type": "text", "write": "nobody" }), "write"),
        (json!({ "name": "badge", "type": "integer", "format": "mail" }), "format"),
        (json!({ "name": "badge", "type": "complex" }), "sub_attributes"),
        (json!({ "name": "badge", "type": "text", "claim": "iss" }), "claim"),
        (json!({ "name": "badge", "type": "text", "claim": "email" }), "claim"),
        (json!({ "name": "badge", "type": "text", "scopes": ["staff"] }), "claim"),
        (json!({ "name": "badge", "type": "text", "claim": "badge", "scopes": ["openid"] }), "scopes"),
        (
            json!({ "name": "badge", "type": "text", "claim": "badge", "scopes": ["config.users.read"] }),
            "scopes",
        ),
        (json!({ "name": "badge", "type": "text", "scim": "userName" }), "scim"),
        (
            json!({ "name": "badge", "type": "text",
                "scim": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department" }),
            "scim",
        ),
    ];
    for (json, field) in cases {
        let refused = identity.attributes.define(json.clone(), "test").await.unwrap_err();
        assert_eq!(refused.field(), Some(field), "{json}: {refused}");
    }
    let badge = json!({ "name": "badge", "type": "text" });
    identity.attributes.define(badge.clone(), "test").await.unwrap();
    assert_eq!(identity.attributes.define(badge, "test").await.unwrap_err().field(), Some("name"));
    let core = identity.attributes.change("emails", &json!({ "unique": true }), "test").await;
    assert_eq!(core.unwrap_err().to_string(), "name: emails is a core attribute: it can't change");
    let none = identity.attributes.delete("planet", "test").await;
    assert!(matches!(none, Err(IdentityError::NoAttribute)));
}

#[tokio::test]
async fn a_defined_attribute_is_checked_found_by_and_gone_with_its_values() {
    let (identity, _, home) = identity().await;
    let alice = alice(&identity, &home).await;
    assert_eq!(set(&identity, &alice, json!({ "badge": 1 })).await.unwrap_err().field(), Some("badge"));
    let badge = json!({ "name": "badge", "type": "integer", "multi_valued": true, "max_values": 2, "searchable": true });
    identity.attributes.define(badge, "test").await.unwrap();
    for bad in [json!(1), json!(["1"]), json!([1, 2, 3]), json!([1, 1])] {
        assert!(set(&identity, &alice, json!({ "badge": bad })).await.is_err(), "{bad}");
    }
    set(&identity, &alice, json!({ "badge": [1, 22] })).await.unwrap();
    let query = PersonQuery::Equal { attribute: "badge".into(), value: "22".into() };
    let scope = OrgScope::One(home.id.clone());
    let found = identity.persons.search(&scope, &query, None, 10).await.unwrap();
    assert_eq!(found.persons.len(), 1);
    identity.attributes.delete("badge", "test").await.unwrap();
    assert!(identity.attributes.schema().await.unwrap().get("badge").is_none());
    assert!(identity.persons.search(&scope, &query, None, 10).await.is_err());
    let after = identity.persons.get(&scope, &alice.id).await.unwrap().unwrap();
    assert!(after.attributes.get("badge").is_none());
    // Under the same name another one can be defined: nothing is left of the old values.
    let badge = json!({ "name": "badge", "type": "text", "searchable": true });
    identity.attributes.define(badge, "test").await.unwrap();
    assert!(identity.persons.search(&scope, &query, None, 10).await.unwrap().persons.is_empty());
}

#[tokio::test]
async fn the_type_stays_while_anybody_has_a_value() {
    let (identity, _, home) = identity().await;
    identity.attributes.define(json!({ "name": "badge", "type": "integer" }), "test").await.unwrap();
    let text = json!({ "type": "text" });
    assert_eq!(
        identity.attributes.change("badge", &text, "test").await.unwrap().attribute.kind,
        AttributeType::Text
    );
    let alice = person(&identity, &home, "alice", json!({ "badge": "B7" })).await;
    for change in
        [json!({ "type": "integer" }), json!({ "multi_valued": true }), json!({ "case_exact": true })]
    {
        let refused = identity.attributes.change("badge", &change, "test").await.unwrap_err();
        assert_eq!(refused.field(), Some("type"), "{refused}");
    }
    assert_eq!(
        identity.attributes.change("badge", &json!({ "name": "b" }), "test").await.unwrap_err().field(),
        Some("name")
    );
    // A change that was refused leaves the attribute in service.
    set(&identity, &alice, json!({ "badge": "B8" })).await.unwrap();
    let longer = identity.attributes.change("badge", &json!({ "max_length": 3 }), "test").await.unwrap();
    assert_eq!(longer.state, State::Settled);
    assert!(set(&identity, &alice, json!({ "badge": "B8888" })).await.is_err());
}

#[tokio::test]
async fn unique_is_refused_while_persons_have_the_same_value_and_names_them() {
    let (identity, _, home) = identity().await;
    identity.attributes.define(json!({ "name": "badge", "type": "text" }), "test").await.unwrap();
    let alice = person(&identity, &home, "alice", json!({ "badge": "B7" })).await;
    let bob = person(&identity, &home, "bob", json!({ "badge": "b7" })).await;
    let unique = json!({ "unique": true });
    let refused = identity.attributes.change("badge", &unique, "test").await.unwrap_err();
    let IdentityError::Duplicates(found) = &refused else { panic!("{refused}") };
    let mut persons = found[0].persons.clone();
    persons.sort();
    assert_eq!((found.len(), found[0].value.as_str(), persons), (1, "b7", ["alice".into(), "bob".into()]));
    assert!(refused.to_string().contains("b7"), "{refused}");
    // Nothing of the try is left: the value may still be shared.
    let carol = person(&identity, &home, "carol", json!({ "badge": "B7" })).await;
    set(&identity, &bob, json!({ "badge": "B8" })).await.unwrap();
    set(&identity, &carol, json!({ "badge": null })).await.unwrap();
    identity.attributes.change("badge", &unique, "test").await.unwrap();
    let taken = set(&identity, &carol, json!({ "badge": "B7" })).await.unwrap_err();
    assert!(matches!(&taken, IdentityError::Taken { attribute } if attribute == "badge"), "{taken}");
    set(&identity, &alice, json!({ "badge": "B9" })).await.unwrap();
    set(&identity, &carol, json!({ "badge": "B7" })).await.unwrap();
    identity.attributes.change("badge", &json!({ "unique": false }), "test").await.unwrap();
    set(&identity, &alice, json!({ "badge": "B7" })).await.unwrap();
}

#[tokio::test]
async fn nobody_slips_a_duplicate_in_while_an_attribute_becomes_unique() {
    let (identity, _, home) = identity().await;
    identity.attributes.define(json!({ "name": "badge", "type": "text" }), "test").await.unwrap();
    let mut people = Vec::new();
    for n in 0..20 {
        people.push(person(&identity, &home, &format!("p{n}"), json!({})).await);
    }
    let change = {
        let attributes = identity.attributes.clone();
        tokio::spawn(async move { attributes.change("badge", &json!({ "unique": true }), "test").await })
    };
    let writers = people.iter().cloned().map(|one| {
        let identity = identity.clone();
        tokio::spawn(async move { set(&identity, &one, json!({ "badge": "same" })).await.is_ok() })
    });
    let mut written = 0;
    for one in writers.collect::<Vec<_>>() {
        written += usize::from(one.await.unwrap());
    }
    let changed = change.await.unwrap();
    let is_unique = identity.attributes.get("badge").await.unwrap().unwrap().attribute.unique;
    assert_eq!(changed.is_ok(), is_unique);
    assert!(!is_unique || written <= 1, "{written} have it though it is unique");
}

#[tokio::test]
async fn a_change_that_was_cut_off_is_undone_by_the_next_and_its_attribute_is_closed_meanwhile() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
    let (identity, store, home) = crate::tests::identity_at(clock.clone()).await;
    identity.attributes.define(json!({ "name": "badge", "type": "text" }), "test").await.unwrap();
    let alice = person(&identity, &home, "alice", json!({ "badge": "B7" })).await;
    let (before, _) = identity.attributes.mark("badge", State::Changing, "test").await.unwrap();
    let half = Attribute { unique: true, ..before.attribute };
    identity.attributes.index(&half).await.unwrap();
    let closed = set(&identity, &alice, json!({ "badge": "B8" })).await.unwrap_err();
    assert_eq!(closed.to_string(), "badge: its definition is being changed; try again in a moment");
    // Other attributes of theirs can be written, and don't undo what the change wrote.
    let written = set(&identity, &alice, json!({ "nickname": "Al" })).await.unwrap();
    assert_eq!(written.entries.unique.len(), 1);
    let again = identity.attributes.change("badge", &json!({ "searchable": true }), "test").await;
    assert_eq!(again.unwrap_err().field(), Some("name"), "the other one may still be at it");
    clock.advance(LEASE);
    identity.attributes.change("badge", &json!({ "searchable": true }), "test").await.unwrap();
    let after = store.get::<Person>(alice.id.as_str()).await.unwrap().unwrap().record;
    assert_eq!((after.entries.unique.len(), after.entries.shared.len()), (0, 1));
    set(&identity, &alice, json!({ "badge": "B8" })).await.unwrap();
}

#[tokio::test]
async fn claims_follow_the_table() {
    let (identity, _, home) = identity().await;
    let badge = json!({ "name": "badge", "type": "text", "claim": "https://example.org/badge", "scopes": ["staff"],
        "clients": ["shop"] });
    identity.attributes.define(badge, "test").await.unwrap();
    let schema = identity.attributes.schema().await.unwrap();
    assert!(schema.scopes().is_superset(&["address", "email", "groups", "phone", "profile", "staff"].into()));
    let attribute = schema.claim("https://example.org/badge").unwrap();
    let staff = ["staff".to_owned()];
    assert!(attribute.is_released("shop", &staff));
    assert!(
        !attribute.is_released("other", &staff) && !attribute.is_released("shop", &["profile".to_owned()])
    );
    let person = person(&identity, &home, "alice", json!({
        "badge": "B7", "phones": [{ "value": "+41441234567" }, { "value": "+41441234568", "primary": true, "verified": true }],
        "addresses": [{ "street_address": "Road 1\nFloor 2", "locality": "Zurich", "type": "home" }],
    }))
    .await;
    let claim = |name: &str| schema.claim(name).unwrap().claim_of(&person, &["Staff".to_owned()]);
    assert_eq!(attribute.claim_of(&person, &[]), Some(json!("B7")));
    assert_eq!(claim("phone_number"), Some(json!("+41441234568")));
    assert_eq!(claim("phone_number_verified"), Some(json!(true)));
    assert_eq!(claim("address"), Some(json!({ "street_address": "Road 1\nFloor 2", "locality": "Zurich" })));
    assert_eq!(claim("preferred_username"), Some(json!("alice")));
    assert_eq!(claim("groups"), Some(json!(["Staff"])));
    assert_eq!((claim("email"), claim("email_verified"), claim("birthdate")), (None, None, None));
    let standard = [
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "email",
        "email_verified",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
    ];
    for name in standard {
        assert!(schema.claim(name).is_some(), "OpenID Connect Core section 5.1 has {name}");
    }
}
