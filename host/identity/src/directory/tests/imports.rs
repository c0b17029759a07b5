use std::time::Duration;

use super::*;
use crate::directory::import::Counts;

fn scheduled(slapd: &Slapd) -> DirectorySettings {
    DirectorySettings { import: ImportMode::Schedule, ..settings(slapd) }
}

#[tokio::test]
async fn an_import_pages_through_more_people_than_the_server_gives_at_once_and_the_second_changes_nothing() {
    let slapd = Slapd::start("localhost", 2_500);
    let house = house(vec![DirectorySettings { page_size: 200, ..scheduled(&slapd) }]).await;
    assert_eq!(house.log_in("alice", PASSWORD).await, None, "who was not imported can't log in");
    let first = house.identity.directories.import("staff").await.unwrap();
    assert_eq!(first, Counts { found: 2_504, created: 2_504, ..Counts::default() });
    let people = house.people().await;
    house.clock.advance(Duration::from_secs(10));
    let second = house.identity.directories.import("staff").await.unwrap();
    assert_eq!(second, Counts { found: 2_504, unchanged: 2_504, ..Counts::default() });
    assert_eq!(house.people().await, people);
    assert!(house.log_in("p02499", PASSWORD).await.is_some());
}

#[tokio::test]
async fn people_whose_entry_is_gone_are_disabled_and_enabled_when_it_is_back() {
    let mut slapd = Slapd::start("localhost", 0);
    let house = house(vec![scheduled(&slapd)]).await;
    house.identity.directories.import("staff").await.unwrap();
    let find = async |login: &str| {
        house.identity.persons.by_login(&house.organisation, login).await.unwrap().unwrap()
    };
    let twin = find("twin1").await;
    house
        .identity
        .persons
        .set_status(&crate::OrgScope::All, &twin.id, crate::AccountStatus::disabled(), "an administrator")
        .await
        .unwrap();

    slapd.delete("bob");
    let counts = house.identity.directories.import("staff").await.unwrap();
    assert_eq!((counts.disabled, counts.unchanged), (1, 3));
    let bob = find("bob").await;
    assert!(bob.status != crate::AccountStatus::Active, "disabled, and still there");
    let counts = house.identity.directories.import("staff").await.unwrap();
    assert_eq!(counts.disabled, 0, "once");

    // An entry with the same id, as a restored backup has it.
    let link = house.identity.directories.link_of(&bob.id).await.unwrap().unwrap();
    let id = link.stable_id.trim_start_matches("t:").to_owned();
    slapd.add("bob", "Bob Builder", Some(&id));
    let counts = house.identity.directories.import("staff").await.unwrap();
    assert_eq!((counts.updated, counts.disabled), (1, 0));
    assert!(find("bob").await.status == crate::AccountStatus::Active);
    assert!(
        find("twin1").await.status != crate::AccountStatus::Active,
        "what an administrator decided stays"
    );
}

#[tokio::test]
async fn an_import_that_would_disable_many_disables_nobody_until_that_is_allowed() {
    let mut slapd = Slapd::start("localhost", 40);
    let house = house(vec![scheduled(&slapd)]).await;
    house.identity.directories.import("staff").await.unwrap();
    let all = scheduled(&slapd);
    let with = |filter: &str, vanish_percent: u8| {
        let import_filter = Some(filter.to_owned());
        let narrowed = DirectorySettings { import_filter, vanish_percent, ..all.clone() };
        house.identity.clone().with_directories(DirectoriesSettings(vec![narrowed])).unwrap().directories
    };
    for filter in ["(uid=nobody)", "(uid=p0000*)"] {
        for _ in 0..2 {
            let stopped = with(filter, 20).import("staff").await.unwrap_err();
            assert!(stopped.to_string().contains("vanish_percent"), "{stopped}");
            assert!(
                house.people().await.iter().all(|person| person.status == crate::AccountStatus::Active),
                "{filter}"
            );
        }
    }
    slapd.add("new", "New One", None);
    let counts = house.identity.directories.import("staff").await.unwrap();
    assert_eq!(
        (counts.created, counts.disabled),
        (1, 0),
        "an import that was stopped does not stop the next"
    );
    let counts = with("(!(|(uid=p0000*)(uid=p0001*)))", 45).import("staff").await.unwrap();
    assert_eq!((counts.created, counts.disabled), (0, 20), "20 of 45 are less than 45 %");
}

#[tokio::test]
async fn an_entry_that_can_not_be_a_person_stops_nobody_else() {
    let slapd = Slapd::start("localhost", 0);
    let mail_as_name = vec![
        Rule { from: vec!["mail".into()], to: "username".into(), take: Take::First },
        Rule { from: vec!["cn".into()], to: "name".into(), take: Take::First },
    ];
    let house = house(vec![DirectorySettings { map: mail_as_name, ..scheduled(&slapd) }]).await;
    let counts = house.identity.directories.import("staff").await.unwrap();
    assert_eq!((counts.found, counts.created, counts.refused), (4, 3, 1), "the twins share an address");
}

#[tokio::test]
async fn one_import_runs_at_a_time_and_a_dead_ones_lease_runs_out() {
    let slapd = Slapd::start("localhost", 300);
    let house = house(vec![DirectorySettings { page_size: 10, ..scheduled(&slapd) }]).await;
    let directories = house.identity.directories.clone();
    let (one, other) = tokio::join!(directories.import("staff"), directories.import("staff"));
    let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(
        matches!(refused.as_slice(), [IdentityError::Directory(DirectoryError::ImportRunning(_))]),
        "{refused:?}"
    );
    let state = directories.state().await.unwrap().remove(0).import.unwrap();
    assert!(!state.running && state.failure.is_none() && state.counts.created == 304);
}

#[tokio::test]
async fn scheduled_imports_run_when_they_are_due() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![scheduled(&slapd)]).await;
    let started = async || {
        house.identity.directories.import_due().await;
        house.identity.directories.state().await.unwrap().remove(0).import.unwrap().started_at
    };
    let first = started().await;
    house.clock.advance(Duration::from_secs(3599));
    assert_eq!(started().await, first);
    house.clock.advance(Duration::from_secs(1));
    assert_ne!(started().await, first);
}

#[tokio::test]
async fn a_search_takes_no_more_than_its_limit_and_says_that_there_is_more() {
    let slapd = Slapd::start("localhost", 0);
    let house = house(vec![settings(&slapd)]).await;
    let directory = &house.identity.directories.all[0];
    let query = Query {
        base: PEOPLE.into(),
        scope: SearchScope::Subtree,
        filter: "(objectClass=inetOrgPerson)".into(),
        attributes: vec!["uid".into()],
        limit: 2,
        page: None,
    };
    let found = directory.pool.search(&query).await.unwrap();
    assert!(found.more && found.entries.len() == 2);
}
