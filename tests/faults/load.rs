//! Writers, and the journal of what they were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::{Value, json};

use super::plan::Figures;
use crate::support::browser::{Browser, Request, text};
use crate::support::cluster::Cluster;

/// What a writer does after a request that was not done.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest that an answer may take: well over what the store waits for its database.
const PATIENCE: Duration = Duration::from_secs(25);

/// What the servers acknowledged.
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
    /// Codes that were redeemed, or not: there was no answer.
    unsure: Vec<String>,
    figures: Figures,
}

/// How a request ended.
enum Said {
    /// With an answer: status, body, and where it leads.
    Answer(u16, Value, String),
    /// It was not done, or that is not known.
    Nothing,
}

/// Writers at the nodes of a cluster.
pub(crate) struct Load {
    at: Vec<reqwest::Client>,
    issuer: String,
    url: String,
    redirect_uri: String,
    verifier: String,
    journal: Mutex<Journal>,
    stop: AtomicBool,
}

impl Load {
    /// Signs somebody in: the writers are this browser's.
    pub(crate) async fn of(cluster: &Cluster) -> Arc<Self> {
        let node = &cluster.nodes[0];
        let browser = Browser::new(node);
        let request = Request::new(node);
        browser.code(node, &request, "alice").await;
        Arc::new(Self {
            at: cluster.nodes.iter().map(|node| browser.at(node).http).collect(),
            issuer: node.issuer(),
            url: request.url(node),
            redirect_uri: format!("{}/cb", node.relying_party()),
            verifier: request.verifier,
            journal: Mutex::default(),
            stop: AtomicBool::new(false),
        })
    }

    /// Runs `work` while so many writers write.
    pub(crate) async fn during<T>(self: &Arc<Self>, writers: usize, work: impl Future<Output = T>) -> T {
        self.stop.store(false, Ordering::SeqCst);
        let running: Vec<_> = (0..writers)
            .map(|n| {
                let load = Arc::clone(self);
                tokio::spawn(async move {
                    match n % 4 {
                        0 => load.register(n).await,
                        1 => load.log_in(n).await,
                        _ => load.use_tokens(n).await,
                    }
                })
            })
            .collect();
        let done = work.await;
        self.stop.store(true, Ordering::SeqCst);
        for task in running {
            task.await.unwrap();
        }
        done
    }

    /// The figures so far.
    pub(crate) fn figures<T>(&self, look: impl FnOnce(&mut Figures) -> T) -> T {
        look(&mut self.journal.lock().unwrap().figures)
    }

