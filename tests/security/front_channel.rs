//! 1, 3, 4: where answers may go.

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
