//! The `claims` parameter, pairwise subjects, algorithms by client, JWT access tokens.

use serde_json::{Value, json};

use crate::support::browser::{Browser, Request, claims_of, text};
use crate::support::server::Server;

/// Registers a client for the sample application's redirect URI; answers what came back.
async fn register(browser: &Browser, server: &Server, more: Value) -> Value {
    let mut metadata = json!({
        "client_name": "Registered", "redirect_uris": [format!("{}/cb", server.relying_party())],
        "token_endpoint_auth_method": "none",
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(&metadata);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

async fn tokens_of(browser: &Browser, server: &Server, client: &Value, request: Request) -> Value {
    let id = text(client, "client_id");
    let request = request.with("client_id", &id);
    let code = browser.code(server, &request, "alice").await;
    let redirect_uri = format!("{}/cb", server.relying_party());
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &id),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", &request.verifier),
    ];
    let (status, tokens) = browser.token(server, &fields).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

#[tokio::test]
async fn claims_are_given_by_name_after_consent_where_they_were_asked_for() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let asked =
        r#"{"id_token": {"email": null}, "userinfo": {"given_name": {"essential": true}, "nothing": null}}"#;
    let request = Request::new(&server).with("scope", "openid").with("claims", asked);
    let page = browser.open(&request.url(&server)).await;
    let consent =
        browser.submit(&page.form().with("login", "alice").with("password", "demo-alice-123")).await;
    assert!(consent.has("Only: email.") && consent.has("Only: given name."), "{}", consent.body);
    let end = browser.submit(&consent.form().with("decision", "allow")).await;
    let (_, tokens) = browser.redeem(&server, &request, &end.parameter("code").unwrap()).await;
    let id = claims_of(&text(&tokens, "id_token"));
    assert_eq!(id["email"], "alice@example.org");
    assert!(id.get("given_name").is_none());
    let (_, userinfo) = browser.userinfo(&server, &text(&tokens, "access_token")).await;
    let userinfo: Value = serde_json::from_str(&userinfo).unwrap();
    assert_eq!(userinfo["given_name"], "Alice");
    assert!(userinfo.get("email").is_none() && userinfo.get("family_name").is_none(), "{userinfo}");
    for bad in ["{", "[]", r#"{"id_token": 1}"#] {
        let refused = browser.open(&Request::new(&server).with("claims", bad).url(&server)).await;
        assert_eq!(refused.parameter("error").as_deref(), Some("invalid_request"), "{bad}");
    }
    let essential = r#"{"id_token": {"acr": {"essential": true, "values": ["urn:unknown"]}}}"#;
    let unmet = browser.open(&Request::new(&server).with("claims", essential).url(&server)).await;
    assert_eq!(unmet.parameter("error").as_deref(), Some("unmet_authentication_requirements"));
}

#[tokio::test]
async fn pairwise_subjects_differ_from_the_public_one_and_stay() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let client = register(&browser, &server, json!({ "subject_type": "pairwise" })).await;
    let pairwise = tokens_of(&browser, &server, &client, Request::new(&server)).await;
    let again = Browser::new(&server);
    let again = tokens_of(&again, &server, &client, Request::new(&server)).await;
    let public = Browser::new(&server).tokens(&server, &Request::new(&server), "alice").await;
    let sub = |tokens: &Value| text(&claims_of(&text(tokens, "id_token")), "sub");
    assert_eq!(sub(&pairwise), sub(&again));
    assert_ne!(sub(&pairwise), sub(&public));
    let (_, userinfo) = browser.userinfo(&server, &text(&pairwise, "access_token")).await;
    assert!(userinfo.contains(&sub(&pairwise)) && !userinfo.contains(&sub(&public)), "{userinfo}");
}

#[tokio::test]
async fn id_tokens_and_jwt_access_tokens_are_signed_as_the_client_chose() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let jwks = browser.get(&format!("{}/oauth2/jwks", server.issuer())).await;
    let jwks: Value = serde_json::from_str(&jwks.body).unwrap();
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let metadata = json!({ "id_token_signed_response_alg": algorithm, "access_token_format": "jwt" });
        let client = register(&browser, &server, metadata).await;
        let person = Browser::new(&server);
        let tokens = tokens_of(&person, &server, &client, Request::new(&server)).await;
        for (name, typ) in [("id_token", "JWT"), ("access_token", "at+jwt")] {
            let jwt = text(&tokens, name);
            let header = jsonwebtoken_header(&jwt);
            assert_eq!((text(&header, "alg").as_str(), text(&header, "typ").as_str()), (algorithm, typ));
            assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]), "{name}");
        }
        let access = text(&tokens, "access_token");
        let claims = claims_of(&access);
        assert_eq!(claims["iss"], server.issuer());
        assert_eq!(claims["client_id"], client["client_id"]);
        assert_eq!(claims["scope"], "openid profile email");
        assert!(claims["jti"].is_string() && claims["aud"].is_array());
        assert_eq!(browser.userinfo(&server, &access).await.0, 200);
        let forged = format!("{}x", &access[..access.len() - 1]);
        assert_eq!(browser.userinfo(&server, &forged).await.0, 401);
    }
}

fn jsonwebtoken_header(jwt: &str) -> Value {
    claims_of(&format!(".{}", jwt.split('.').next().unwrap()))
}
