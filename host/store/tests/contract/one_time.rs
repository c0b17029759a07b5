//! One-time records: once and never again (security items 8, 9, 11, 13).

use agamid_core::time::Timestamp;
use agamid_store::setting::Setting;
use agamid_store::{
    AuditEvent, Batch, Consume, Consumption, Expect, OneTime, Purpose, Store, StoreError, Tombstone,
};

use crate::bench::{Bench, NOW, Pet, is_conflict, on_every_backend};

fn one_time(purpose: Purpose, hash: &str) -> OneTime {
    OneTime {
        purpose,
        hash: hash.to_owned(),
        client: Some("shop".to_owned()),
        person: Some("alice".to_owned()),
        session: Some("session".to_owned()),
        run: None,
        address: Some("https://shop.example/cb".to_owned()),
        family: Some("family".to_owned()),
        payload: serde_json::json!({"nonce": "n"}),
        expires_at: Timestamp(NOW.0 + 60_000),
    }
}

async fn issue(store: &Store, purpose: Purpose, hash: &str) {
    store.commit(Batch::new().issue(one_time(purpose, hash))).await.unwrap();
}

fn code(hash: &str) -> Consume {
    Consume::new(Purpose::Code, hash)
}

fn refresh(hash: &str) -> Consume {
    Consume::new(Purpose::RefreshToken, hash)
}

fn tombstone(used_at: i64, left: Option<serde_json::Value>) -> Consumption {
    let used_at = Timestamp(NOW.0 + used_at * 1000);
    Consumption::Replayed(Tombstone { family: Some("family".to_owned()), used_at, left })
}

async fn a_record_is_consumed_once_and_leaves_a_tombstone_until_it_ends(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    bench.pass(5);
    let whole =
        code("h").client("shop").person("alice").session("session").address("https://shop.example/cb");
    let first = bench.store.consume(whole.clone()).await.unwrap();
    assert_eq!(first, Consumption::Consumed(Box::new(one_time(Purpose::Code, "h"))));
    bench.pass(5);
    for again in [whole, code("h"), code("h").client("thief")] {
        assert_eq!(bench.store.consume(again).await.unwrap(), tombstone(5, None));
    }
    bench.pass(50);
    assert_eq!(bench.store.consume(code("h")).await.unwrap(), Consumption::Absent);
    // A database keeps it for a while: the clocks of its nodes may differ.
    bench.pass(600);
    assert_eq!(bench.store.sweep(10).await.unwrap(), 1);
    assert_eq!(bench.store.consume(code("h")).await.unwrap(), Consumption::Absent);
}

async fn what_never_was_or_has_ended_is_absent(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    for unknown in ["", "H", "h ", "hh", "x"] {
        assert_eq!(bench.store.consume(code(unknown)).await.unwrap(), Consumption::Absent);
    }
    bench.pass(60);
    assert_eq!(bench.store.consume(code("h")).await.unwrap(), Consumption::Absent);
}

async fn a_value_of_one_purpose_is_absent_for_every_other(bench: Bench) {
    let all = [Purpose::Code, Purpose::FlowCallback, Purpose::FlowOutcome, Purpose::RefreshToken];
    for issued in all {
        let hash = format!("{issued:?}");
        issue(&bench.store, issued, &hash).await;
        for presented in all.into_iter().filter(|purpose| *purpose != issued) {
            let outcome = bench.store.consume(Consume::new(presented, &hash)).await.unwrap();
            assert_eq!(outcome, Consumption::Absent, "{issued:?} as {presented:?}");
        }
        let outcome = bench.store.consume(Consume::new(issued, &hash)).await.unwrap();
        assert!(matches!(outcome, Consumption::Consumed(_)));
    }
}

async fn each_binding_that_is_expected_must_be_equal_and_the_first_that_differs_is_named(bench: Bench) {
    let wrong = [
        ("client", code("h").client("other")),
        ("client", code("h").client("")),
        ("person", code("h").client("shop").person("bob").session("x")),
        ("session", code("h").session("SESSION")),
        ("run", code("h").run("any")),
        ("address", code("h").address("https://shop.example/cb/")),
    ];
    for (n, (field, consume)) in wrong.into_iter().enumerate() {
        let hash = format!("h{n}");
        issue(&bench.store, Purpose::Code, &hash).await;
        let outcome = bench.store.consume(Consume { hash: hash.clone(), ..consume }).await.unwrap();
        assert_eq!(outcome, Consumption::Mismatch(field));
        assert_eq!(bench.store.consume(code(&hash)).await.unwrap(), tombstone(0, None), "{field}");
    }
}

