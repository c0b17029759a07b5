//! 8 to 12: codes, PKCE, opaque tokens.

use crate::support::browser::{Browser, Request};
use crate::support::server::Server;

#[tokio::test]
async fn a_code_used_twice_is_refused_and_the_tokens_of_its_first_use_die() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let code = browser.code(&server, &request, "alice").await;
    let (status, tokens) = browser.redeem(&server, &request, &code).await;
    assert_eq!(status, 200);
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(browser.userinfo(&server, token).await.0, 200);
    let (status, error) = browser.redeem(&server, &request, &code).await;
    assert_eq!((status, &error["error"]), (400, &"invalid_grant".into()));
    assert_eq!(browser.userinfo(&server, token).await.0, 401);
}

#[tokio::test]
async fn of_fifty_parallel_redemptions_exactly_one_gets_tokens() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let code = browser.code(&server, &request, "alice").await;
    let all: Vec<_> = (0..50).map(|_| browser.redeem(&server, &request, &code)).collect();
    let mut won = Vec::new();
    for (status, body) in futures_util::future::join_all(all).await {
        match status {
            200 => won.push(body["access_token"].as_str().unwrap().to_owned()),
            _ => assert_eq!((status, &body["error"]), (400, &"invalid_grant".into())),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(browser.userinfo(&server, &won[0]).await.0, 401, "and what it got is dead");
}

#[tokio::test]
async fn a_code_is_bound_to_client_redirect_uri_and_verifier_and_one_mistake_uses_it_up() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let redirect_uri = format!("{}/cb", server.relying_party());
    let first = browser.code(&server, &request, "alice").await;
    let other = "another-verifier-of-forty-three-characters-or-more";
    let mut code = first;
    for (name, value) in [
        ("code_verifier", other),
        ("code_verifier", ""),
        ("code_verifier", "short"),
        ("redirect_uri", "http://127.0.0.1:1/cb"),
        ("redirect_uri", ""),
    ] {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "demo-rp"),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", request.verifier.as_str()),
        ];
        for field in &mut fields {
            if field.0 == name {
                field.1 = value;
            }
        }
        fields.retain(|(_, value)| !value.is_empty());
        let (status, body) = browser.token(&server, &fields).await;
        let error = body["error"].as_str().unwrap();
        assert_eq!(status, 400, "{name}={value}");
        assert!(["invalid_grant", "invalid_request"].contains(&error), "{name}={value}: {error}");
        if error == "invalid_grant" {
            let (status, _) = browser.redeem(&server, &request, &code).await;
            assert_eq!(status, 400, "a code that was tried with a wrong {name} is used up");
        }
        code = browser.open(&request.url(&server)).await.parameter("code").unwrap();
    }
    // By another client, which can authenticate.
    let answer = browser
        .http
        .post(format!("{}/oauth2/token", server.issuer()))
        .basic_auth("demo-confidential", Some("demo-confidential-secret-123"))
        .form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &request.verifier),
        ])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("\"invalid_grant\""));
    assert_eq!(browser.redeem(&server, &request, &code).await.0, 400, "stolen codes are dead");
}

#[tokio::test]
async fn opaque_tokens_are_dead_when_truncated_extended_or_changed_in_case() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let code = browser.code(&server, &request, "alice").await;
    for bad in broken(&code) {
        let (status, body) = browser.redeem(&server, &request, &bad).await;
        assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()), "{bad}");
    }
    let (status, tokens) = browser.redeem(&server, &request, &code).await;
    assert_eq!(status, 200, "tries with other codes don't harm this one");
    let token = tokens["access_token"].as_str().unwrap();
    for bad in broken(token) {
        assert_eq!(browser.userinfo(&server, &bad).await.0, 401, "{bad}");
    }
    // One kind never passes for another (11).
    assert_eq!(browser.userinfo(&server, &code).await.0, 401);
    assert_eq!(browser.redeem(&server, &request, token).await.0, 400);
    let admin = format!("{}/config/v1/projects", server.admin());
    let answer = browser.http.get(&admin).bearer_auth(token).send().await.unwrap();
    assert!([401, 403].contains(&answer.status().as_u16()), "a person's token opens no administration");
    // The demo's administration token is no person's.
    assert_eq!(browser.userinfo(&server, &server.admin_token()).await.0, 403);
}

fn broken(token: &str) -> Vec<String> {
    let flipped: String = token
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    vec![
        token[..token.len() - 1].to_owned(),
        token[..20].to_owned(),
        format!("{token}0"),
        flipped,
        token.replace('_', ""),
    ]
}
