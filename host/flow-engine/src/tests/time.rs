//! A run has its time; after it, at show and at submit, people are told.

use std::time::Duration;

use axum::http::StatusCode;

use super::house::House;

const SLOW: &str = "Flow t.slow
    Basepath \"\"
    Timeout 60 seconds

model = {title: \"x\"}
form = RRF \"page.html\" model
Finish \"me\"
";

#[tokio::test]
async fn a_page_shown_and_a_form_sent_too_late_are_told_so() {
    let house = House::new(&[("t.slow", SLOW)]).await;
    let page = house.start("t.slow").await;
    let token = house.token(&page).await;
    house.clock.advance(Duration::from_secs(59));
    assert_eq!(house.get(&page).await.status, StatusCode::OK);
    house.clock.advance(Duration::from_secs(1));
    let shown = house.get(&page).await;
    assert_eq!(shown.status, StatusCode::GONE);
    assert!(shown.body.contains("took too long") && shown.body.contains("/again"), "{}", shown.body);
    let sent = house.post(&page, &[("_step", &token)]).await;
    assert_eq!(sent.status, StatusCode::GONE);
    // Much later nothing is left of it.
    house.clock.advance(Duration::from_secs(3600));
    house.store.sweep(1000).await.unwrap();
    assert_eq!(house.get(&page).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_outcome_that_nobody_fetches_in_time_is_gone() {
    let house = House::new(&[("t.slow", SLOW)]).await;
    let page = house.start("t.slow").await;
    let done = house.answer(&page, &[]).await.location;
    house.clock.advance(Duration::from_secs(601));
    assert!(house.take(&done).await.is_none());
}

const WORK: &str = "Flow t.work
    Basepath \"\"

model = {title: \"x\"}
form = RRF \"page.html\" model
done = Call test.calls#slow \"x\"
Finish \"me\"
";

#[tokio::test]
async fn a_step_whose_server_died_is_shown_again_and_answered_once() {
    let house = House::new(&[("t.work", WORK)]).await;
    let page = house.start("t.work").await;
    let token = house.token(&page).await;
    let answer = async || house.post(&page, &[("_step", &token)]).await;
    // What drops the request in the middle of its call leaves the claim, as a server that dies does.
    assert!(tokio::time::timeout(Duration::from_millis(50), answer()).await.is_err());
    assert_eq!(house.get(&page).await.status, StatusCode::ACCEPTED);
    house.clock.advance(Duration::from_secs(10));
    assert_eq!(house.get(&page).await.status, StatusCode::OK);
    let (one, other) = tokio::join!(answer(), answer());
    assert_eq!((one.status, other.status), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    assert_eq!(one.location, other.location);
    assert!(house.take(&one.location).await.is_some());
    assert!(house.take(&one.location).await.is_none());
}