async fn a_mismatch_burns_a_code_but_not_a_refresh_token(bench: Bench) {
    for purpose in [Purpose::Code, Purpose::FlowCallback, Purpose::FlowOutcome, Purpose::RefreshToken] {
        issue(&bench.store, purpose, "h").await;
        let foreign = Consume::new(purpose, "h").client("thief").leave("x".into());
        assert_eq!(bench.store.consume(foreign).await.unwrap(), Consumption::Mismatch("client"));
        let own = bench.store.consume(Consume::new(purpose, "h").client("shop")).await.unwrap();
        if purpose.burns_on_mismatch() {
            assert_eq!(own, tombstone(0, None), "{purpose:?}");
        } else {
            assert!(matches!(own, Consumption::Consumed(_)), "{purpose:?}");
        }
    }
    assert!(!Purpose::RefreshToken.burns_on_mismatch());
}

async fn a_replay_answers_what_the_first_use_left(bench: Bench) {
    issue(&bench.store, Purpose::RefreshToken, "h").await;
    let left = serde_json::json!({"successor": "sealed", "grace_until": 1});
    let first = bench.store.consume(refresh("h").leave(left.clone())).await.unwrap();
    assert!(matches!(first, Consumption::Consumed(_)));
    let second = bench.store.consume(refresh("h").leave("fork".into())).await.unwrap();
    assert_eq!(second, tombstone(0, Some(left)));
}

async fn a_hash_is_issued_once_while_it_or_its_tombstone_lasts(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    let again = || bench.store.commit(Batch::new().issue(one_time(Purpose::Code, "h")));
    assert!(is_conflict(&again().await));
    bench.store.consume(code("h")).await.unwrap();
    assert!(is_conflict(&again().await));
    bench.pass(60);
    let mut fresh = one_time(Purpose::Code, "h");
    fresh.expires_at = Timestamp(NOW.0 + 120_000);
    bench.store.commit(Batch::new().issue(fresh)).await.unwrap();
    assert!(matches!(bench.store.consume(code("h")).await.unwrap(), Consumption::Consumed(_)));
}

