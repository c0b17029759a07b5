//! `/oauth2/par` (24 of the security list).

use crate::support::browser::{Browser, Request, text};
use crate::support::server::Server;

async fn push(browser: &Browser, server: &Server, request: &Request) -> (u16, serde_json::Value) {
    let answer = browser.http.post(format!("{}/oauth2/par", server.issuer())).form(&request.parameters);
    let answer = answer.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn use_it(server: &Server, request_uri: &str, more: &str) -> String {
    let request_uri: String = url::form_urlencoded::byte_serialize(request_uri.as_bytes()).collect();
    format!("{}/oauth2/authorize?client_id=demo-rp&request_uri={request_uri}{more}", server.issuer())
}

#[tokio::test]
async fn a_pushed_request_works_once_and_nothing_beside_it_counts() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let (status, pushed) = push(&browser, &server, &request).await;
    assert_eq!(status, 201, "{pushed}");
    assert!(pushed["expires_in"].as_u64().unwrap() <= 90);
    let url =
        use_it(&server, &text(&pushed, "request_uri"), "&state=other&scope=openid+phone&redirect_uri=x");
    let page = browser.open(&url).await;
    let form = page.form().with("login", "alice").with("password", "demo-alice-123");
    let consent = browser.submit(&form).await;
    let end = browser.submit(&consent.form().with("decision", "allow")).await;
    assert_eq!(end.parameter("state").as_deref(), Some("the-state"), "{}", end.url);
    let (_, tokens) = browser.redeem(&server, &request, &end.parameter("code").unwrap()).await;
    assert_eq!(tokens["scope"], "openid profile email");
    assert_eq!(browser.get(&url).await.status, 400, "once");
}

#[tokio::test]
async fn what_can_not_be_authorized_can_not_be_pushed() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    for (name, value, error) in [
        ("redirect_uri", "https://evil.example/cb", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "unknown", "invalid_scope"),
        ("code_challenge", "", "invalid_request"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request"),
        ("client_id", "demo-confidential", "invalid_client"),
        ("client_id", "nobody", "invalid_client"),
    ] {
        let (status, refused) = push(&browser, &server, &Request::new(&server).with(name, value)).await;
        assert!([400, 401].contains(&status), "{name}={value}");
        assert_eq!(refused["error"], error, "{name}={value}: {refused}");
    }
}

#[tokio::test]
async fn it_belongs_to_its_client() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let (_, pushed) = push(&browser, &server, &Request::new(&server)).await;
    let url = use_it(&server, &text(&pushed, "request_uri"), "");
    let foreign = browser.get(&url.replace("client_id=demo-rp", "client_id=demo-confidential")).await;
    assert_eq!(foreign.status, 400);
    assert_eq!(browser.get(&url).await.status, 303, "a stranger's try does not use it up");
    for bad in ["urn:ietf:params:oauth:request_uri:x", "urn:ietf:params:oauth:request_uri:"] {
        assert_eq!(browser.get(&use_it(&server, bad, "")).await.status, 400, "{bad}");
    }
}
