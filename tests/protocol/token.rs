//! `/oauth2/token` and `/oauth2/userinfo`: the errors to the letter.

use crate::support::browser::{Browser, Request};
use crate::support::server::Server;

#[tokio::test]
async fn a_client_with_a_secret_authenticates_by_basic_or_post_and_not_otherwise() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server).with("client_id", "demo-confidential");
    let redirect_uri = format!("{}/cb", server.relying_party());
    let url = format!("{}/oauth2/token", server.issuer());
    let secret = "demo-confidential-secret-123";

    let mut codes = vec![browser.code(&server, &request, "alice").await];
    for _ in 0..2 {
        codes.push(browser.open(&request.url(&server)).await.parameter("code").unwrap());
    }
    let fields = |code: &str| {
        [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", redirect_uri.clone()),
            ("code_verifier", request.verifier.clone()),
        ]
    };
    let post = |code: &str| browser.http.post(&url).form(&fields(code));

    let wrong = post(&codes[0]).basic_auth("demo-confidential", Some("wrong")).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    assert!(wrong.text().await.unwrap().contains("\"invalid_client\""));
    let without = post(&codes[0]).send().await.unwrap();
    assert_eq!(without.status(), 401);
    let mut named = fields(&codes[0]).to_vec();
    named.push(("client_id", "demo-confidential".to_owned()));
    let public = browser.http.post(&url).form(&named).send().await.unwrap();
    assert_eq!(public.status(), 401, "a client with a secret must not come without");

    let basic = post(&codes[0]).basic_auth("demo-confidential", Some(secret)).send().await.unwrap();
    assert_eq!(basic.status(), 200, "a failed authentication did not use up the code");
    assert_eq!(basic.headers()["cache-control"], "no-store");
    let mut in_body = fields(&codes[1]).to_vec();
    in_body.extend([("client_id", "demo-confidential".to_owned()), ("client_secret", secret.to_owned())]);
    let answer = browser.http.post(&url).form(&in_body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    in_body[1].1.clone_from(&codes[2]);
    let both = browser.http.post(&url).form(&in_body).basic_auth("demo-confidential", Some(secret));
    assert_eq!(both.send().await.unwrap().status(), 400, "two ways at once (RFC 6749 section 2.3)");
}

#[tokio::test]
async fn requests_that_are_no_token_requests_have_their_errors() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let public = ("client_id", "demo-rp");
    for (fields, status, error) in [
        (vec![], 401, "invalid_client"),
        (vec![("client_id", "nobody"), ("grant_type", "authorization_code")], 401, "invalid_client"),
        (vec![public], 400, "invalid_request"),
        (vec![public, ("grant_type", "password")], 400, "unsupported_grant_type"),
        (vec![public, ("grant_type", "refresh_token")], 400, "invalid_request"),
        (vec![public, ("grant_type", "refresh_token"), ("refresh_token", "x")], 400, "invalid_grant"),
        (vec![public, ("grant_type", "authorization_code")], 400, "invalid_request"),
        (vec![public, public, ("grant_type", "authorization_code")], 400, "invalid_request"),
    ] {
        let (got, body) = browser.token(&server, &fields).await;
        assert_eq!((got, body["error"].as_str().unwrap()), (status, error), "{fields:?}: {body}");
    }
    let url = format!("{}/oauth2/token", server.issuer());
    let get = browser.get(&url).await;
    assert_eq!(get.status, 405);
    let json = browser.http.post(&url).header("content-type", "application/json").body("{}");
    let json = json.send().await.unwrap();
    assert_eq!(json.status(), 400);
    assert!(json.text().await.unwrap().contains("\"invalid_request\""));
}

#[tokio::test]
async fn userinfo_takes_the_token_by_header_or_form_and_refuses_it_in_the_query() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let code = browser.code(&server, &request, "alice").await;
    let (_, tokens) = browser.redeem(&server, &request, &code).await;
    let token = tokens["access_token"].as_str().unwrap();
    let url = format!("{}/oauth2/userinfo", server.issuer());

    assert_eq!(browser.userinfo(&server, token).await.0, 200);
    let form = browser.http.post(&url).form(&[("access_token", token)]).send().await.unwrap();
    assert_eq!(form.status(), 200);
    let query = browser.get(&format!("{url}?access_token={token}")).await;
    assert_eq!(query.status, 401);
    let both = browser.http.post(&url).bearer_auth(token).form(&[("access_token", token)]);
    assert_eq!(both.send().await.unwrap().status(), 400);
    let id_token = tokens["id_token"].as_str().unwrap();
    assert_eq!(browser.userinfo(&server, id_token).await.0, 401, "an ID token is no access token");
}

#[tokio::test]
async fn scripts_of_any_origin_may_call_what_takes_no_cookie_and_nothing_else() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let preflight = async |path: &str| {
        let url = format!("{}{path}", server.issuer());
        let request = browser.http.request(reqwest::Method::OPTIONS, url);
        let request = request.header("origin", "https://app.example");
        let request = request.header("access-control-request-method", "POST");
        let answer = request.header("access-control-request-headers", "authorization").send().await.unwrap();
        let headers = answer.headers();
        assert!(!headers.contains_key("access-control-allow-credentials"), "{path}");
        headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    for path in ["/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/par", "/oauth2/jwks"] {
        assert_eq!(preflight(path).await.as_deref(), Some("*"), "{path}");
    }
    for path in ["/oauth2/authorize", "/oauth2/end_session", "/oauth2/introspect", "/flow/callback"] {
        assert_eq!(preflight(path).await, None, "{path}");
    }
}