async fn of_fifty_parallel_consumptions_exactly_one_succeeds(bench: Bench) {
    for round in 0..5 {
        let hash = format!("h{round}");
        issue(&bench.store, Purpose::Code, &hash).await;
        let racers = (0..50).map(|n| {
            let (store, hash) = (bench.store.clone(), hash.clone());
            tokio::spawn(async move {
                let pet = Pet::new(&format!("{hash}-{n}"), &format!("{hash}-{n}")).tagged(&[&hash]);
                store.commit(Batch::new().consume(code(&hash)).put(&pet, Expect::Absent)).await.unwrap()
            })
        });
        let (mut won, mut replayed) = (0, 0);
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap().consumptions.as_slice() {
                [Consumption::Consumed(_)] => won += 1,
                [Consumption::Replayed(_)] => replayed += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((won, replayed), (1, 49));
        assert_eq!(bench.store.find::<Pet>("tag", &hash).await.unwrap().len(), 1);
    }
}

async fn a_refused_consumption_writes_only_what_the_refusal_says(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    bench.put(&Pet::new("family", "family")).await;
    let redeem = |consume: Consume, name: &str| {
        let refusal = Batch::new().delete::<Pet>("family", Expect::Any).audit(AuditEvent::new(
            "code.replayed",
            "shop",
            "family",
        ));
        Batch::new()
            .consume(consume)
            .put(&Pet::new(name, name), Expect::Absent)
            .issue(one_time(Purpose::RefreshToken, name))
            .audit(AuditEvent::new("token.issued", "shop", name))
            .if_refused(refusal)
    };
    let first = bench.store.commit(redeem(code("h").client("shop"), "first")).await.unwrap();
    assert!(first.accepted());
    assert_eq!((bench.version("first").await, bench.version("family").await), (Some(1), Some(1)));
    let second = bench.store.commit(redeem(code("h").client("shop"), "second")).await.unwrap();
    assert_eq!((second.accepted(), second.consumptions), (false, vec![tombstone(0, None)]));
    assert_eq!((bench.version("second").await, bench.version("family").await), (None, None));
    assert_eq!(bench.store.consume(refresh("second")).await.unwrap(), Consumption::Absent);
    let events = bench.events().await;
    let events: Vec<_> = events.iter().map(|entry| entry.event.event.as_str()).collect();
    assert_eq!(events, ["token.issued", "code.replayed"]);
}

async fn a_mismatch_in_a_batch_burns_and_writes_the_refusal(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    let batch = Batch::new()
        .put(&Pet::new("a", "a"), Expect::Absent)
        .consume(code("h").client("thief"))
        .if_refused(Batch::new().put(&Pet::new("alarm", "alarm"), Expect::Any));
    let committed = bench.store.commit(batch).await.unwrap();
    assert_eq!(committed.consumptions, [Consumption::Mismatch("client")]);
    assert_eq!((bench.version("a").await, bench.version("alarm").await), (None, Some(1)));
    assert_eq!(bench.store.consume(code("h")).await.unwrap(), tombstone(0, None));
}

async fn if_one_of_several_is_refused_none_is_used_up(bench: Bench) {
    issue(&bench.store, Purpose::Code, "good").await;
    let batch =
        Batch::new().consume(code("good")).consume(code("missing")).put(&Pet::new("a", "a"), Expect::Any);
    let committed = bench.store.commit(batch).await.unwrap();
    assert!(matches!(committed.consumptions.as_slice(), [Consumption::Consumed(_), Consumption::Absent]));
    assert!(!committed.accepted());
    assert_eq!(bench.version("a").await, None);
    assert!(matches!(bench.store.consume(code("good")).await.unwrap(), Consumption::Consumed(_)));
}

async fn the_same_value_twice_in_a_batch_is_a_replay(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    let committed = bench.store.commit(Batch::new().consume(code("h")).consume(code("h"))).await.unwrap();
    assert!(!committed.accepted());
    assert!(matches!(bench.store.consume(code("h")).await.unwrap(), Consumption::Consumed(_)));
}

async fn a_conflict_in_the_batch_leaves_the_code_usable(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    let batch = Batch::new().consume(code("h")).require::<Pet>("a", Expect::Version(1));
    assert!(is_conflict(&bench.store.commit(batch).await));
    assert!(matches!(bench.store.consume(code("h")).await.unwrap(), Consumption::Consumed(_)));
}

async fn a_refusal_that_conflicts_fails_the_whole_commit_and_burns_nothing(bench: Bench) {
    issue(&bench.store, Purpose::Code, "h").await;
    let refusal = Batch::new().require::<Pet>("a", Expect::Version(1));
    let batch = Batch::new().consume(code("h").client("thief")).if_refused(refusal);
    assert!(is_conflict(&bench.store.commit(batch).await));
    assert!(matches!(bench.store.consume(code("h")).await.unwrap(), Consumption::Consumed(_)));
}

async fn what_is_shown_of_a_batch_and_its_outcome_holds_no_content(bench: Bench) {
    let mut secret = one_time(Purpose::RefreshToken, "h");
    secret.payload = "SECRET".into();
    let setting = Setting { section: "mail".to_owned(), value: "SECRET".into() };
    let batch = Batch::new().issue(secret).put(&setting, Expect::Any);
    let mut shown = format!("{batch:?}");
    bench.store.commit(batch).await.unwrap();
    for _ in 0..2 {
        let consume = refresh("h").leave("SECRET".into());
        shown += &format!("{consume:?}");
        shown += &format!("{:?}", bench.store.consume(consume).await.unwrap());
    }
    assert!(shown.contains("Replayed") && !shown.contains("SECRET"), "{shown}");
    assert!(!shown.contains("83, 69, 67"), "bytes are content too: {shown}");
}

async fn a_refusal_that_would_itself_consume_is_invalid(bench: Bench) {
    let batch = Batch::new().consume(code("h")).if_refused(Batch::new().consume(code("h")));
    assert!(matches!(bench.store.commit(batch).await, Err(StoreError::Invalid(_))));
    let nested = Batch::new().if_refused(Batch::new().if_refused(Batch::new()));
    assert!(matches!(bench.store.commit(nested).await, Err(StoreError::Invalid(_))));
}

on_every_backend! {
    a_record_is_consumed_once_and_leaves_a_tombstone_until_it_ends
    what_never_was_or_has_ended_is_absent
    a_value_of_one_purpose_is_absent_for_every_other
    each_binding_that_is_expected_must_be_equal_and_the_first_that_differs_is_named
    a_mismatch_burns_a_code_but_not_a_refresh_token
    a_replay_answers_what_the_first_use_left
    a_hash_is_issued_once_while_it_or_its_tombstone_lasts
    of_fifty_parallel_consumptions_exactly_one_succeeds
    a_refused_consumption_writes_only_what_the_refusal_says
    a_mismatch_in_a_batch_burns_and_writes_the_refusal
    if_one_of_several_is_refused_none_is_used_up
    the_same_value_twice_in_a_batch_is_a_replay
    a_conflict_in_the_batch_leaves_the_code_usable
    a_refusal_that_conflicts_fails_the_whole_commit_and_burns_nothing
    what_is_shown_of_a_batch_and_its_outcome_holds_no_content
    a_refusal_that_would_itself_consume_is_invalid
}
