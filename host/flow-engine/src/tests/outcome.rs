//! Crashes, refusals, proofs.

use agamid_core::id::RunId;
use axum::http::StatusCode;

use super::house::House;
use crate::{LaunchError, OwnerKind};

fn flow(body: &str) -> String {
    format!(
        "Flow t.it\n    Basepath \"\"\n    Inputs person\n\nmodel = {{title: \"x\"}}\nform = RRF \"page.html\" model\n{body}\n"
    )
}

async fn run(body: &str) -> (House, super::house::Answer) {
    let house = House::new(&[("t.it", &flow(body))]).await;
    let page = house.start("t.it").await;
    let done = house.answer(&page, &[("name", "n"), ("secret", "s3cret-word")]).await;
    (house, done)
}

#[tokio::test]
async fn a_crash_shows_a_reference_and_a_way_to_start_again_and_tells_no_insides() {
    for body in [
        "x = Call test.calls#fail person\nFinish x",
        "x = form.name.length.more\nFinish x",
        "Repeat 100000000 times max\n    x = 1\nFinish true",
    ] {
        let (_, page) = run(body).await;
        assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
        assert!(page.body.contains("/again") && page.body.contains("Reference"), "{}", page.body);
        assert!(!page.body.contains("on purpose") && !page.body.contains("t.it"), "{}", page.body);
    }
}

#[tokio::test]
async fn a_caught_error_goes_on_and_its_proof_does_not_count() {
    let (house, done) =
        run("x | E = Call test.calls#fail person\nWhen E is not null\n    Finish person").await;
    let finished = house.take(&done.location).await.unwrap();
    assert!(finished.outcome.success);
    assert!(finished.methods(&house.person).is_empty(), "nobody was proved");
}

#[tokio::test]
async fn a_proof_is_for_the_person_proved_and_nobody_else() {
    let (house, done) = run("x = Call test.calls#prove person\nFinish \"01ARZ3NDEKTSV4RRFFQ69G5FAV\"").await;
    let finished = house.take(&done.location).await.unwrap();
    let named = agamid_core::id::PersonId::parse(finished.user_id().unwrap()).unwrap();
    assert!(finished.methods(&named).is_empty());
    assert_eq!(finished.methods(&house.person), ["pwd"]);
}

#[tokio::test]
async fn an_outcome_is_for_its_owner_and_browser_only() {
    let (house, done) = run("Finish person").await;
    let run = RunId::parse(done.location.rsplit_once("run=").unwrap().1).unwrap();
    let foreign = house.engine.take(&run, OwnerKind::Consent, "transaction", "x").await.unwrap();
    assert!(foreign.is_none());
    assert!(house.take(&done.location).await.is_none(), "a stolen try uses it up");
}

#[tokio::test]
async fn what_callers_may_start_and_set_is_what_the_project_says() {
    let house = House::new(&[("t.it", &flow("Finish person"))]).await;
    let encode = |json: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, json);
    let launch = |acr: String| house.engine.launch_from_acr(&acr);
    let (name, inputs) = launch(format!("agama_t.it-{}", encode("{\"hint\": 1}"))).unwrap();
    assert_eq!((name.as_str(), inputs.len()), ("t.it", 1));
    assert!(matches!(launch("agama_t.none".to_owned()), Err(LaunchError::Unknown(_))));
    assert!(matches!(launch("urn:pwd".to_owned()), Err(LaunchError::NoFlow)));
    let foreign = launch(format!("agama_t.it-{}", encode("{\"person\": \"me\"}")));
    assert!(matches!(foreign, Err(LaunchError::Input { .. })));
    for bad in ["agama_t.it-!!!".to_owned(), format!("agama_t.it-{}", encode("[]"))] {
        assert!(matches!(launch(bad), Err(LaunchError::Unreadable)));
    }
    let mut closed =
        super::house::project("closed", &[("c.it", "Flow c.it\n    Basepath \"\"\n\nFinish false\n")]);
    closed.manifest.launchable.clear();
    house.engine.catalog().deploy(closed, "test").await.unwrap();
    assert!(matches!(launch("agama_c.it".to_owned()), Err(LaunchError::NotLaunchable(_))));
}
