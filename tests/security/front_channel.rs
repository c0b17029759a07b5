//! 1 to 5: where answers may go.

use crate::support::browser::{Browser, Request};
use crate::support::server::Server;

#[tokio::test]
async fn an_unregistered_redirect_uri_gets_a_page_and_no_way_out() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let good = format!("{}/cb", server.relying_party());
    let host = good.strip_prefix("http://").unwrap().strip_suffix("/cb").unwrap();
    for bad in [
        format!("http://{host}.evil.example/cb"),
        format!("http://evil-{host}/cb"),
        format!("http://{host}@evil.example/cb"),
        format!("http://{host}@@evil.example/cb"),
        format!("http://user@{host}/cb"),
        format!("http://{host}/..;/cb"),
        format!("http://{host}/x/../cb"),
        format!("http://{host}%2fcb"),
        format!("http://{host}/cb%252f"),
        format!("http://{host}\\cb"),
        format!("http://{host}/cb\t"),
        format!("HTTP://{host}/cb"),
        format!("http://{host}/CB"),
        format!("{good}?x=1"),
        format!("{good}#x"),
        format!("{good}/"),
        "http://evil.example/cb".to_owned(),
        "javascript:alert(1)".to_owned(),
        "JaVaScRiPt:alert(1)".to_owned(),
        "data:text/html,<script>alert(1)</script>".to_owned(),
        "https://127.0.0.1/cb".to_owned(),
        String::new(),
    ] {
        // Also when something else is wrong, and when nobody could answer.
        for prompt in ["", "none", "nonsense"] {
            let mut request = Request::new(&server).with("prompt", prompt).with("redirect_uri", "");
            request.parameters.push(("redirect_uri".to_owned(), bad.clone()));
            let answer = browser.get(&request.url(&server)).await;
            assert_eq!(answer.status, 400, "{bad}");
            assert!(answer.location().is_none() && !answer.headers.contains_key("refresh"), "{bad}");
            assert!(!answer.body.contains("evil.example") && !answer.body.contains("alert(1)"), "{bad}");
        }
    }
}

#[tokio::test]
async fn an_unknown_client_gets_a_page() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    for client in ["nobody", "", "demo-rp\0", "../demo-rp"] {
        let answer = browser.get(&Request::new(&server).with("client_id", client).url(&server)).await;
        assert_eq!(answer.status, 400, "{client}");
        assert!(answer.location().is_none(), "{client}");
    }
}

#[tokio::test]
async fn on_a_loopback_address_only_the_port_may_differ_and_localhost_is_exact() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let register = async |uri: &str| {
        let metadata = serde_json::json!({
            "redirect_uris": [uri], "application_type": "native", "token_endpoint_auth_method": "none",
        });
        let made = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(&metadata);
        let made: serde_json::Value = made.send().await.unwrap().json().await.unwrap();
        crate::support::browser::text(&made, "client_id")
    };
    let accepted = async |client: &str, uri: &str| {
        let request = Request::new(&server).with("client_id", client).with("redirect_uri", uri);
        let answer = browser.get(&request.with("prompt", "none").url(&server)).await;
        answer.location().is_some_and(|location| location.as_str().starts_with(uri))
    };
    let native = register("http://127.0.0.1/cb").await;
    for (uri, fits) in [
        ("http://127.0.0.1:51234/cb", true),
        ("http://127.0.0.1/cb", true),
        ("http://127.0.0.1:51234/other", false),
        ("http://127.0.0.1:51234/cb?x=1", false),
        ("http://localhost:51234/cb", false),
        ("http://127.0.0.2:51234/cb", false),
        ("https://127.0.0.1:51234/cb", false),
        ("http://127.0.0.1:51234@evil.example/cb", false),
        ("http://[::1]:51234/cb", false),
    ] {
        assert_eq!(accepted(&native, uri).await, fits, "{uri}");
    }
    let local = register("http://localhost:3000/cb").await;
    assert!(accepted(&local, "http://localhost:3000/cb").await);
    assert!(!accepted(&local, "http://localhost:3001/cb").await);
}

#[tokio::test]
async fn an_answer_by_form_goes_where_a_redirect_would_and_its_values_are_text() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let markup = "\"><script>alert(1)</script>";
    let request = Request::new(&server).with("response_mode", "form_post").with("prompt", "none");
    let page = browser.get(&request.with("state", markup).url(&server)).await;
    assert_eq!(page.status, 200);
    assert!(!page.has("<script>alert") && page.has("error") && page.has("login_required"), "{}", page.body);
    assert_eq!(page.form().action.as_str(), format!("{}/cb", server.relying_party()));
    assert_eq!(page.form().fields["state"], markup);
    let foreign = Request::new(&server).with("response_mode", "form_post");
    let refused = browser.get(&foreign.with("redirect_uri", "https://evil.example/").url(&server)).await;
    assert!(refused.status == 400 && !refused.has("evil.example"), "{}", refused.body);
}
