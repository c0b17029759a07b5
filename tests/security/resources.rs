//! 46 to 48: sizes.

use crate::support::browser::{Browser, Request};
use crate::support::server::Server;

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_server_goes_on() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let page = browser.open(&Request::new(&server).url(&server)).await;
    let form = page.form();

    let large = "x".repeat((1 << 20) + 4096);
    let body = browser.http.post(form.action.clone()).header("origin", server.issuer());
    let body = body.header("content-type", "application/x-www-form-urlencoded").body(large).send().await;
    assert_eq!(body.unwrap().status(), 413);
    let token = browser.http.post(format!("{}/oauth2/token", server.issuer()));
    let token = token.form(&[("grant_type", "x".repeat((1 << 20) + 4096))]).send().await.unwrap();
    assert_eq!(token.status(), 413);

    let mut many = form.clone();
    many.fields.extend((0..300).map(|n| (format!("field{n}"), "x".to_owned())));
    assert_eq!(browser.post(&many).await.status, 400);

    let long = format!("{}/oauth2/authorize?x={}", server.issuer(), "x".repeat(9 << 10));
    let long = browser.get(&long).await.status;
    assert!([400, 414].contains(&long), "{long}");
    let scopes: Vec<String> = (0..200).map(|n| format!("s{n}")).collect();
    let scopes = Request::new(&server).with("scope", &scopes.join(" ")).url(&server);
    let scopes = browser.open(&scopes).await;
    assert_eq!(scopes.parameter("error").as_deref(), Some("invalid_request"), "{}", scopes.url);
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let deep = browser.http.post(form.action.clone()).header("origin", server.issuer());
    let deep = deep.header("content-type", "application/json").body(nested).send().await.unwrap();
    assert_eq!(deep.status(), 400);
    let packed = browser.http.post(form.action.clone()).header("origin", server.issuer());
    let packed = packed.header("content-encoding", "gzip").form(&form.fields).send().await.unwrap();
    assert_eq!(packed.status(), 415);

    let end = browser.post(&form.with("login", "alice").with("password", "demo-alice-123")).await;
    assert_eq!(end.status, 303, "the same form, in its right size");
}
