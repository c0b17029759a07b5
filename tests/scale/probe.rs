//! What is asked, and how long it takes.

use std::time::{Duration, Instant};

use agamid_core::Env;
use agamid_core::secret::Secret;
use agamid_identity::{Person, Session};
use agamid_store::{Batch, Expect, Store};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::Digest as _;

use super::load::{Loader, username};
use super::node::{API_SECRET, Home, Node, PASSWORD, REDIRECT};
use super::table::{Figures, Latency};

const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";

/// What one login left.
pub(crate) struct Tokens {
    pub(crate) access: Secret,
    pub(crate) refresh: Secret,
}

fn browser() -> reqwest::Client {
    let redirects = reqwest::redirect::Policy::none();
    reqwest::Client::builder().redirect(redirects).cookie_store(true).no_proxy().build().unwrap()
}

/// A whole login, from the authorization request to the code.
async fn log_in(home: &Home, http: &reqwest::Client, login: &str) -> reqwest::Result<String> {
    let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    let mut url = url::Url::parse(&format!("{}/oauth2/authorize", home.issuer())).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid profile email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let mut answer = http.get(url).send().await?;
    for _ in 0..8 {
        if answer.status() == 303 {
            let next = answer.headers()["location"].to_str().unwrap().to_owned();
            if next.starts_with(REDIRECT) {
                let (_, code) = next.split_once("code=").unwrap_or_else(|| panic!("no code: {next}"));
                return Ok(code.split('&').next().unwrap().to_owned());
            }
            let next = if next.starts_with('/') { home.issuer() + &next } else { next };
            answer = http.get(next).send().await?;
            continue;
        }
        let at = answer.url().clone();
        let page = answer.text().await?;
        let marker = "name=\"_step\" value=\"";
        let (_, rest) = page.split_once(marker).unwrap_or_else(|| panic!("no form at {at}:\n{page}"));
        let step = rest.split('"').next().unwrap().replace("&#x2f;", "/");
        let form = [("_step", step.as_str()), ("login", login), ("password", PASSWORD)];
        answer = http.post(at).header("origin", home.issuer()).form(&form).send().await?;
    }
    panic!("the login of {login} does not end");
}

/// The tokens of the first person's login.
pub(crate) async fn first_tokens(home: &Home) -> Tokens {
    let http = browser();
    let code = log_in(home, &http, "theoriginal").await.unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let answer = http.post(format!("{}/oauth2/token", home.issuer())).form(&form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let token = |name: &str| Secret::new(answer[name].as_str().unwrap_or_else(|| panic!("{answer}")));
    Tokens { access: token("access_token"), refresh: token("refresh_token") }
}

/// Numbers that look random and are the same each time.
fn shuffled(count: usize, below: u64) -> impl Iterator<Item = u64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below.max(1)
    })
}

/// Whoever is logged in: anybody that was loaded.
fn logins_of(loader: &Loader, count: usize) -> Vec<String> {
    if loader.loaded == 0 {
        return vec!["theoriginal".to_owned(); count];
    }
    shuffled(count, loader.loaded).map(|number| username(number + 1)).collect()
}

/// Whole logins, one after the other, each in a browser of its own.
pub(crate) async fn logins(home: &Home, loader: &Loader, count: usize) -> Latency {
    let mut all = Latency::default();
    for login in logins_of(loader, count) {
        let http = browser();
        let begin = Instant::now();
        log_in(home, &http, &login).await.unwrap();
        all.add(begin.elapsed());
    }
    all
}

/// The hash that each login computes, alone.
pub(crate) fn hash() -> Latency {
    let env = Env::system();
    let mut all = Latency::default();
    for _ in 0..20 {
        let begin = Instant::now();
        agamid_identity::password::hash_password(&env, PASSWORD).unwrap();
        all.add(begin.elapsed());
    }
    all
}

