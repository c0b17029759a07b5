//! Nodes that are killed, stopped and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::nodes::{everywhere, until};
use crate::support::balancer::Balancer;
use crate::support::browser::{Browser, Request, text};
use crate::support::cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_on_at_another_node_after_kill_9_of_the_one_it_was_at() {
    let mut cluster = Cluster::of(2);
    let first = Browser::new(&cluster.nodes[0]);
    let request = Request::new(&cluster.nodes[0]);
    let url = request.url(&cluster.nodes[0]);
    let page = first.open(&url).await;
    kill(&mut cluster, 0);

    let second = first.at(&cluster.nodes[1]);
    let shown = second.get(page.url.as_str()).await;
    assert!(shown.status == 200 && shown.has("name=\"password\""), "{} {}", shown.status, shown.body);
    let form = page.form().with("login", "alice").with("password", "demo-alice-123");
    let consent = second.submit(&form).await;
    assert!(consent.has("value=\"allow\""), "{}", consent.body);
    cluster.restart(0);
    kill(&mut cluster, 1);

    let third = second.at(&cluster.nodes[0]);
    let end = third.submit(&consent.form().with("decision", "allow")).await;
    let code = end.parameter("code").unwrap_or_else(|| panic!("no code: {}\n{}", end.url, end.body));
    cluster.restart(1);
    kill(&mut cluster, 0);

    let node = &cluster.nodes[1];
    let fourth = third.at(node);
    let (status, tokens) = fourth.redeem(node, &request, &code).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(fourth.userinfo(node, &text(&tokens, "access_token")).await.0, 200);
    assert!(fourth.open(&url).await.parameter("code").is_some(), "the session lives");
}

fn kill(cluster: &mut Cluster, node: usize) {
    cluster.nodes[node].kill_now();
}

/// Logs in by a session again and again, and uses what comes of it; every answer must be the one of a server that
/// was never touched.
struct Load {
    balancer: Balancer,
    issuer: String,
    url: String,
    redirect_uri: String,
    verifier: String,
    cookie: String,
    stop: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    async fn of(cluster: &Cluster, balancer: &Balancer) -> Arc<Self> {
        let node = &cluster.nodes[0];
        let browser = Browser::new(node);
        let request = Request::new(node);
        browser.code(node, &request, "alice").await;
        Arc::new(Self {
            balancer: balancer.clone(),
            issuer: node.issuer(),
            url: request.url(node),
            redirect_uri: format!("{}/cb", node.relying_party()),
            verifier: request.verifier,
            cookie: browser.cookie_header(node),
            stop: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
        })
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}{path}", self.issuer);
        let answer = self.balancer.send(|http| http.post(&url).form(fields)).await;
        let answer = answer.map_err(|error| format!("{path}: {error:?}"))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| format!("{path}: {error:?}"))?;
        self.answered.fetch_add(1, Ordering::SeqCst);
        if status != 200 {
            return Err(format!("{path}: {status} {body}"));
        }
        serde_json::from_str(&body).map_err(|_| format!("{path}: {body}"))
    }

    /// One login: five requests, each to the next node that is ready.
    async fn login(&self) -> Result<(), String> {
        let answer = self.balancer.send(|http| http.get(&self.url).header("cookie", &self.cookie)).await;
        let answer = answer.map_err(|error| format!("authorize: {error:?}"))?;
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        self.answered.fetch_add(1, Ordering::SeqCst);
        let code = location.as_deref().and_then(|location| url::Url::parse(location).ok()).and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
        });
        let code = code.ok_or_else(|| format!("authorize: {} {location:?}", answer.status()))?;
        let tokens = self
            .form(
                "/oauth2/token",
                &[
                    ("grant_type", "authorization_code"),
                    ("client_id", "demo-rp"),
                    ("code", &code),
                    ("redirect_uri", &self.redirect_uri),
                    ("code_verifier", &self.verifier),
                ],
            )
            .await?;
        let access = text(&tokens, "access_token");
        let userinfo = format!("{}/oauth2/userinfo", self.issuer);
        let told = self.balancer.send(|http| http.get(&userinfo).bearer_auth(&access)).await;
        let told = told.map_err(|error| format!("userinfo: {error:?}"))?;
        self.answered.fetch_add(1, Ordering::SeqCst);
        if told.status() != 200 {
            return Err(format!("userinfo: {}", told.status()));
        }
        let refresh = text(&tokens, "refresh_token");
        let fields = [("grant_type", "refresh_token"), ("client_id", "demo-rp"), ("refresh_token", &refresh)];
        self.form("/oauth2/token", &fields).await.map(drop)
    }

    /// Logs in until told to stop; answers what failed.
    async fn run(self: Arc<Self>) -> Vec<String> {
        let mut failed = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            if let Err(failure) = self.login().await {
                failed.push(failure);
            }
        }
        failed
    }
}

