use super::*;
use crate::Identity;
use crate::organisation::OrganisationChanges;
use crate::person::{NewPerson, Person};
use crate::tests::{alice, identity};

async fn group(identity: &Identity, home: &OrgId, name: &str) -> Group {
    let fields = GroupFields { display_name: Some(name.to_owned()), ..GroupFields::default() };
    identity.groups.create(home, &fields, "test").await.unwrap()
}

async fn names(identity: &Identity, person: &Person) -> Vec<String> {
    identity.groups.effective(&OrgScope::All, &person.id).await.unwrap().names()
}

#[tokio::test]
async fn a_person_is_in_the_groups_that_have_them_and_in_those_that_have_these() {
    let (identity, store, home) = identity().await;
    let alice = alice(&identity, &home).await;
    let [staff, engineers, everybody, others] = [
        group(&identity, &home.id, "Staff").await,
        group(&identity, &home.id, "Engineers").await,
        group(&identity, &home.id, "Everybody").await,
        group(&identity, &home.id, "Others").await,
    ];
    let groups = &identity.groups;
    let scope = OrgScope::One(home.id.clone());
    assert!(groups.add(&scope, &engineers.id, &Member::person(&alice.id), "test").await.unwrap());
    assert!(!groups.add(&scope, &engineers.id, &Member::person(&alice.id), "test").await.unwrap());
    groups.add(&scope, &staff.id, &Member::group(&engineers.id), "test").await.unwrap();
    groups.add(&scope, &everybody.id, &Member::group(&staff.id), "test").await.unwrap();
    groups.add(&scope, &everybody.id, &Member::group(&engineers.id), "test").await.unwrap();
    groups.add(&scope, &others.id, &Member::group(&everybody.id), "test").await.unwrap();
    groups.remove(&scope, &others.id, &Member::group(&everybody.id), "test").await.unwrap();
    assert_eq!(names(&identity, &alice).await, ["Engineers", "Everybody", "Staff"]);
    let effective = groups.effective(&scope, &alice.id).await.unwrap();
    assert!(effective.groups[&engineers.id].1 && !effective.groups[&staff.id].1 && !effective.is_cut);
    let (members, next) = groups.members(&scope, &everybody.id, None, 10).await.unwrap();
    assert_eq!((members.len(), next), (2, None));
    groups.delete(&scope, &staff.id, "test").await.unwrap();
    assert_eq!(names(&identity, &alice).await, ["Engineers", "Everybody"]);
    groups.remove(&scope, &engineers.id, &Member::person(&alice.id), "test").await.unwrap();
    assert!(names(&identity, &alice).await.is_empty());
    let events = store.audit_events(&store.node().await.unwrap(), 0, 1000).await.unwrap();
    let count = |name: &str| events.iter().filter(|entry| entry.event.event == name).count();
    assert_eq!((count("group.member_added"), count("group.member_removed")), (5, 2));
    assert_eq!(count("group.deleted"), 1);
}

#[tokio::test]
async fn a_group_never_gets_into_itself_nor_too_deep() {
    let (identity, _, home) = identity().await;
    let scope = OrgScope::One(home.id.clone());
    let mut chain = Vec::new();
    for n in 0..=MAX_DEPTH {
        chain.push(group(&identity, &home.id, &format!("g{n}")).await);
    }
    let put = async |outer: usize, inner: usize| {
        let member = Member::group(&chain[inner].id);
        identity.groups.add(&scope, &chain[outer].id, &member, "test").await
    };
    assert!(matches!(put(0, 0).await, Err(IdentityError::Cycle)));
    for n in 1..MAX_DEPTH {
        put(n, n - 1).await.unwrap();
    }
    assert!(matches!(put(0, 1).await, Err(IdentityError::Cycle)));
    assert!(matches!(put(0, MAX_DEPTH - 1).await, Err(IdentityError::Cycle)));
    assert!(matches!(put(MAX_DEPTH, MAX_DEPTH - 1).await, Err(IdentityError::TooDeep)));
    assert!(matches!(put(0, MAX_DEPTH).await, Err(IdentityError::TooDeep)));
    let alice = alice(&identity, &home).await;
    identity.groups.add(&scope, &chain[0].id, &Member::person(&alice.id), "test").await.unwrap();
    assert_eq!(names(&identity, &alice).await.len(), MAX_DEPTH);
}

