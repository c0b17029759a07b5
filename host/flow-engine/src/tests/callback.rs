//! `RFAC`: to another site and back, once.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::house::House;

const AWAY: &str = "Flow t.away
    Basepath \"\"

answer = RFAC \"https://other.example/login?x=1\"
When answer.code is \"42\"
    Finish \"me\"
Finish false
";

#[tokio::test]
async fn a_callback_resumes_the_run_once_with_its_parameters() {
    let house = House::new(&[("t.away", AWAY)]).await;
    let away = house.start("t.away").await;
    let page = house.get(&away).await;
    assert!(page.body.contains("https://other.example/login?x=1"), "{}", page.body);
    let done = house.get("/flow/callback?code=42").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(house.take(&done.location).await.unwrap().outcome.success);
    assert_eq!(house.get("/flow/callback?code=42").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_callback_without_the_browsers_cookie_resumes_nothing() {
    let house = House::new(&[("t.away", AWAY)]).await;
    house.start("t.away").await;
    let request = Request::get("/flow/callback?code=42").header("host", "localhost:1");
    let stranger = house.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/flow/callback?code=42").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_cross_site_post_is_sent_once_more_from_here_and_then_counts() {
    let house = House::new(&[("t.away", AWAY)]).await;
    house.start("t.away").await;
    let request = Request::post("/flow/callback")
        .header("host", "localhost:1")
        .header("origin", "https://other.example")
        .header("content-type", "application/x-www-form-urlencoded");
    let page = house.send(request.body(Body::from("code=42")).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("name=\"code\"") && page.body.contains("value=\"42\""), "{}", page.body);
    let done = house.post("/flow/callback", &[("code", "42")]).await;
    assert!(house.take(&done.location).await.unwrap().outcome.success);
}

#[tokio::test]
async fn a_page_may_wait_for_form_or_callback_whichever_comes() {
    let flow = "Flow t.both\n    Basepath \"\"\n\nmodel = {title: \"x\"}\n\
        form = RRF \"page.html\" model true\nFinish form.code\n";
    let house = House::new(&[("t.both", flow)]).await;
    let page = house.start("t.both").await;
    assert_eq!(house.get(&page).await.status, StatusCode::OK);
    let done = house.get("/flow/callback?code=me").await;
    assert_eq!(house.take(&done.location).await.unwrap().user_id(), Some("me"));
}

#[tokio::test]
async fn where_no_url_is_given_the_run_crashes() {
    let flow = "Flow t.bad\n    Basepath \"\"\n\nanswer = RFAC \"javascript:alert(1)\"\nFinish true\n";
    let house = House::new(&[("t.bad", flow)]).await;
    let start = crate::Start {
        batch: agamid_store::Batch::new(),
        run: agamid_core::id::RunId::generate(&agamid_core::Env::system()),
        flow: "t.bad".to_owned(),
        inputs: crate::agama_lang::value::Map::new(),
        launch: None,
        shown: crate::agama_lang::value::Map::new(),
        owner: House::owner(),
        browser: "b".to_owned(),
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        organisation: None,
        locales: Vec::new(),
        form_action: Vec::new(),
    };
    let refused = house.engine.start(start).await;
    assert!(matches!(refused, Err(crate::EngineError::Crashed { .. })), "{refused:?}");
}
