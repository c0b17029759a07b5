//! `/oauth2/end_session` (6, 30 of the security list).

use crate::support::browser::{Browser, Request, Shown, text};
use crate::support::server::Server;

async fn signed_in(server: &Server, browser: &Browser) -> bool {
    let none = Request::new(server).with("prompt", "none").url(server);
    browser.open(&none).await.parameter("code").is_some()
}

async fn end(browser: &Browser, server: &Server, fields: &[(&str, &str)]) -> Shown {
    let mut url = url::Url::parse(&format!("{}/oauth2/end_session", server.issuer())).unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    browser.open(url.as_str()).await
}

#[tokio::test]
async fn with_the_persons_id_token_it_signs_out_and_goes_back_to_where_was_registered() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let hint = text(&tokens, "id_token");
    let back = format!("{}/", server.relying_party());
    let out = end(
        &browser,
        &server,
        &[("id_token_hint", &hint), ("post_logout_redirect_uri", &back), ("state", "s 1")],
    )
    .await;
    assert_eq!(out.url.as_str(), format!("{back}?state=s+1"));
    assert!(!signed_in(&server, &browser).await);
    assert_eq!(browser.userinfo(&server, &text(&tokens, "access_token")).await.0, 401, "tokens end with it");
}

#[tokio::test]
async fn without_a_fitting_id_token_the_person_is_asked() {
    let server = Server::demo();
    let (browser, bobs) = (Browser::new(&server), Browser::new(&server));
    browser.tokens(&server, &Request::new(&server), "alice").await;
    let bob = bobs.tokens(&server, &Request::new(&server), "bob").await;
    let foreign = text(&bob, "id_token");
    let back = format!("{}/", server.relying_party());
    for fields in [
        vec![],
        vec![("client_id", "demo-rp"), ("post_logout_redirect_uri", back.as_str())],
        vec![("id_token_hint", foreign.as_str())],
    ] {
        let page = end(&browser, &server, &fields).await;
        assert!(page.has("Sign out?"), "{fields:?}: {}", page.body);
        let stayed = browser.submit(&page.form().with("decision", "no")).await;
        assert!(stayed.has("You are still signed in"), "{}", stayed.body);
        assert!(signed_in(&server, &browser).await, "{fields:?}");
    }
    let fields = [("client_id", "demo-rp"), ("post_logout_redirect_uri", back.as_str())];
    let page = end(&browser, &server, &fields).await;
    let out = browser.submit(&page.form().with("decision", "yes")).await;
    assert_eq!(out.url.as_str(), back);
    assert!(!signed_in(&server, &browser).await);
    assert!(signed_in(&server, &bobs).await, "others are not touched");
}

#[tokio::test]
async fn a_post_from_another_site_is_taken_and_asks_too() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    browser.sign_in(&server, &Request::new(&server), "alice").await;
    let post = browser.http.post(format!("{}/oauth2/end_session", server.issuer()));
    let post = post.header("origin", server.relying_party()).form(&[("client_id", "demo-rp")]);
    let answer = post.send().await.unwrap();
    let next = answer.headers()["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
    let page = browser.open(&format!("{}{next}", server.issuer())).await;
    assert!(page.has("Sign out?") && page.has("Sample application"), "{}", page.body);
    let out = browser.submit(&page.form().with("decision", "yes")).await;
    assert!(out.has("You are signed out"), "{}", out.body);
}

#[tokio::test]
async fn nobody_is_led_to_where_is_not_registered() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let hint = text(&tokens, "id_token");
    let good = format!("{}/", server.relying_party());
    for bad in [
        "https://evil.example/",
        &format!("{good}x"),
        &format!("{good}?x"),
        &format!("{}/cb", server.relying_party()),
    ] {
        let page =
            end(&browser, &server, &[("id_token_hint", &hint), ("post_logout_redirect_uri", bad)]).await;
        assert_eq!(page.status, 400, "{bad}");
        assert!(!page.body.contains("evil.example"), "{bad}");
    }
    let unnamed = end(&browser, &server, &[("post_logout_redirect_uri", &good)]).await;
    assert_eq!(unnamed.status, 400, "no client, no redirect");
    for hint in ["x", "a.b.c"] {
        let asked = end(&browser, &server, &[("id_token_hint", hint)]).await;
        assert!(asked.has("name=\"_step\""), "a hint that can't be verified is none: {}", asked.url);
        let astray = [("id_token_hint", hint), ("post_logout_redirect_uri", good.as_str())];
        assert_eq!(end(&browser, &server, &astray).await.status, 400, "and names no client");
    }
    assert!(signed_in(&server, &browser).await);
    let nobody = Browser::new(&server);
    assert!(end(&nobody, &server, &[]).await.has("You are signed out"));
}
