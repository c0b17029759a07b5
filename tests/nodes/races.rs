//! What is used once, raced from all nodes at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::nodes::everywhere;
use crate::support::assertion::Key;
use crate::support::browser::{Browser, Request, Shown, text};
use crate::support::cluster::Cluster;

/// Tries at once, over all nodes.
const TRIES: usize = 36;

/// Makes the same try many times at once, each from another node than its neighbour.
async fn race<T>(at: &[Browser], work: impl AsyncFn(&Browser) -> T) -> Vec<T> {
    let work = &work;
    join_all((0..TRIES).map(|n| work(&at[n % at.len()]))).await
}

fn won(answers: Vec<(u16, Value)>, error: &str) -> Vec<Value> {
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    for (status, body) in lost {
        assert_eq!(body["error"], error, "{status} {body}");
    }
    won.into_iter().map(|(_, body)| body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_redemptions_of_a_code_one_gets_tokens_and_they_die_with_the_replays() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let request = Request::new(node);
    browser.code(node, &request, "alice").await;
    for _ in 0..3 {
        let code = browser.open(&request.url(node)).await.parameter("code").unwrap();
        let answers = race(&at, async |browser| browser.redeem(node, &request, &code).await).await;
        let won = won(answers, "invalid_grant");
        assert_eq!(won.len(), 1);
        for browser in &at {
            assert_eq!(browser.userinfo(node, &text(&won[0], "access_token")).await.0, 401);
            assert_eq!(browser.refresh(node, &text(&won[0], "refresh_token"), "").await.0, 400);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_has_one_successor_and_after_the_grace_a_replay_ends_the_family() {
    let cluster = Cluster::with(3, "[lock.oauth]\nrefresh_grace = 2\n");
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let tokens = browser.tokens(node, &Request::new(node), "alice").await;
    let first = text(&tokens, "refresh_token");
    let answers = race(&at, async |browser| browser.refresh(node, &first, "").await).await;
    let successors: std::collections::BTreeSet<String> =
        won(answers, "invalid_grant").iter().map(|body| text(body, "refresh_token")).collect();
    assert_eq!(successors.len(), 1, "who repeats in time gets the same one");
    let second = successors.first().unwrap();
    assert_eq!(at[1].refresh(node, second, "").await.0, 200);

    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let answers = race(&at, async |browser| browser.refresh(node, &first, "").await).await;
    assert_eq!(won(answers, "invalid_grant").len(), 0);
    for browser in &at {
        assert_eq!(browser.refresh(node, second, "").await.0, 400, "the family is dead everywhere");
        assert_eq!(browser.userinfo(node, &text(&tokens, "access_token")).await.0, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_taken_by_one() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let pushing = browser.http.post(format!("{}/oauth2/par", node.issuer()));
    let pushed: Value =
        pushing.form(&Request::new(node).parameters).send().await.unwrap().json().await.unwrap();
    let mut url = url::Url::parse(&format!("{}/oauth2/authorize", node.issuer())).unwrap();
    url.query_pairs_mut()
        .extend_pairs([("client_id", "demo-rp"), ("request_uri", &text(&pushed, "request_uri"))]);
    let statuses = race(&at, async |browser| browser.get(url.as_str()).await.status).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [303, 400].contains(status)), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_accepted_once() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let key = Key::generate();
    let metadata = json!({
        "grant_types": ["client_credentials"], "response_types": [],
        "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key.jwk()] },
    });
    let made = browser.http.post(format!("{}/oauth2/register", node.issuer())).json(&metadata).send().await;
    let made: Value = made.unwrap().json().await.unwrap();
    let assertion = key.sign(&key.claims(&text(&made, "client_id"), &node.issuer()));
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    let answers = race(&at, async |browser| browser.token(node, &fields).await).await;
    assert_eq!(won(answers, "invalid_client").len(), 1);
}

/// Two pages, a wait for a callback between them.
const ABROAD: &str =
    "RRF \"page.html\"\nback = RFAC \"https://abroad.example/\"\nRRF \"page.html\"\nFinish false";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_flow_and_a_callback_are_taken_by_one() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let token = cluster.admin_token().await;
    crate::support::project::deploy_with(node, &token, ABROAD, "<h1>Here</h1>").await;
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let request = Request::new(node).with("acr_values", "agama_acme.it");
    let url = request.url(node);
    crate::nodes::until("the flow is everywhere", async || {
        let pages = join_all(at.iter().map(|browser| browser.open(&url))).await;
        pages.iter().all(|page| page.has("<h1>Here</h1>"))
    })
    .await;

    let page = browser.open(&request.url(node)).await;
    let run = page.url.path().split('/').nth(2).unwrap().to_owned();
    // A step: who comes second is led to where the first one is led, whatever node it asks.
    let form = page.form();
    let answers: Vec<Shown> = race(&at, async |browser| browser.post(&form).await).await;
    for answer in &answers {
        assert_eq!(answer.status, 303, "{}", answer.body);
    }
    let taken = |run: &str| cluster.sql(&format!("SELECT version FROM r_run WHERE key = '{run}'"));
    let version: u64 = taken(&run).parse().unwrap();

    // The callback.
    let callback = format!("{}/flow/callback?x=1", node.issuer());
    let answers: Vec<Shown> = race(&at, async |browser| browser.get(&callback).await).await;
    let went_on = answers.iter().filter(|answer| answer.status == 303).count();
    assert!(went_on >= 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status == 303) {
        assert!(answer.location().unwrap().path().contains(&run), "the next page of this very run");
    }
    let page = browser.get(answers.iter().find_map(Shown::location).unwrap().as_str()).await;
    assert!(page.has("<h1>Here</h1>"), "{}", page.body);
    // One claim and one result, or the result alone: each try that had been taken would have added its own.
    let after: u64 = taken(&run).parse().unwrap();
    assert!(after - version <= 2, "the callback was taken {} times", after - version);

    // The end: that nobody logged in may be told as often as it is asked, and gives nobody anything.
    let end = browser.post(&page.form()).await;
    let resume = end.location().unwrap();
    let answers: Vec<Shown> = race(&at, async |browser| browser.open(resume.as_str()).await).await;
    for answer in answers {
        assert!(answer.parameter("code").is_none(), "{}", answer.url);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_a_login_gives_one_session_and_one_code() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    browser.code(node, &Request::new(node), "alice").await;
    let at = everywhere(&browser, &cluster.nodes);
    for _ in 0..3 {
        let page = browser.open(&Request::new(node).with("prompt", "login").url(node)).await;
        let form = page.form().with("login", "alice").with("password", "demo-alice-123");
        let resume = browser.post(&form).await.location().unwrap();
        let before = sessions_and_codes(&cluster);
        let answers: Vec<Shown> = race(&at, async |browser| browser.open(resume.as_str()).await).await;
        assert_eq!(answers.iter().filter(|answer| answer.parameter("code").is_some()).count(), 1);
        let after = sessions_and_codes(&cluster);
        assert!(after.0 - before.0 <= 1 && after.1 - before.1 == 1, "{before:?} {after:?}");
    }
}

/// How many there are in the database.
fn sessions_and_codes(cluster: &Cluster) -> (i64, i64) {
    let count = |sql: &str| cluster.sql(sql).parse().unwrap();
    let codes = "SELECT count(*) FROM one_time WHERE purpose = 'code'";
    (count("SELECT count(*) FROM r_session"), count(codes))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_submissions_of_a_password_one_is_checked_and_one_login_comes_of_it() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    browser.code(node, &Request::new(node), "alice").await;
    let at = everywhere(&browser, &cluster.nodes);
    for _ in 0..3 {
        let page = browser.open(&Request::new(node).with("prompt", "login").url(node)).await;
        let form = page.form().with("login", "alice").with("password", "demo-alice-123");
        let before = sessions_and_codes(&cluster);
        let ends: Vec<Shown> = race(&at, async |browser| browser.submit(&form).await).await;
        let with_code: std::collections::BTreeSet<_> =
            ends.iter().filter_map(|end| end.parameter("code")).collect();
        assert_eq!(
            with_code.len(),
            1,
            "{:?}",
            ends.iter().map(|end| (end.status, end.url.as_str())).collect::<Vec<_>>()
        );
        let after = sessions_and_codes(&cluster);
        assert!(after.0 - before.0 <= 1, "sessions {before:?} {after:?}");
        assert_eq!(after.1 - before.1, 1, "codes");
    }
}

/// A cluster where an account is locked after this many failures.
fn locking_after(failures: usize) -> Cluster {
    let failures = format!("[seed.identity.lockout.account]\nfailures = {failures}\n");
    Cluster::with(3, &failures)
}

/// Tries a password in a login of its own, in a browser of its own.
async fn try_password(cluster: &Cluster, n: usize, password: &str) -> Shown {
    let node = &cluster.nodes[n % cluster.nodes.len()];
    let browser = Browser::new(node);
    let page = browser.open(&Request::new(node).url(node)).await;
    browser.submit(&page.form().with("login", "carol").with("password", password)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_counted_over_all_nodes_and_none_is_lost() {
    const FAILURES: usize = 30;
    let cluster = locking_after(FAILURES + 1);
    let tries = (0..FAILURES).map(|n| try_password(&cluster, n, "wrong"));
    for told in join_all(tries).await {
        assert!(told.has("is wrong"), "{} {}", told.status, told.body);
    }
    let counted =
        cluster.sql("SELECT document::json->>'count' FROM r_login_failures WHERE key LIKE 'account:%'");
    assert_eq!(counted, FAILURES.to_string());
    let in_time = try_password(&cluster, 1, "demo-carol-123").await;
    assert!(in_time.has("value=\"allow\"") || in_time.parameter("code").is_some(), "{}", in_time.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_failures_over_all_nodes_lock_as_on_one() {
    const FAILURES: usize = 30;
    let cluster = locking_after(FAILURES);
    let tries = (0..FAILURES).map(|n| try_password(&cluster, n, "wrong"));
    for told in join_all(tries).await {
        assert!(told.has("is wrong"), "{} {}", told.status, told.body);
    }
    for n in 0..3 {
        let refused = try_password(&cluster, n, "demo-carol-123").await;
        assert!(refused.has("is wrong"), "node {n} lets in: {}", refused.body);
    }
}
