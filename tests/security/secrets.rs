//! 50, 51: nothing that opens anything is at rest or in a log.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::assertion::Key;
use crate::support::browser::{Browser, Request, text};
use crate::support::server::{Server, free_ports};

/// The text of every file of a folder; what is no text in them matters to no secret of ours.
fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match std::fs::read(&path) {
            Ok(content) => vec![(path, String::from_utf8_lossy(&content).into_owned())],
            Err(_) => texts(&path),
        })
        .collect()
}

/// What was handed out, sent or typed, and what it is.
type Secrets = Vec<(&'static str, String)>;

/// Neither the log nor the store has any of them, not even the end of one.
fn assert_kept(server: &Server, secrets: &Secrets) {
    let log = server.log_text();
    assert!(log.contains("request.done") && log.contains("TRACE"), "the log was written, at its loudest");
    let store = texts(&server.data.join("store"));
    assert!(
        store.iter().any(|(_, content)| content.contains("alice@example.org")),
        "what is no secret is found"
    );
    for (what, secret) in secrets {
        assert!(secret.len() >= 6, "{what}: {secret}");
        let end = &secret[secret.len().saturating_sub(24)..];
        assert!(!log.contains(end), "{what} is in the log");
        let found = store.iter().find(|(_, content)| content.contains(end));
        assert!(found.is_none(), "{what} is in {}", found.unwrap().0.display());
    }
}

/// Everything is logged, but for compilers at work on plugins, which write hundreds of thousands of lines and see none of this.
fn loud(folder: &Path) -> Server {
    let level = "trace,cranelift=warn,regalloc2=warn,wasmtime_cranelift=warn,wasmtime_environ=warn,wasmtime_internal=warn";
    Server::secure_on(folder, free_ports(), &[("AGAMID_LOG__LEVEL", level)])
}

fn cookies(browser: &Browser, server: &Server) -> Secrets {
    browser.cookies(server).into_iter().map(|value| ("cookie", value)).collect()
}

#[tokio::test]
async fn no_secret_of_a_login_is_in_the_store_or_in_the_log_at_its_loudest() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = loud(folder.path());
    let browser = Browser::new(&server);

    let request = Request::new(&server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&request.url(&server)).await;
    let step = page.form().fields["_step"].clone();
    let setup = browser.submit(&page.form().with("login", "bob").with("password", "demo-bob-123")).await;
    let key = setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned();
    let digits = crate::support::totp::now(&key);
    let consent = browser.submit(&setup.form().with("code", &digits)).await;
    let end = browser.submit(&consent.form().with("decision", "allow")).await;
    let code = end.parameter("code").unwrap();
    let (_, tokens) = browser.redeem(&server, &request, &code).await;
    browser.userinfo(&server, &text(&tokens, "access_token")).await;
    let (status, refreshed) = browser.refresh(&server, &text(&tokens, "refresh_token"), "").await;
    assert_eq!(status, 200, "{refreshed}");
    // Once more inside the grace: the successor comes from where it is kept sealed.
    let (_, again) = browser.refresh(&server, &text(&tokens, "refresh_token"), "").await;
    assert_eq!(again["refresh_token"], refreshed["refresh_token"]);

    let mut secrets = cookies(&browser, &server);
    assert!(secrets.len() >= 2, "browser and session");
    let before = secrets.len();
    browser.sign_in(&server, &Request::new(&server).with("prompt", "login"), "bob").await;
    secrets.extend(cookies(&browser, &server));
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() > before, "a new session cookie");

    let hint = text(&refreshed, "id_token");
    let silent = Request::new(&server).with("prompt", "none").with("id_token_hint", &hint);
    let silent = browser.open(&silent.url(&server)).await;
    assert!(silent.parameter("code").is_some(), "{}", silent.url);
    let asked = Request::new(&server).with("prompt", "login").with("id_token_hint", &hint);
    assert!(browser.open(&asked.url(&server)).await.has("name=\"password\""));
    let pushed = browser.http.post(format!("{}/oauth2/par", server.issuer())).form(&asked.parameters);
    assert_eq!(pushed.send().await.unwrap().status(), 201);
    let logout = format!("{}/oauth2/end_session?id_token_hint={hint}", server.issuer());
    assert!(browser.open(&logout).await.has("You are signed out"));

    secrets.extend([
        ("password", "demo-bob-123".to_owned()),
        ("step token", step),
        ("OTP seed", key),
        ("code", code),
        ("code of a silent login", silent.parameter("code").unwrap()),
        ("access token", text(&tokens, "access_token")),
        ("refresh token", text(&tokens, "refresh_token")),
        ("ID token", text(&tokens, "id_token")),
        ("second access token", text(&refreshed, "access_token")),
        ("access token of a repeated refresh", text(&again, "access_token")),
        ("second refresh token", text(&refreshed, "refresh_token")),
        ("ID token that was a hint", hint),
        ("administration token", server.admin_token()),
        ("PKCE verifier", request.verifier.clone()),
    ]);
    assert!(server.stop().success());
    assert_kept(&server, &secrets);
}