    /// What it all came to.
    pub(crate) fn settle(&self, experiment: &str) {
        self.figures(std::mem::take).settle(experiment);
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Sends a request of a writer; each writer goes from node to node.
    async fn ask(&self, what: &str, request: reqwest::RequestBuilder) -> Said {
        let Ok(answer) = request.timeout(PATIENCE).send().await else {
            return self.nothing(|f| f.unanswered += 1);
        };
        let status = answer.status().as_u16();
        let header = |name| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (location, kind, retry) = (header(LOCATION), header(CONTENT_TYPE), header(RETRY_AFTER));
        let Ok(body) = answer.text().await else { return self.nothing(|f| f.unanswered += 1) };
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        if location.contains("error=temporarily_unavailable") {
            return self.nothing(|f| f.refused += 1);
        }
        if status < 500 {
            return Said::Answer(status, json, location);
        }
        let clear = match kind.as_str() {
            "application/problem+json" => json["code"].is_string(),
            "application/json" => json["error"] == "temporarily_unavailable",
            kind => kind.starts_with("text/html"),
        };
        if status == 503 && clear && !retry.is_empty() {
            return self.nothing(|f| f.refused += 1);
        }
        self.wrong(format!("{what}: {status} {kind}, Retry-After {retry:?}: {body}"));
        Said::Nothing
    }

    fn nothing(&self, count: impl FnOnce(&mut Figures)) -> Said {
        self.figures(count);
        Said::Nothing
    }

    fn wrong(&self, answer: String) {
        self.figures(|figures| figures.wrong.push(answer));
    }

    async fn post(&self, at: &reqwest::Client, path: &str, fields: &[(&str, &str)]) -> Said {
        self.ask(path, at.post(format!("{}{path}", self.issuer)).form(fields)).await
    }

    async fn refresh(&self, at: &reqwest::Client, token: &str) -> Said {
        let fields = [("grant_type", "refresh_token"), ("client_id", "demo-rp"), ("refresh_token", token)];
        self.post(at, "/oauth2/token", &fields).await
    }

    async fn redeem(&self, at: &reqwest::Client, code: &str) -> Said {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "demo-rp"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.verifier),
        ];
        self.post(at, "/oauth2/token", &fields).await
    }

    /// The node of a writer's next request.
    fn node(&self, writer: usize, turn: usize) -> &reqwest::Client {
        &self.at[(writer + turn) % self.at.len()]
    }

    /// Registers clients.
    async fn register(&self, writer: usize) {
        let metadata = json!({ "redirect_uris": ["https://rp.example/cb"] });
        for turn in 0.. {
            if !self.goes_on() {
                return;
            }
            let post = self.node(writer, turn).post(format!("{}/oauth2/register", self.issuer));
            match self.ask("register", post.json(&metadata)).await {
                Said::Answer(201, made, _) => {
                    let mut journal = self.journal.lock().unwrap();
                    journal.clients.push((
                        text(&made, "registration_client_uri"),
                        text(&made, "registration_access_token"),
                    ));
                    journal.figures.acknowledged += 1;
                }
                Said::Answer(status, body, _) => self.wrong(format!("register: {status} {body}")),
                Said::Nothing => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Logs in again and again by a session, redeems the code, and notes it as used.
    async fn log_in(&self, writer: usize) {
        for turn in 0.. {
            if !self.goes_on() {
                return;
            }
            let Said::Answer(status, _, location) =
                self.ask("authorize", self.node(writer, turn).get(&self.url)).await
            else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let code = url::Url::parse(&location).ok().and_then(|url| {
                url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
            });
            let Some(code) = code else {
                self.wrong(format!("authorize: {status} {location}: the session is lost"));
                continue;
            };
            let access = match self.redeem(self.node(writer, turn + 1), &code).await {
                Said::Answer(200, tokens, _) => {
                    let mut journal = self.journal.lock().unwrap();
                    let token = text(&tokens, "refresh_token");
                    if turn % 3 == 0 {
                        journal.codes.push((code, token))
                    } else {
                        journal.refresh.push(token)
                    }
                    journal.figures.acknowledged += 1;
                    text(&tokens, "access_token")
                }
                Said::Answer(status, body, _) => {
                    self.wrong(format!("redeem: {status} {body}"));
                    continue;
                }
                Said::Nothing => {
                    self.journal.lock().unwrap().unsure.push(code);
                    continue;
                }
            };
            // Another writer may have revoked the login in the meantime.
            let get = self.node(writer, turn).get(format!("{}/oauth2/userinfo", self.issuer));
            if let Said::Answer(status, ..) = self.ask("userinfo", get.bearer_auth(access)).await
                && ![200, 401].contains(&status)
            {
                self.wrong(format!("userinfo: {status}"));
            }
        }
    }

    /// Refreshes, and revokes every fourth login.
    async fn use_tokens(&self, writer: usize) {
        for turn in 0.. {
            if !self.goes_on() {
                return;
            }
            let Some(token) = self.journal.lock().unwrap().refresh.pop() else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let at = self.node(writer, turn);
            if turn % 4 == 3 {
                let fields = [("client_id", "demo-rp"), ("token", token.as_str())];
                match self.post(at, "/oauth2/revoke", &fields).await {
                    Said::Answer(200, ..) => {
                        let mut journal = self.journal.lock().unwrap();
                        journal.revoked.push(token);
                        journal.figures.acknowledged += 1;
                    }
                    Said::Answer(status, body, _) => self.wrong(format!("revoke: {status} {body}")),
                    // Done or not: the token is forgotten.
                    Said::Nothing => tokio::time::sleep(PAUSE).await,
                }
                continue;
            }
            match self.refresh(at, &token).await {
                Said::Answer(200, next, _) => {
                    let mut journal = self.journal.lock().unwrap();
                    journal.refresh.push(text(&next, "refresh_token"));
                    journal.figures.acknowledged += 1;
                }
                Said::Answer(status, body, _) => {
                    self.figures(|figures| figures.lost += 1);
                    println!("a refresh token was refused: {status} {body}");
                }
                Said::Nothing => {
                    // Used or not, the grace answers with the same successor: it still works.
                    self.journal.lock().unwrap().refresh.push(token);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Compares the newest entries of the journal with what the servers say, which must all be well.
    pub(crate) async fn check(&self, newest: usize) {
        let (clients, revoked, refresh, codes, unsure) = {
            let mut journal = self.journal.lock().unwrap();
            let clients: Vec<_> = journal.clients.iter().rev().take(newest).cloned().collect();
            let revoked: Vec<_> = journal.revoked.iter().rev().take(newest).cloned().collect();
            let (refresh, codes) = (last(&mut journal.refresh, newest), last(&mut journal.codes, newest));
            (clients, revoked, refresh, codes, std::mem::take(&mut journal.unsure))
        };
        for (n, (uri, token)) in clients.into_iter().enumerate() {
            match self.ask("read a client", self.node(n, 0).get(&uri).bearer_auth(token)).await {
                Said::Answer(200, ..) => {}
                _ => self.figures(|figures| figures.lost += 1),
            }
        }
        for (n, token) in revoked.into_iter().enumerate() {
            if !self.is_refused(self.refresh(self.node(n, 0), &token).await) {
                self.figures(|figures| figures.revived += 1);
            }
        }
        for (n, token) in refresh.into_iter().enumerate() {
            match self.refresh(self.node(n, 0), &token).await {
                Said::Answer(200, next, _) => {
                    self.journal.lock().unwrap().refresh.insert(0, text(&next, "refresh_token"));
                }
                _ => self.figures(|figures| figures.lost += 1),
            }
        }
        for (n, (code, token)) in codes.into_iter().enumerate() {
            if !self.is_refused(self.redeem(self.node(n, 0), &code).await) {
                self.figures(|figures| figures.twice += 1);
            }
            // Its replay ended the login.
            if !self.is_refused(self.refresh(self.node(n, 1), &token).await) {
                self.figures(|figures| figures.revived += 1);
            }
        }
        for (n, code) in unsure.into_iter().enumerate() {
            // It works once more, or does not; then it is over in any case.
            self.redeem(self.node(n, 0), &code).await;
            if !self.is_refused(self.redeem(self.node(n, 1), &code).await) {
                self.figures(|figures| figures.twice += 1);
            }
        }
    }

    /// Whether the answer is the protocol's no.
    fn is_refused(&self, said: Said) -> bool {
        matches!(said, Said::Answer(400, body, _) if body["error"] == "invalid_grant")
    }

    /// Whether a node answers a login: a write and a read.
    pub(crate) async fn serves(&self, node: usize) -> bool {
        let Ok(answer) = self.at[node].get(&self.url).timeout(PATIENCE).send().await else { return false };
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        location.is_some_and(|location| location.contains("code="))
    }
}

/// Takes the last ones out.
fn last<T>(list: &mut Vec<T>, newest: usize) -> Vec<T> {
    list.split_off(list.len().saturating_sub(newest))
}
