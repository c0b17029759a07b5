//! `/oauth2/revoke` (18 of the security list).

use crate::support::browser::{Browser, Request, text};
use crate::support::server::Server;

async fn revoke(browser: &Browser, server: &Server, client: &[(&str, &str)], token: &str) -> u16 {
    let fields: Vec<_> = client.iter().copied().chain([("token", token)]).collect();
    let url = format!("{}/oauth2/revoke", server.issuer());
    browser.http.post(url).form(&fields).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_access_token_dies_alone_a_refresh_token_with_its_family() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let own = [("client_id", "demo-rp")];
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    assert_eq!(revoke(&browser, &server, &own, &text(&tokens, "access_token")).await, 200);
    assert_eq!(browser.userinfo(&server, &text(&tokens, "access_token")).await.0, 401);
    let (status, next) = browser.refresh(&server, &text(&tokens, "refresh_token"), "").await;
    assert_eq!(status, 200);
    assert_eq!(revoke(&browser, &server, &own, &text(&next, "refresh_token")).await, 200);
    assert_eq!(browser.userinfo(&server, &text(&next, "access_token")).await.0, 401);
    assert_eq!(browser.refresh(&server, &text(&next, "refresh_token"), "").await.0, 400);
}

#[tokio::test]
async fn an_unknown_token_is_fine_and_anothers_stays() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let other = [("client_id", "demo-confidential"), ("client_secret", "demo-confidential-secret-123")];
    for name in ["access_token", "refresh_token"] {
        assert_eq!(revoke(&browser, &server, &other, &text(&tokens, name)).await, 200);
    }
    assert_eq!(revoke(&browser, &server, &other, "never-was").await, 200);
    assert_eq!(browser.userinfo(&server, &text(&tokens, "access_token")).await.0, 200);
    assert_eq!(browser.refresh(&server, &text(&tokens, "refresh_token"), "").await.0, 200);
    let wrong = [("client_id", "demo-confidential"), ("client_secret", "wrong")];
    assert_eq!(revoke(&browser, &server, &wrong, "x").await, 401);
}

#[tokio::test]
async fn a_refresh_token_that_was_used_already_still_ends_its_family() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let first = text(&tokens, "refresh_token");
    let (_, renewed) = browser.refresh(&server, &first, "").await;
    // The answer was lost, or a thief was faster: its holder signs out with what is there.
    let stranger = [("client_id", "demo-confidential"), ("client_secret", "demo-confidential-secret-123")];
    assert_eq!(revoke(&browser, &server, &stranger, &first).await, 200);
    assert_eq!(
        browser.userinfo(&server, &text(&renewed, "access_token")).await.0,
        200,
        "not a stranger's to end"
    );
    assert_eq!(revoke(&browser, &server, &[("client_id", "demo-rp")], &first).await, 200);
    assert_eq!(browser.refresh(&server, &text(&renewed, "refresh_token"), "").await.0, 400);
    assert_eq!(browser.userinfo(&server, &text(&renewed, "access_token")).await.0, 401);
}
