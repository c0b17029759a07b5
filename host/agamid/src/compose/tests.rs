//! Wherever in a login writing breaks, nothing is half done: the answer is a clear 503, what was acknowledged counts,
//! and the same person, in the same browser and in another one, can log in once the store is well again.

use std::collections::BTreeMap;

use agamid_identity::Session;
use agamid_store::Scan;
use agamid_store::testing::Fault;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::ServiceExt as _;

use super::*;

const ISSUER: &str = "http://localhost:8080";
const REDIRECT: &str = "https://rp.example/cb";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";
const PASSWORD: &str = "a long enough password";
/// More writes than a login has, and the start of a server before it.
const MOST: u64 = 60;

/// A browser, and the application in it.
#[derive(Default)]
struct Visitor {
    cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Answer {
    url: String,
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn is_at_the_application(&self) -> bool {
        self.url.starts_with(REDIRECT)
    }

    /// The value of a hidden field.
    fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&marker).nth(1).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        rest.split('"').next().unwrap().to_owned()
    }

    /// A refusal that says what it is, and when to ask again; or the one that the application is told.
    fn is_clear_refusal(&self) -> bool {
        if self.is_at_the_application() {
            return self.parameter("error").as_deref() == Some("temporarily_unavailable");
        }
        let json = self.header(header::CONTENT_TYPE) == "application/json";
        self.status == 503
            && !self.header(header::RETRY_AFTER).is_empty()
            && (!json || self.body.contains("\"temporarily_unavailable\""))
    }
}

impl Visitor {
    async fn send(&mut self, house: &House, url: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let path = url.strip_prefix(ISSUER).unwrap_or(url);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().uri(path).header(header::HOST, "localhost:8080");
        let request = request.header(header::COOKIE, cookies.join("; "));
        let request = match form {
            None => request.body(Body::empty()),
            Some(fields) => request
                .method("POST")
                .header(header::ORIGIN, ISSUER)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into(),
                ),
        };
        let response = house.public.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { url: url.to_owned(), status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Follows redirects inside the provider.
    async fn follow(&mut self, house: &House, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            let location = answer.header(header::LOCATION).to_owned();
            if location.is_empty() {
                return answer;
            }
            if location.starts_with(REDIRECT) {
                return Answer { url: location, ..answer };
            }
            answer = self.send(house, &location, None).await;
        }
        panic!("too many redirects: {answer:?}");
    }

    /// From the authorization request to the refreshed tokens; or to the first answer that is no way on.
    async fn log_in(&mut self, house: &House) -> Progress {
        let first = self.send(house, &authorize(), None).await;
        let page = self.follow(house, first).await;
        self.go_on(house, page).await
    }

    /// Goes on from a page of a login.
    async fn go_on(&mut self, house: &House, mut page: Answer) -> Progress {
        for _ in 0..4 {
            if let Some(code) = page.parameter("code").filter(|_| page.is_at_the_application()) {
                return self.redeem(house, code).await;
            }
            let fields: &[(&str, &str)] = if page.body.contains("name=\"password\"") {
                &[("login", "alice"), ("password", PASSWORD)]
            } else if page.body.contains("value=\"allow\"") {
                &[("decision", "allow")]
            } else {
                break;
            };
            let (step, url) = (page.field("_step"), page.url.clone());
            let fields: Vec<_> = fields.iter().copied().chain([("_step", step.as_str())]).collect();
            let sent = self.send(house, &url, Some(&fields)).await;
            page = self.follow(house, sent).await;
        }
        Progress { code: None, refresh: None, stopped: Some(page) }
    }

    async fn redeem(&mut self, house: &House, code: String) -> Progress {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "shop"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.send(house, "/oauth2/token", Some(&fields)).await;
        if answer.status != 200 {
            return Progress { code: Some(code), refresh: None, stopped: Some(answer) };
        }
        let tokens: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        self.refresh(house, tokens["refresh_token"].as_str().unwrap().to_owned()).await
    }

    async fn refresh(&mut self, house: &House, token: String) -> Progress {
        let fields =
            [("grant_type", "refresh_token"), ("client_id", "shop"), ("refresh_token", token.as_str())];
        let answer = self.send(house, "/oauth2/token", Some(&fields)).await;
        let stopped = if answer.status == 200 { None } else { Some(answer) };
        Progress { code: None, refresh: Some(token), stopped }
    }
}

/// How far a login came.
struct Progress {
    /// The code that was not redeemed.
    code: Option<String>,
    /// The refresh token that was used last.
    refresh: Option<String>,
    /// The answer that was no way on; none at the end.
    stopped: Option<Answer>,
}

/// An authorization request that asks for password and consent every time.
fn authorize() -> String {
    let challenge = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, challenge);
    let mut url = url::Url::parse(&format!("{ISSUER}/oauth2/authorize")).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "shop"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email"),
        ("prompt", "login consent"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    url.into()
}

/// A store that holds what a server has after its first start.
struct Ground {
    store: Store,
    config: NodeConfig,
    metrics: PrometheusHandle,
    env: Env,
    _folder: tempfile::TempDir,
}