async fn register(browser: &Browser, server: &Server, metadata: &Value) -> Value {
    let answer = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(metadata);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

/// Pushes a request; answers its `request_uri`, after using it where that is wanted.
async fn push(browser: &Browser, server: &Server, id: &str, proof: &[(&str, &str)], used: bool) -> String {
    let request = Request::new(server).with("client_id", id);
    let request = proof.iter().fold(request, |request, (name, value)| request.with(name, value));
    let pushed = browser.http.post(format!("{}/oauth2/par", server.issuer())).form(&request.parameters);
    let pushed: Value = pushed.send().await.unwrap().json().await.unwrap();
    let request_uri = text(&pushed, "request_uri");
    if used {
        let mut url = url::Url::parse(&format!("{}/oauth2/authorize", server.issuer())).unwrap();
        url.query_pairs_mut().append_pair("client_id", id).append_pair("request_uri", &request_uri);
        assert!(browser.open(url.as_str()).await.has("name=\"password\""));
    }
    request_uri
}

#[tokio::test]
async fn no_secret_of_a_client_is_in_the_store_or_in_the_log_at_its_loudest() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = loud(folder.path());
    let browser = Browser::new(&server);
    let callback = format!("{}/cb", server.relying_party());
    let grants = json!(["authorization_code", "refresh_token", "client_credentials"]);

    let metadata = json!({
        "redirect_uris": [callback], "grant_types": grants, "token_endpoint_auth_method": "client_secret_post",
    });
    let made = register(&browser, &server, &metadata).await;
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    let registration = text(&made, "registration_access_token");
    let uri = text(&made, "registration_client_uri");
    let mut change = metadata.clone();
    (change["client_id"], change["client_secret"]) = (id.as_str().into(), secret.as_str().into());
    let changed = browser.http.put(&uri).bearer_auth(&registration).json(&change).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    let by_secret = [("client_secret", secret.as_str())];
    let used = push(&browser, &server, &id, &by_secret, true).await;
    let waiting = push(&browser, &server, &id, &by_secret, false).await;
    let mut secrets = vec![
        ("client secret", secret.clone()),
        ("seeded client secret", "demo-service-secret-123".to_owned()),
        ("registration access token", registration),
        ("request_uri that was used", used),
        ("request_uri that waits", waiting),
    ];

    let key = Key::generate();
    let metadata = json!({
        "redirect_uris": [callback], "grant_types": grants, "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.jwk()] },
    });
    let made = register(&browser, &server, &metadata).await;
    let id = text(&made, "client_id");
    secrets
        .push(("registration access token of a client with a key", text(&made, "registration_access_token")));
    let mut sign = |audience: &str| {
        let assertion = key.sign(&key.claims(&id, audience));
        secrets.push(("client assertion", assertion.clone()));
        assertion
    };
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let (pushing, asking, wrong) =
        (sign(&server.issuer()), sign(&server.issuer()), sign("https://other.example"));
    let pushed = push(&browser, &server, &id, &[kind, ("client_assertion", &pushing)], true).await;
    let ask = async |assertion: &str| {
        let fields = [("grant_type", "client_credentials"), kind, ("client_assertion", assertion)];
        browser.token(&server, &fields).await
    };
    let (status, tokens) = ask(&asking).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(ask(&asking).await.0, 401, "a replay is told in the log, not with its text");
    assert_eq!(ask(&wrong).await.0, 401);
    let access = text(&tokens, "access_token");
    let (_, told) = browser.as_service(&server, "/oauth2/introspect", &[("token", &access)]).await;
    assert_eq!(told["active"], true);
    secrets.extend([("request_uri pushed with a key", pushed), ("access token", access)]);

    // Refused ones are secrets too: the next try may be the right one.
    let mistyped = "a-secret-typed-into-the-wrong-field";
    let refused =
        browser.token(&server, &[("grant_type", "refresh_token"), ("client_secret", mistyped)]).await;
    assert!([400, 401].contains(&refused.0));
    let refused = browser.http.get(&uri).bearer_auth(mistyped).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    secrets.push(("what was refused", mistyped.to_owned()));
    assert!(server.stop().success());
    assert_kept(&server, &secrets);
}
