//! A run goes through its pages in order, in one browser, whatever people click.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::house::House;

const TWO_PAGES: &str = "Flow t.two
    Basepath \"\"
    Inputs person

model = {title: \"first\"}
first = RRF \"page.html\" model
model.title = first.name
second = RRF \"other.html\" model
proved = Call test.calls#prove person
Finish proved
";

async fn house() -> House {
    House::new(&[("t.two", TWO_PAGES)]).await
}

#[tokio::test]
async fn two_pages_an_outcome_and_the_owner_gets_it_once() {
    let house = house().await;
    let first = house.start("t.two").await;
    assert!(house.get(&first).await.body.contains("<h1>first</h1>"));
    let second = house.answer(&first, &[("name", "Zoe")]).await;
    assert_eq!(second.status, StatusCode::SEE_OTHER);
    assert!(house.get(&second.location).await.body.contains("<h1>Zoe</h1>"));
    let done = house.answer(&second.location, &[]).await;
    assert!(done.location.starts_with("/done?x=1&run="), "{}", done.location);
    let finished = house.take(&done.location).await.unwrap();
    assert!(finished.outcome.success);
    assert_eq!(finished.user_id(), Some(house.person.as_str()));
    assert_eq!(finished.methods(&house.person), ["pwd"]);
    assert_eq!(finished.acr(), "agama_t.two");
    assert!(house.take(&done.location).await.is_none(), "only once");
    assert_eq!(house.get(&second.location).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_double_click_is_one_answer_also_when_both_arrive_together() {
    let house = house().await;
    let first = house.start("t.two").await;
    let token = house.token(&first).await;
    let fields = [("name", "Zoe"), ("_step", token.as_str())];
    let (one, two) = tokio::join!(house.post(&first, &fields), house.post(&first, &fields));
    assert_eq!(one.location, two.location);
    assert!(one.location.ends_with("/other.html"), "{} {}", one.status, one.location);
    let third = house.post(&first, &fields).await;
    assert_eq!(third.location, one.location, "and later it only shows where the run stands");
}

#[tokio::test]
async fn a_stale_tab_is_told_and_a_forged_token_refused() {
    let house = house().await;
    let first = house.start("t.two").await;
    let old = house.token(&first).await;
    let second = house.answer(&first, &[("name", "a")]).await.location;
    let done = house.answer(&second, &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(house.post(&first, &[("_step", &old)]).await.status, StatusCode::NOT_FOUND, "it is over");

    let again = house.start("t.two").await;
    let other_run = house.post(&again, &[("_step", &old)]).await;
    assert_eq!(other_run.status, StatusCode::FORBIDDEN, "the token of another run");
    assert_eq!(house.post(&again, &[]).await.status, StatusCode::FORBIDDEN);
    let good = house.token(&again).await;
    let elsewhere = again.replace("page.html", "other.html");
    assert_eq!(house.post(&elsewhere, &[("_step", &good)]).await.status, StatusCode::CONFLICT);
    assert_eq!(house.get(&elsewhere).await.location, again, "any address of the run leads to its page");
}

#[tokio::test]
async fn a_restart_of_the_server_between_two_pages_changes_nothing() {
    let mut house = house().await;
    let first = house.start("t.two").await;
    house.restart().await;
    let second = house.answer(&first, &[("name", "Zoe")]).await;
    house.restart().await;
    assert!(house.get(&second.location).await.body.contains("<h1>Zoe</h1>"));
    let done = house.answer(&second.location, &[]).await;
    house.restart().await;
    assert!(house.take(&done.location).await.unwrap().outcome.success);
}

#[tokio::test]
async fn a_run_is_deployed_over_and_goes_on_with_its_own_version() {
    let house = house().await;
    let first = house.start("t.two").await;
    let new = TWO_PAGES.replace("other.html", "page.html").replace("\"first\"", "\"changed\"");
    let project = super::house::project("test", &[("t.two", new.as_str())]);
    house.engine.catalog().deploy(project, "test").await.unwrap();
    assert!(house.get(&first).await.body.contains("<h1>first</h1>"));
    let second = house.answer(&first, &[("name", "a")]).await.location;
    assert!(second.ends_with("/other.html"), "{second}");
    let fresh = house.start("t.two").await;
    assert!(house.get(&fresh).await.body.contains("<h1>changed</h1>"));
}

#[tokio::test]
async fn the_saved_state_is_sealed() {
    let house = house().await;
    let first = house.start("t.two").await;
    house.answer(&first, &[("name", "a-word-to-look-for")]).await;
    let run = first.split('/').nth(2).unwrap();
    let record = house.store.get::<crate::records::RunRecord>(run).await.unwrap().unwrap().record;
    let text = serde_json::to_string(&record).unwrap();
    assert!(!text.contains("a-word-to-look-for") && !record.sealed.is_empty());
    // Altered, or moved to another run, it stops the run instead of being believed.
    let mut altered = record.clone();
    altered.step += 1;
    let batch = agamid_store::Batch::new().put(&altered, agamid_store::Expect::Any);
    house.store.commit(batch).await.unwrap();
    let page = house.get(&format!("/flow/{run}/other.html")).await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn assets_of_the_project_are_served_beside_its_pages_and_templates_are_not() {
    let house = house().await;
    let first = house.start("t.two").await;
    let asset = |name: &str| first.replace("page.html", name);
    assert_eq!(house.get(&asset("style.css")).await.body, "body {}");
    let template = house.get(&asset("other.html")).await;
    assert_eq!((template.status, template.location), (StatusCode::SEE_OTHER, first.clone()));
    let outside = house.get(&asset("../project.json")).await;
    assert!(!outside.body.contains("projectName"));
}

#[tokio::test]
async fn a_json_form_keeps_its_types_and_what_is_no_form_is_refused() {
    let house = House::new(&[(
        "t.json",
        "Flow t.json\n    Basepath \"\"\n\nmodel = {title: \"x\"}\nform = RRF \"page.html\" model\n\
         When form.name is 7\n    Finish \"seven\"\nFinish false\n",
    )])
    .await;
    let page = house.start("t.json").await;
    let token = house.token(&page).await;
    let send = |kind: &'static str, body: String| {
        let request = Request::post(&page)
            .header("host", "localhost:1")
            .header("origin", super::house::ORIGIN)
            .header("cookie", house.cookie())
            .header("content-type", kind);
        house.send(request.body(Body::from(body)).unwrap())
    };
    assert_eq!(send("text/plain", format!("_step={token}")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", "[1]".to_owned()).await.status, StatusCode::BAD_REQUEST);
    let done = send("application/json", format!("{{\"name\": 7, \"_step\": \"{token}\"}}")).await;
    let finished = house.take(&done.location).await.unwrap();
    assert!(finished.outcome.success);
}