impl Ground {
    async fn on(backend: &str) -> Self {
        agamid_core::jose::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let env = Env::system();
        let url = match backend {
            "sled" => format!("sled:{}", folder.path().join("store").display()),
            _ => "memory:".to_owned(),
        };
        let text = format!(
            r#"
[public]
issuer = "{ISSUER}"
[store]
url = "{url}"
[secrets]
envelope_key_file = "{}"
[seed.flows]
default_acr = "agama_demo.password"
[[seed.persons]]
username = "alice"
password_hash = "{}"
[[seed.clients]]
client_id = "shop"
token_endpoint_auth_method = "none"
redirect_uris = ["{REDIRECT}"]
grant_types = ["authorization_code", "refresh_token"]
scopes = ["openid", "email"]
"#,
            folder.path().join("envelope.key").display(),
            crate::seed_hash(&env, PASSWORD).unwrap(),
        );
        let config = NodeConfig::of_text("test", &text, std::iter::empty()).unwrap();
        EnvelopeKey::load_or_create(&config.secrets.envelope_key_file, &env).unwrap();
        let store = open_store(&config.store, &env, None).await.unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        Self { store, config, metrics, env, _folder: folder }
    }

    async fn house(&self, store: Store) -> Result<House, String> {
        let sealer =
            Sealer::new(EnvelopeKey::load(&self.config.secrets.envelope_key_file).unwrap(), self.env.clone());
        compose_on(
            Base { store, sealer, redis: None },
            &self.config,
            self.env.clone(),
            true,
            self.metrics.clone(),
        )
        .await
    }

    /// How often each audit event was written, and the subjects of those that start a session.
    async fn audit(&self) -> (BTreeMap<String, usize>, Vec<String>) {
        let (mut counted, mut sessions) = (BTreeMap::new(), Vec::new());
        for chain in self.store.audit_chains().await.unwrap() {
            let mut after = 0;
            loop {
                let page = self.store.audit_events(&chain, after, 500).await.unwrap();
                let Some(last) = page.last() else { break };
                after = last.sequence;
                for entry in page {
                    if entry.event.event == "session.started" {
                        sessions.push(entry.event.subject.clone());
                    }
                    *counted.entry(entry.event.event).or_default() += 1;
                }
            }
        }
        (counted, sessions)
    }

    /// Nothing is half written.
    async fn check(&self, before: &BTreeMap<String, usize>, place: &str) {
        self.store.verify_audit().await.unwrap();
        let (after, started) = self.audit().await;
        let added = |event: &str| {
            let count = |all: &BTreeMap<String, usize>| all.get(event).copied().unwrap_or_default();
            count(&after) - count(before)
        };
        assert!(added("code.issued") <= added("session.started"), "{place}: a code without a session");
        let page = self.store.scan::<Session>(Scan { limit: 1000, ..Scan::default() }).await.unwrap();
        for found in page.records {
            let id = found.record.id.to_string();
            assert!(started.contains(&id), "{place}: a session without its audit event");
        }
    }
}

/// Breaks the `n`-th write of a server; answers whether the login ended before it came.
async fn break_at(ground: &Ground, sound: &House, n: u64, fault: Fault) -> bool {
    let place = format!("write {n}, {fault:?}");
    let (before, _) = ground.audit().await;
    let Ok(broken) = ground.house(ground.store.breaking_at(n, fault)).await else {
        // It did not even start.
        ground.check(&before, &place).await;
        return false;
    };
    let mut visitor = Visitor::default();
    let progress = visitor.log_in(&broken).await;
    ground.check(&before, &place).await;
    let Some(stopped) = progress.stopped else { return true };
    assert!(stopped.is_clear_refusal(), "{place}: {stopped:?}");

    match (progress.code, progress.refresh) {
        (Some(code), _) => {
            // Redeemed or not, it works once at most.
            let again = visitor.redeem(sound, code.clone()).await.stopped;
            assert_eq!(again.is_none(), fault == Fault::Lost, "{place}: {again:?}");
            let twice = visitor.redeem(sound, code).await.stopped.map(|answer| answer.status);
            assert_eq!(twice, Some(400), "{place}: a code was redeemed twice");
        }
        (None, Some(token)) => {
            let again = visitor.refresh(sound, token).await.stopped;
            assert!(again.is_none(), "{place}: who repeats a refresh gets its answer: {again:?}");
        }
        (None, None) if stopped.is_at_the_application() => {}
        (None, None) => {
            // The browser reloads the page that failed: it is shown where the login stands, or that it is over.
            let reloaded = visitor.send(sound, &stopped.url, None).await;
            let reloaded = visitor.follow(sound, reloaded).await;
            assert!(reloaded.status < 500, "{place}: {reloaded:?}");
            let end = visitor.go_on(sound, reloaded).await;
            assert!(end.stopped.is_none_or(|answer| answer.status < 500), "{place}");
        }
    }
    for visitor in [&mut visitor, &mut Visitor::default()] {
        let end = visitor.log_in(sound).await.stopped;
        assert!(end.is_none(), "{place}: the person can't log in again: {end:?}");
    }
    ground.check(&before, &place).await;
    false
}

async fn every_write(backend: &str) {
    let ground = Ground::on(backend).await;
    let sound = ground.house(ground.store.clone()).await.unwrap();
    assert!(Visitor::default().log_in(&sound).await.stopped.is_none(), "a login works");
    for fault in [Fault::Lost, Fault::Unanswered] {
        let mut ended = false;
        for n in 1..=MOST {
            ended = break_at(&ground, &sound, n, fault).await;
            if ended {
                assert!(n > 6, "{n}: a login has more writes");
                break;
            }
        }
        assert!(ended, "a login has no more than {MOST} writes");
    }
}

#[tokio::test]
async fn wherever_a_login_breaks_in_memory_nothing_is_half_done_and_it_can_be_done_again() {
    every_write("memory").await;
}

#[tokio::test]
async fn wherever_a_login_breaks_on_sled_nothing_is_half_done_and_it_can_be_done_again() {
    every_write("sled").await;
}
