//! `grant_type=refresh_token`: rotation, grace, replay, narrowing (13, 14, 15 of the security list).

use crate::support::browser::{Browser, Request, claims_of, text};
use crate::support::server::{Server, free_ports};

/// A demo in which a used refresh token has no grace.
fn strict() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("AGAMID_LOCK__OAUTH__REFRESH_GRACE", "0")];
    let server = Server::demo_with(folder.path(), free_ports(), &environment);
    (folder, server)
}

#[tokio::test]
async fn each_use_gives_a_successor_and_the_scope_may_be_narrowed_never_widened() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let first = browser.tokens(&server, &Request::new(&server), "alice").await;
    let (status, second) = browser.refresh(&server, &text(&first, "refresh_token"), "").await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_ne!(second["access_token"], first["access_token"]);
    let (old, new) = (claims_of(&text(&first, "id_token")), claims_of(&text(&second, "id_token")));
    assert_eq!((&old["sub"], &old["auth_time"], &old["acr"]), (&new["sub"], &new["auth_time"], &new["acr"]));
    assert!(new.get("nonce").is_none(), "the nonce was for the first one");

    let (status, narrow) = browser.refresh(&server, &text(&second, "refresh_token"), "openid").await;
    assert_eq!((status, narrow["scope"].as_str()), (200, Some("openid")));
    let (_, userinfo) = browser.userinfo(&server, &text(&narrow, "access_token")).await;
    assert!(!userinfo.contains("alice@"), "{userinfo}");
    let next = text(&narrow, "refresh_token");
    let (status, wide) = browser.refresh(&server, &next, "openid phone").await;
    assert_eq!((status, wide["error"].as_str()), (400, Some("invalid_scope")));
    let (status, full) = browser.refresh(&server, &next, "").await;
    assert_eq!(
        (status, full["scope"].as_str()),
        (200, Some("openid profile email")),
        "a refusal costs nothing"
    );
}

#[tokio::test]
async fn inside_the_grace_a_used_token_answers_with_the_same_successor_also_fifty_times_at_once() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let first = browser.tokens(&server, &Request::new(&server), "alice").await;
    let token = text(&first, "refresh_token");
    let all: Vec<_> = (0..50).map(|_| browser.refresh(&server, &token, "")).collect();
    let mut successors = std::collections::BTreeSet::new();
    for (status, answer) in futures_util::future::join_all(all).await {
        assert_eq!(status, 200, "{answer}");
        successors.insert(text(&answer, "refresh_token"));
    }
    assert_eq!(successors.len(), 1, "one chain, no fork");
    let (status, _) = browser.refresh(&server, successors.first().unwrap(), "").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn after_the_grace_a_second_use_ends_the_whole_family() {
    let (_folder, server) = strict();
    let browser = Browser::new(&server);
    let first = browser.tokens(&server, &Request::new(&server), "alice").await;
    let (_, second) = browser.refresh(&server, &text(&first, "refresh_token"), "").await;
    assert_eq!(browser.userinfo(&server, &text(&second, "access_token")).await.0, 200);
    let (status, replay) = browser.refresh(&server, &text(&first, "refresh_token"), "").await;
    assert_eq!((status, replay["error"].as_str()), (400, Some("invalid_grant")));
    for tokens in [&first, &second] {
        assert_eq!(browser.userinfo(&server, &text(tokens, "access_token")).await.0, 401);
    }
    let (status, dead) = browser.refresh(&server, &text(&second, "refresh_token"), "").await;
    assert_eq!((status, dead["error"].as_str()), (400, Some("invalid_grant")));
}

#[tokio::test]
async fn another_client_can_neither_use_nor_harm_it() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let first = browser.tokens(&server, &Request::new(&server), "alice").await;
    let token = text(&first, "refresh_token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", "demo-confidential"),
        ("client_secret", "demo-confidential-secret-123"),
    ];
    let (status, foreign) = browser.token(&server, &fields).await;
    assert_eq!((status, foreign["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(browser.refresh(&server, &token, "").await.0, 200);
}

#[tokio::test]
async fn it_ends_with_the_session_unless_offline_access_was_granted() {
    let server = Server::demo();
    for (scope, survives) in [("openid", false), ("openid offline_access", true)] {
        let browser = Browser::new(&server);
        let request = Request::new(&server).with("scope", scope);
        let tokens = browser.tokens(&server, &request, "alice").await;
        let hint = text(&tokens, "id_token");
        let out = browser.open(&format!("{}/oauth2/end_session?id_token_hint={hint}", server.issuer())).await;
        assert!(out.has("You are signed out"), "{}", out.body);
        let (status, answer) = browser.refresh(&server, &text(&tokens, "refresh_token"), "").await;
        assert_eq!(status == 200, survives, "{scope}: {answer}");
        let (status, _) = browser.userinfo(&server, &text(&tokens, "access_token")).await;
        assert_eq!(status == 200, survives, "{scope}");
    }
}