#[tokio::test]
async fn of_those_who_close_a_ring_at_once_one_at_least_is_refused() {
    let (identity, _, home) = identity().await;
    let scope = OrgScope::One(home.id.clone());
    let mut ring = Vec::new();
    for n in 0..5 {
        ring.push(group(&identity, &home.id, &format!("g{n}")).await);
    }
    for _ in 0..10 {
        let tries = (0..5).map(|n| {
            let (groups, scope) = (identity.groups.clone(), scope.clone());
            let (outer, inner) = (ring[n].id.clone(), ring[(n + 1) % 5].id.clone());
            tokio::spawn(async move { groups.add(&scope, &outer, &Member::group(&inner), "test").await })
        });
        let mut refused = 0;
        for one in tries.collect::<Vec<_>>() {
            match one.await.unwrap() {
                Ok(_) => {}
                Err(IdentityError::Cycle) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(refused, 1);
        for n in 0..5 {
            let inner = Member::group(&ring[(n + 1) % 5].id);
            identity.groups.remove(&scope, &ring[n].id, &inner, "test").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_name_is_one_groups_in_its_organisation_also_in_a_race() {
    let (identity, _, home) = identity().await;
    let tries = (0..50).map(|n| {
        let (groups, home) = (identity.groups.clone(), home.id.clone());
        let name = if n % 2 == 0 { "Staff" } else { " sTAFF " };
        let fields = GroupFields { display_name: Some(name.into()), ..GroupFields::default() };
        tokio::spawn(async move { groups.create(&home, &fields, "test").await })
    });
    let mut wins = 0;
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => wins += 1,
            Err(error) => assert_eq!(error.field(), Some("display_name"), "{error}"),
        }
    }
    assert_eq!(wins, 1);
    let other = OrganisationChanges { name: Some("Other".into()), ..OrganisationChanges::default() };
    let other = identity.organisations.create(&other, "test").await.unwrap();
    group(&identity, &other.id, "Staff").await;
    let engineers = group(&identity, &home.id, "Engineers").await;
    let rename = GroupFields { display_name: Some("STAFF".into()), ..GroupFields::default() };
    let refused = identity.groups.update(&OrgScope::All, &engineers.id, &rename, None, "test").await;
    assert_eq!(refused.unwrap_err().field(), Some("display_name"));
    for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
        let fields = GroupFields { display_name: Some(bad.to_owned()), ..GroupFields::default() };
        assert!(identity.groups.create(&home.id, &fields, "test").await.is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn only_people_and_groups_of_the_same_organisation_get_in() {
    let (identity, _, home) = identity().await;
    let other = OrganisationChanges { name: Some("Other".into()), ..OrganisationChanges::default() };
    let other = identity.organisations.create(&other, "test").await.unwrap();
    let new = NewPerson { username: "eve".into(), ..NewPerson::default() };
    let eve = identity.persons.create(&other.id, new, "test").await.unwrap();
    let (ours, theirs) =
        (group(&identity, &home.id, "Ours").await, group(&identity, &other.id, "Theirs").await);
    let add = async |member: Member| identity.groups.add(&OrgScope::All, &ours.id, &member, "test").await;
    assert!(matches!(add(Member::person(&eve.id)).await, Err(IdentityError::NoPerson)));
    assert!(matches!(add(Member::group(&theirs.id)).await, Err(IdentityError::NoGroup)));
    for id in ["", "nobody", "\0", &"x".repeat(1000)] {
        for kind in [MemberKind::Person, MemberKind::Group] {
            let member = Member { kind, id: id.to_owned() };
            assert!(add(member.clone()).await.is_err());
            assert!(!identity.groups.remove(&OrgScope::All, &ours.id, &member, "test").await.unwrap());
        }
    }
}
