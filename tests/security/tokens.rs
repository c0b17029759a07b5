//! 11, 16, 20, 21, 24: each token has one use, one place, one time.

use serde_json::{Value, json};

use crate::support::assertion::Key;
use crate::support::browser::{Browser, Request, text};
use crate::support::server::{Server, free_ports};

#[tokio::test]
async fn a_value_of_one_kind_is_worth_nothing_at_the_endpoint_of_another() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let unused = browser.code(&server, &request, "alice").await;
    let again = browser.open(&request.url(&server)).await.parameter("code").unwrap();
    let (_, tokens) = browser.redeem(&server, &request, &again).await;
    let url = format!("{}/oauth2/par", server.issuer());
    let pushed = browser.http.post(url).form(&request.parameters).send().await.unwrap();
    let pushed: Value = pushed.json().await.unwrap();
    let request_uri = text(&pushed, "request_uri");
    let values = [
        ("code", unused.clone()),
        ("access token", text(&tokens, "access_token")),
        ("refresh token", text(&tokens, "refresh_token")),
        ("ID token", text(&tokens, "id_token")),
        ("request_uri", request_uri.clone()),
        ("pushed request", request_uri.rsplit(':').next().unwrap().to_owned()),
    ];
    let cookies = browser.cookies(&server).into_iter().map(|cookie| ("cookie", cookie));
    for (kind, value) in values.into_iter().chain(cookies) {
        if kind != "code" {
            let (status, refused) = browser.redeem(&server, &request, &value).await;
            assert_eq!((status, refused["error"].as_str()), (400, Some("invalid_grant")), "{kind} as code");
        }
        if kind != "refresh token" {
            let (status, refused) = browser.refresh(&server, &value, "").await;
            assert_eq!((status, refused["error"].as_str()), (400, Some("invalid_grant")), "{kind} refreshed");
        }
        if kind != "access token" {
            assert_eq!(browser.userinfo(&server, &value).await.0, 401, "{kind} at userinfo");
        }
        if kind != "request_uri" {
            let as_uri = format!("urn:ietf:params:oauth:request_uri:{value}");
            let uri = Request::new(&server).with("request_uri", &as_uri);
            if kind != "pushed request" {
                assert_eq!(browser.get(&uri.url(&server)).await.status, 400, "{kind} as request_uri");
            }
        }
        let managed = browser.http.get(format!("{}/oauth2/register/demo-rp", server.issuer()));
        assert_eq!(managed.bearer_auth(&value).send().await.unwrap().status(), 401, "{kind} at register");
        let admin = browser.http.get(format!("{}/config/v1/projects", server.admin())).bearer_auth(&value);
        assert_eq!(admin.send().await.unwrap().status(), 401, "{kind} at the admin API");
    }
    assert_eq!(browser.redeem(&server, &request, &unused).await.0, 200, "the real one still works");
}

#[tokio::test]
async fn a_token_for_one_place_is_refused_at_the_others() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let fields = [("grant_type", "client_credentials"), ("scope", "config.keys.read")];
    let (_, service) = browser.as_service(&server, "/oauth2/token", &fields).await;
    let service = text(&service, "access_token");
    let (status, _) = browser.userinfo(&server, &service).await;
    assert_eq!(status, 403, "no person, and no openid");
    let keys = browser.http.get(format!("{}/config/v1/keys", server.admin())).bearer_auth(&service);
    assert_eq!(keys.send().await.unwrap().status(), 200);
    let others = browser.http.get(format!("{}/config/v1/projects", server.admin())).bearer_auth(&service);
    assert_eq!(others.send().await.unwrap().status(), 403, "another scope");
    let in_query = format!("{}/config/v1/keys?access_token={service}", server.admin());
    assert_eq!(browser.http.get(in_query).send().await.unwrap().status(), 401);
}

fn assertion(jwt: &str) -> [(&str, &str); 3] {
    [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", jwt),
    ]
}

async fn service(server: &Server, browser: &Browser, key: &Key) -> String {
    let metadata = json!({
        "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.jwk()] },
    });
    let made = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(&metadata).send().await;
    text(&made.unwrap().json().await.unwrap(), "client_id")
}

#[tokio::test]
async fn clocks_may_differ_by_ten_seconds_and_not_by_sixty() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let key = Key::generate();
    let id = service(&server, &browser, &key).await;
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    for (name, ahead, status) in [
        ("iat", 8, 200),
        ("iat", 60, 401),
        ("nbf", 8, 200),
        ("nbf", 60, 401),
        ("exp", -5, 200),
        ("exp", -60, 401),
        ("exp", 3_500, 200),
        ("exp", 3_700, 401),
    ] {
        let mut claims = key.claims(&id, &server.issuer());
        claims[name] = (now + ahead).into();
        let (found, answer) = browser.token(&server, &assertion(&key.sign(&claims))).await;
        assert_eq!(found, status, "{name} {ahead}: {answer}");
    }
    for audience in
        [json!([server.issuer(), "https://other.example"]), json!("https://other.example"), json!([])]
    {
        let mut claims = key.claims(&id, &server.issuer());
        claims["aud"] = audience.clone();
        let (found, answer) = browser.token(&server, &assertion(&key.sign(&claims))).await;
        let expected = if audience.to_string().contains("localhost") { 200 } else { 401 };
        assert_eq!(found, expected, "{audience}: {answer}");
    }
}

#[tokio::test]
async fn an_assertion_works_once_also_across_a_restart_and_of_fifty_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports();
    let server = Server::secure_on(folder.path(), port, &[]);
    let browser = Browser::new(&server);
    let key = Key::generate();
    let id = service(&server, &browser, &key).await;
    let used = key.sign(&key.claims(&id, &server.issuer()));
    let all = (0..50).map(|_| async { browser.token(&server, &assertion(&used)).await.0 });
    let statuses = futures_util::future::join_all(all).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    server.kill();
    let server = Server::secure_on(folder.path(), port, &[]);
    let browser = Browser::new(&server);
    let (status, refused) = browser.token(&server, &assertion(&used)).await;
    assert_eq!(status, 401);
    assert!(text(&refused, "error_description").contains("jti"), "{refused}");
    let fresh = key.sign(&key.claims(&id, &server.issuer()));
    assert_eq!(browser.token(&server, &assertion(&fresh)).await.0, 200);
}

#[tokio::test]
async fn a_parameter_that_stands_twice_is_refused_everywhere() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    for (name, value) in [("state", "b"), ("scope", "openid"), ("code_challenge", "x"), ("nonce", "y")] {
        let mut request = Request::new(&server);
        request.parameters.push((name.to_owned(), value.to_owned()));
        let refused = browser.get(&request.url(&server)).await;
        let location = refused.location().unwrap();
        assert!(location.as_str().contains("error=invalid_request"), "{name}: {location}");
        assert!(location.as_str().contains("iss="), "{name}: {location}");
        let pushed = browser.http.post(format!("{}/oauth2/par", server.issuer())).form(&request.parameters);
        assert_eq!(pushed.send().await.unwrap().status(), 400, "{name}");
    }
    for name in ["client_id", "redirect_uri", "response_mode"] {
        let mut request = Request::new(&server).with("response_mode", "query");
        request.parameters.push((name.to_owned(), "x".to_owned()));
        let refused = browser.get(&request.url(&server)).await;
        assert_eq!((refused.status, refused.location()), (400, None), "{name}");
    }
    let twice = [("grant_type", "client_credentials"), ("scope", "config.keys.read"), ("scope", "x")];
    assert_eq!(browser.as_service(&server, "/oauth2/token", &twice).await.0, 400);
}