/// Access tokens of anybody, one after the other.
pub(crate) async fn introspections(home: &Home, loader: &Loader, count: usize) -> Latency {
    let http = browser();
    let url = format!("{}/oauth2/introspect", home.issuer());
    let mut all = Latency::default();
    for at in shuffled(count, loader.samples.len() as u64) {
        let sample = &loader.samples[usize::try_from(at).unwrap()];
        let ask = http.post(&url).basic_auth("api", Some(API_SECRET));
        let ask = ask.form(&[("token", sample.access_token.expose())]);
        let begin = Instant::now();
        let answer: Value = ask.send().await.unwrap().json().await.unwrap();
        all.add(begin.elapsed());
        assert_eq!(answer["active"], true, "{answer}");
        assert_eq!(answer["sub"], sample.person.id.as_str());
    }
    all
}

/// Kills the server while people log in; answers the one that is started after it.
pub(crate) async fn kill_under_load(home: &Home, loader: &Loader, node: Node) -> Node {
    let logins = logins_of(loader, 40);
    let (some, others) = logins.split_at(20);
    let work = async {
        for login in some.iter().chain(others) {
            if log_in(home, &browser(), login).await.is_err() {
                return;
            }
        }
    };
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        node.kill();
    };
    tokio::join!(work, kill);
    Node::start(home)
}

/// People by what they are found by, straight from the store.
pub(crate) async fn look_up(store: &Store, loader: &Loader, count: usize, figures: &mut Figures) {
    let organisation = &loader.samples[0].person.organisation;
    for at in shuffled(count, loader.samples.len() as u64) {
        let sample = &loader.samples[usize::try_from(at).unwrap()];
        let username = format!("{organisation}/{}", sample.person.username);
        let begin = Instant::now();
        let found = store.find::<Person>("username", &username).await.unwrap();
        figures.by_username.add(begin.elapsed());
        assert_eq!(found.len(), 1, "{}", sample.number);
        let mail = format!("{organisation}/{}", sample.person.email().unwrap());
        let begin = Instant::now();
        let found = store.find::<Person>("email", &mail).await.unwrap();
        figures.by_mail.add(begin.elapsed());
        assert_eq!(found.len(), 1);
        let begin = Instant::now();
        let found = store.get::<Person>(sample.person.id.as_str()).await.unwrap();
        figures.by_id.add(begin.elapsed());
        assert!(found.is_some());
        let begin = Instant::now();
        let found = store.find::<Session>("person", sample.person.id.as_str()).await.unwrap();
        figures.sessions.add(begin.elapsed());
        assert!(!found.is_empty());
    }
}

/// A commit of one record, again and again until `enough`.
async fn commits(store: &Store, loader: &Loader, mut enough: impl FnMut(usize) -> bool) -> Latency {
    let mut all = Latency::default();
    let mut done = 0;
    while !enough(done) {
        let person = &loader.samples[done % loader.samples.len()].person;
        let begin = Instant::now();
        store.commit(Batch::new().put(person, Expect::Any)).await.unwrap();
        all.add(begin.elapsed());
        done += 1;
    }
    all
}

/// What the removal of expired records costs, and what others notice of it.
pub(crate) async fn sweep(store: &Store, loader: &Loader, count: u64, figures: &mut Figures) {
    let count = count * 10;
    loader.expired(store, count).await;
    figures.commit_alone = commits(store, loader, |done| done >= 200).await;
    let begin = Instant::now();
    let sweeping = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut removed = 0;
            loop {
                let step = store.sweep(1_000).await.unwrap();
                removed += step;
                if step < 1_000 {
                    return removed;
                }
            }
        })
    };
    figures.commit_beside_sweep = commits(store, loader, |done| done > 0 && sweeping.is_finished()).await;
    let removed = sweeping.await.unwrap();
    assert!(removed as u64 >= count, "{removed} of {count}");
    figures.swept_per_second = removed as f64 / begin.elapsed().as_secs_f64();
}
