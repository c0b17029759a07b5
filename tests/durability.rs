//! `kill -9` at random moments under load, with a journal outside of the server: what was acknowledged is there, what
//! was ended stays ended, what was used once is not used twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::{Browser, Request, text};
use crate::support::server::{Server, free_ports};

/// Starts, loads, kills.
const ROUNDS: u32 = 50;
/// Entries of each kind that are checked after a round; the newest ones.
const CHECKED: usize = 6;

/// What the server acknowledged.
#[derive(Default)]
struct Journal {
    /// Registration URI and token of registered clients.
    clients: Vec<(String, String)>,
    /// Refresh tokens that nobody used yet, each the last of its login.
    refresh: Vec<String>,
    /// Tokens whose login was revoked.
    revoked: Vec<String>,
    /// Codes that were redeemed, with the refresh token of the login.
    codes: Vec<(String, String)>,
    /// Answers that came.
    acknowledged: usize,
}

type Shared = Arc<Mutex<Journal>>;

async fn post(http: &reqwest::Client, url: String, fields: &[(&str, &str)]) -> Option<(u16, Value)> {
    let answer = http.post(url).form(fields).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, serde_json::from_str(&answer.text().await.ok()?).unwrap_or_default()))
}

async fn refresh(http: &reqwest::Client, issuer: &str, token: &str) -> Option<(u16, Value)> {
    let fields = [("grant_type", "refresh_token"), ("client_id", "demo-rp"), ("refresh_token", token)];
    post(http, format!("{issuer}/oauth2/token"), &fields).await
}

async fn redeem(
    http: &reqwest::Client,
    issuer: &str,
    redirect_uri: &str,
    code: &str,
) -> Option<(u16, Value)> {
    let verifier = "a-verifier-of-forty-three-characters-or-more-1";
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "demo-rp"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    post(http, format!("{issuer}/oauth2/token"), &fields).await
}

/// Registers clients until the server is gone.
async fn register(http: reqwest::Client, issuer: String, journal: Shared) {
    let metadata = json!({ "redirect_uris": ["https://rp.example/cb"] });
    while let Ok(answer) = http.post(format!("{issuer}/oauth2/register")).json(&metadata).send().await {
        let Ok(made) = answer.json::<Value>().await else { return };
        let mut journal = journal.lock().unwrap();
        journal
            .clients
            .push((text(&made, "registration_client_uri"), text(&made, "registration_access_token")));
        journal.acknowledged += 1;
    }
}

/// Logs in again and again by a session, redeems the code, and notes it as used.
async fn log_in(http: reqwest::Client, issuer: String, url: String, redirect_uri: String, journal: Shared) {
    while let Ok(answer) = http.get(&url).send().await {
        let location =
            answer.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(code) = url::Url::parse(location).ok().and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
        }) else {
            panic!("no code: {} {location}", answer.status());
        };
        let Some((status, tokens)) = redeem(&http, &issuer, &redirect_uri, &code).await else { return };
        assert_eq!(status, 200, "{tokens}");
        let mut journal = journal.lock().unwrap();
        let token = text(&tokens, "refresh_token");
        if journal.acknowledged.is_multiple_of(3) {
            journal.codes.push((code, token));
        } else {
            journal.refresh.push(token);
        }
        journal.acknowledged += 1;
    }
}

/// Refreshes, and revokes every fourth login.
async fn use_tokens(http: reqwest::Client, issuer: String, journal: Shared) {
    for n in 0_usize.. {
        let Some(token) = journal.lock().unwrap().refresh.pop() else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if http.get(format!("{issuer}/oauth2/jwks")).send().await.is_err() {
                return;
            }
            continue;
        };
        if n % 4 == 3 {
            let fields = [("client_id", "demo-rp"), ("token", token.as_str())];
            // Without an answer it is not known whether it was done: the token is forgotten.
            let Some((status, _)) = post(&http, format!("{issuer}/oauth2/revoke"), &fields).await else {
                return;
            };
            assert_eq!(status, 200);
            journal.lock().unwrap().revoked.push(token);
        } else {
            let Some((status, next)) = refresh(&http, &issuer, &token).await else {
                // Used or not, the grace answers with the same successor: it still works.
                journal.lock().unwrap().refresh.push(token);
                return;
            };
            assert_eq!(status, 200, "{next}");
            journal.lock().unwrap().refresh.push(text(&next, "refresh_token"));
        }
        journal.lock().unwrap().acknowledged += 1;
    }
}

async fn check(http: &reqwest::Client, issuer: &str, redirect_uri: &str, journal: &Shared) {
    let newest = |journal: &Journal| {
        let clients: Vec<_> = journal.clients.iter().rev().take(CHECKED).cloned().collect();
        let revoked: Vec<_> = journal.revoked.iter().rev().take(CHECKED).cloned().collect();
        (clients, revoked)
    };
    let (clients, revoked) = newest(&journal.lock().unwrap());
    for (uri, token) in clients {
        let found = http.get(&uri).bearer_auth(token).send().await.unwrap();
        assert_eq!(found.status(), 200, "an acknowledged client is gone: {uri}");
    }
    for token in revoked {
        let (status, answer) = refresh(http, issuer, &token).await.unwrap();
        assert_eq!(
            (status, answer["error"].as_str()),
            (400, Some("invalid_grant")),
            "revoked, and alive again"
        );
    }
    for _ in 0..CHECKED {
        let Some(token) = journal.lock().unwrap().refresh.pop() else { break };
        let (status, answer) = refresh(http, issuer, &token).await.unwrap();
        assert_eq!(status, 200, "an acknowledged refresh token is gone: {answer}");
        let again = text(&answer, "refresh_token");
        journal.lock().unwrap().refresh.insert(0, again);
        let Some((code, token)) = journal.lock().unwrap().codes.pop() else { continue };
        let (status, answer) = redeem(http, issuer, redirect_uri, &code).await.unwrap();
        assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_grant")), "a code was used twice");
        let (status, _) = refresh(http, issuer, &token).await.unwrap();
        assert_eq!(status, 400, "and its second use did not end the login");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_under_load_lose_nothing_revive_nothing_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports();
    let journal = Shared::default();
    let mut server = Server::demo_on(folder.path(), port, &[]);
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    assert!(browser.sign_in(&server, &request, "alice").await.parameter("code").is_some());
    let (issuer, redirect_uri) = (server.issuer(), format!("{}/cb", server.relying_party()));
    let mut random = u64::from(std::process::id()) | 1;
    for round in 0..ROUNDS {
        let http = &browser.http;
        let load = [
            tokio::spawn(register(http.clone(), issuer.clone(), Arc::clone(&journal))),
            tokio::spawn(log_in(
                http.clone(),
                issuer.clone(),
                request.url(&server),
                redirect_uri.clone(),
                Arc::clone(&journal),
            )),
            tokio::spawn(use_tokens(http.clone(), issuer.clone(), Arc::clone(&journal))),
            tokio::spawn(use_tokens(http.clone(), issuer.clone(), Arc::clone(&journal))),
        ];
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(50 + (random >> 33) % 300)).await;
        server.kill();
        for task in load {
            task.await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        server = Server::demo_on(folder.path(), port, &[]);
        check(http, &issuer, &redirect_uri, &journal).await;
    }
    let journal = journal.lock().unwrap();
    assert!(journal.acknowledged > 500, "the load was a load: {}", journal.acknowledged);
    println!(
        "{} acknowledged, {} clients, {} revoked",
        journal.acknowledged,
        journal.clients.len(),
        journal.revoked.len()
    );
}