/// Logins at the same time.
const AT_ONCE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_restarted_one_after_another_under_load_and_no_request_fails() {
    let mut cluster = Cluster::of(3);
    let balancer = Balancer::of(&cluster.nodes);
    let load = Load::of(&cluster, &balancer).await;
    let running: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(Arc::clone(&load).run())).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for node in 0..3 {
        let begun = Instant::now();
        cluster.nodes[node].terminate();
        let status = tokio::task::block_in_place(|| cluster.nodes[node].ended());
        assert!(status.success(), "{status}\n{}", cluster.nodes[node].log_text());
        let drained = begun.elapsed();
        tokio::task::block_in_place(|| cluster.restart(node));
        until("the node is back", async || balancer.takes(node)).await;
        println!(
            "node {node}: drained after {} ms, back after {} ms",
            drained.as_millis(),
            begun.elapsed().as_millis()
        );
    }
    load.stop.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for task in running {
        failed.extend(task.await.unwrap());
    }
    let answered = load.answered.load(Ordering::SeqCst);
    println!(
        "rolling restart: {answered} requests, {:?} by node, {} failed",
        balancer.shares(),
        failed.len()
    );
    assert_eq!(failed, Vec::<String>::new());
    assert!(answered > 200, "the load was a load: {answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_progress_at_a_node_that_is_stopped_is_answered() {
    let mut cluster = Cluster::hasty(2);
    let node = &cluster.nodes[0];
    let browsers: Vec<Browser> = (0..8).map(|_| Browser::new(node)).collect();
    let mut forms = Vec::new();
    for browser in &browsers {
        let page = browser.open(&Request::new(node).url(node)).await;
        forms.push(page.form().with("login", "alice").with("password", "demo-alice-123"));
    }
    let answers = browsers.iter().zip(&forms).map(|(browser, form)| browser.post(form));
    let stopping = async {
        // Long enough for the requests to arrive, too short for eight passwords to be checked.
        tokio::time::sleep(Duration::from_millis(20)).await;
        node.terminate();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(answers), stopping);
    let other = cluster.nodes.pop().unwrap();
    for (browser, answer) in browsers.iter().zip(answers) {
        assert_eq!(answer.status, 303, "{}", answer.body);
        let next = browser.at(&other).follow(answer).await;
        assert!(next.has("value=\"allow\"") || next.parameter("code").is_some(), "{}", next.body);
    }
    assert!(tokio::task::block_in_place(|| cluster.nodes[0].ended()).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_under_way_survive_a_node_that_is_killed_under_load() {
    let mut cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let mut half_way = Vec::new();
    for _ in 0..20 {
        let browser = Browser::new(node);
        let page = browser.open(&Request::new(node).url(node)).await;
        half_way.push((everywhere(&browser, &cluster.nodes), page));
    }
    // Half of them are answered, or not, as the node dies.
    let sent = half_way.iter().take(10).map(|(at, page)| {
        let form = page.form().with("login", "alice").with("password", "demo-alice-123");
        let post = at[0].http.post(form.action.clone()).header("origin", "http://localhost");
        let post = post.form(&form.fields).send();
        async move { post.await.is_ok() }
    });
    let sent = tokio::spawn(futures_util::future::join_all(sent.collect::<Vec<_>>()));
    tokio::time::sleep(Duration::from_millis(40)).await;
    kill(&mut cluster, 0);
    let answered = sent.await.unwrap().into_iter().filter(|answered| *answered).count();
    println!("{answered} of 10 were answered before the node died");
    for (at, page) in &half_way {
        // The dead node's claim on a step runs out; then the step is answered here.
        until("the dead node's steps are free", async || at[1].get(page.url.as_str()).await.status != 202)
            .await;
        let form = page.form().with("login", "alice").with("password", "demo-alice-123");
        let mut end = at[1].submit(&form).await;
        if end.has("value=\"allow\"") {
            end = at[1].submit(&end.form().with("decision", "allow")).await;
        }
        assert!(end.parameter("code").is_some(), "{} {}\n{}", end.status, end.url, end.body);
    }
}
