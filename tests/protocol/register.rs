//! `/oauth2/register`.

use serde_json::{Value, json};

use crate::support::browser::{Browser, text};
use crate::support::server::{Server, free_ports};

#[tokio::test]
async fn a_client_is_registered_read_changed_and_removed_with_its_own_token() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let metadata = json!({ "client_name": "New", "redirect_uris": ["https://rp.example/cb"] });
    let made = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(&metadata).send().await;
    let made = made.unwrap();
    assert_eq!(
        (made.status().as_u16(), made.headers()["cache-control"].to_str().unwrap()),
        (201, "no-store")
    );
    let made: Value = made.json().await.unwrap();
    assert_eq!(made["client_secret_expires_at"], 0);
    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    let (uri, token) = (text(&made, "registration_client_uri"), text(&made, "registration_access_token"));

    let read: Value = browser.http.get(&uri).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(read["client_name"], "New");
    assert!(read.get("client_secret").is_none(), "it is stored hashed");
    for bad in ["agrg_x", &server.admin_token()] {
        assert_eq!(browser.http.get(&uri).bearer_auth(bad).send().await.unwrap().status(), 401, "{bad}");
    }
    assert_eq!(browser.get(&uri).await.status, 401);

    let mut change = metadata;
    change["client_id"] = id.clone().into();
    change["client_secret"] = secret.clone().into();
    change["redirect_uris"] = json!(["https://rp.example/other"]);
    let put = |body: Value| browser.http.put(&uri).bearer_auth(&token).json(&body).send();
    let changed: Value = put(change.clone()).await.unwrap().json().await.unwrap();
    assert_eq!(changed["redirect_uris"], json!(["https://rp.example/other"]));
    for (name, value) in [("client_id", "other"), ("client_secret", "chosen")] {
        let mut wrong = change.clone();
        wrong[name] = value.into();
        let refused = put(wrong).await.unwrap();
        assert_eq!(refused.status(), 400);
        assert!(refused.text().await.unwrap().contains("invalid_client_metadata"));
    }
    let basic = |secret: String| {
        browser
            .http
            .post(format!("{}/oauth2/token", server.issuer()))
            .basic_auth(&id, Some(secret))
            .form(&[("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "x")])
            .send()
    };
    assert_eq!(basic(secret.clone()).await.unwrap().status(), 400, "known, but the code is not");
    assert_eq!(browser.http.delete(&uri).bearer_auth(&token).send().await.unwrap().status(), 204);
    assert_eq!(basic(secret).await.unwrap().status(), 401, "gone");
    assert_eq!(browser.http.get(&uri).bearer_auth(&token).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn mistakes_are_named_as_the_specification_says() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    for (metadata, error) in [
        (json!({ "redirect_uris": ["http://rp.example/cb"] }), "invalid_redirect_uri"),
        (json!({}), "invalid_redirect_uri"),
        (
            json!({ "redirect_uris": ["https://rp.example/cb"], "grant_types": ["password"] }),
            "invalid_client_metadata",
        ),
        (
            json!({ "redirect_uris": ["https://rp.example/cb"], "client_id": "mine" }),
            "invalid_client_metadata",
        ),
        (json!([]), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": ["https://rp.example/cb"], "software_statement": "x" }),
            "unapproved_software_statement",
        ),
    ] {
        let url = format!("{}/oauth2/register", server.issuer());
        let refused = browser.http.post(url).json(&metadata).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{metadata}");
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(refused["error"], error, "{metadata}: {refused}");
    }
}

#[tokio::test]
async fn where_registration_is_not_open_a_token_with_the_scope_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("AGAMID_LOCK__OAUTH__REGISTRATION", "token")];
    let server = Server::demo_with(folder.path(), free_ports(), &environment);
    let browser = Browser::new(&server);
    let metadata = json!({ "redirect_uris": ["https://rp.example/cb"] });
    let post = || browser.http.post(format!("{}/oauth2/register", server.issuer())).json(&metadata);
    assert_eq!(post().send().await.unwrap().status(), 401);
    let fields = [("grant_type", "client_credentials"), ("scope", "config.projects.read")];
    let (_, other) = browser.as_service(&server, "/oauth2/token", &fields).await;
    let refused = post().bearer_auth(text(&other, "access_token")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let fields = [("grant_type", "client_credentials"), ("scope", "config.clients.write")];
    let (_, own) = browser.as_service(&server, "/oauth2/token", &fields).await;
    assert_eq!(post().bearer_auth(text(&own, "access_token")).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_client_authenticates_with_its_key_and_each_assertion_works_once() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let key = crate::support::assertion::Key::generate();
    let metadata = json!({
        "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.jwk()] },
    });
    let made = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(&metadata).send().await;
    let made: Value = made.unwrap().json().await.unwrap();
    let id = text(&made, "client_id");
    assert!(made.get("client_secret").is_none());
    let claims = key.claims(&id, &server.issuer());
    let send = async |jwt: &str, more: &[(&str, &str)]| {
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", jwt),
        ];
        fields.extend(more);
        browser.token(&server, &fields).await
    };
    let good = key.sign(&claims);
    assert_eq!(send(&good, &[]).await.0, 200);
    let (status, replay) = send(&good, &[]).await;
    assert_eq!((status, replay["error"].as_str()), (401, Some("invalid_client")), "once");

    for (name, value) in [
        ("aud", json!("https://other.example")),
        ("aud", Value::Null),
        ("iss", json!("other")),
        ("sub", json!("demo-service")),
        ("exp", json!(1)),
        ("exp", json!(i64::MAX)),
        ("exp", Value::Null),
        ("jti", Value::Null),
        ("nbf", json!(claims["exp"].as_i64().unwrap() + 3600)),
    ] {
        let mut wrong = key.claims(&id, &server.issuer());
        match value {
            Value::Null => drop(wrong.as_object_mut().unwrap().remove(name)),
            value => wrong[name] = value,
        }
        let (status, refused) = send(&key.sign(&wrong), &[]).await;
        assert_eq!((status, refused["error"].as_str()), (401, Some("invalid_client")), "{name}: {refused}");
    }
    let stranger = crate::support::assertion::Key::generate();
    assert_eq!(send(&stranger.sign(&key.claims(&id, &server.issuer())), &[]).await.0, 401);
    let fresh = key.sign(&key.claims(&id, &server.issuer()));
    assert_eq!(send(&fresh, &[("client_secret", "x")]).await.0, 400, "two ways at once");
    assert_eq!(send(&fresh, &[("client_id", "demo-rp")]).await.0, 401);
    let by_secret = [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", "")];
    assert_eq!(browser.token(&server, &by_secret).await.0, 401, "its key is the only way");
}
