//! `cargo xtask bench`: figures of the running release binary on its durable store, beside the raw cost of the same
//! signatures and hashes in the same run. Medians of three; CPU time is the server's own, from `/proc`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measuring program: it stops where something is wrong, and time is what it measures"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agamid_core::jose::{SigningAlgorithm, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::Digest as _;

const PORT: u16 = 19_500;
const CONNECTIONS: usize = 16;
/// How long each figure is measured, three times.
const WHILE: Duration = Duration::from_secs(2);
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";

struct Server {
    child: Child,
    started_in: Duration,
}

impl Server {
    fn start(folder: &std::path::Path) -> Self {
        let binary = std::env::var("AGAMID_BIN").unwrap();
        let begin = Instant::now();
        let mut child = Command::new(binary)
            .args(["demo", "--no-open", "--port", &PORT.to_string(), "--data", folder.to_str().unwrap()])
            .env("AGAMID_LOG__LEVEL", "warn")
            .env("AGAMID_LOCK__OAUTH__REFRESH_GRACE", "0")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ready"))).unwrap().unwrap();
        Self { child, started_in: begin.elapsed() }
    }

    /// CPU time used so far, in microseconds (100 ticks a second).
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks * 10_000.0
    }

    /// Resident memory, in MiB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        self.child.wait().unwrap();
    }
}

fn issuer() -> String {
    format!("http://localhost:{PORT}")
}

fn redirect_uri() -> String {
    format!("http://127.0.0.1:{}/cb", PORT + 2)
}

fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    client.pool_max_idle_per_host(CONNECTIONS).build().unwrap()
}

/// Runs `one` on every connection for a while; answers operations a second and CPU microseconds an operation, the
/// median of three.
async fn measure<F, Fut>(server: &Server, one: F) -> (f64, f64)
where
    F: Fn(usize) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = ()> + Send,
{
    let mut rates = Vec::new();
    for _ in 0..3 {
        let done = Arc::new(AtomicUsize::new(0));
        let (begin, cpu) = (Instant::now(), server.cpu());
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|worker| {
                let (one, done) = (one.clone(), Arc::clone(&done));
                tokio::spawn(async move {
                    while begin.elapsed() < WHILE {
                        one(worker).await;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        let count = done.load(Ordering::Relaxed) as f64;
        rates.push((count / begin.elapsed().as_secs_f64(), (server.cpu() - cpu) / count));
    }
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    rates[1]
}

fn report(what: &str, (rate, cpu): (f64, f64)) {
    println!("{what:<44} {rate:>9.0} /s  {cpu:>8.1} us CPU");
}

/// How many a second one core makes.
fn raw(what: &str, mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < WHILE {
        work();
        count += 1;
    }
    let each = begin.elapsed().as_secs_f64() / f64::from(count);
    println!("{what:<44} {:>9.0} /s  {:>8.1} us CPU", 1.0 / each, each * 1e6);
    each * 1e6
}

async fn post(http: &reqwest::Client, path: &str, fields: &[(&str, &str)]) -> Value {
    let answer = http.post(format!("{}{path}", issuer())).form(fields).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned()
}

/// A registered service with JWT access tokens in an algorithm.
async fn service(http: &reqwest::Client, algorithm: &str, format: &str) -> (String, String) {
    let metadata = json!({
        "grant_types": ["client_credentials"], "response_types": [], "access_token_format": format,
        "id_token_signed_response_alg": algorithm, "token_endpoint_auth_method": "client_secret_post",
    });
    let made = http.post(format!("{}/oauth2/register", issuer())).json(&metadata).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    (text(&made, "client_id"), text(&made, "client_secret"))
}

fn authorize_url(prompt: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    let mut url = url::Url::parse(&format!("{}/oauth2/authorize", issuer())).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "demo-rp"),
        ("redirect_uri", &redirect_uri()),
        ("scope", "openid profile email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("prompt", prompt),
    ]);
    url.into()
}

fn cookies(answer: &reqwest::Response, known: &str) -> String {
    let mut all: Vec<String> = known.split("; ").filter(|c| !c.is_empty()).map(str::to_owned).collect();
    for set in answer.headers().get_all("set-cookie") {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let name = pair.split('=').next().unwrap().to_owned();
        all.retain(|cookie| !cookie.starts_with(&format!("{name}=")));
        all.push(pair);
    }
    all.join("; ")
}

fn location(answer: &reqwest::Response) -> String {
    let location = answer.headers()["location"].to_str().unwrap();
    if location.starts_with('/') { format!("{}{location}", issuer()) } else { location.to_owned() }
}

fn field(page: &str, marker: &str) -> String {
    page.split(marker).nth(1).unwrap().split('"').next().unwrap().replace("&#x2f;", "/")
}

/// A whole password login of alice, from the authorization request to the code; answers cookies and code.
async fn log_in(http: &reqwest::Client) -> (String, String) {
    let mut jar = String::new();
    let mut answer = http.get(authorize_url("login")).send().await.unwrap();
    for _ in 0..12 {
        jar = cookies(&answer, &jar);
        if answer.status() == 303 {
            let next = location(&answer);
            if let Some((_, code)) = next.split_once("code=") {
                return (jar, code.split('&').next().unwrap().to_owned());
            }
            answer = http.get(next).header("cookie", &jar).send().await.unwrap();
            continue;
        }
        let url = answer.url().clone();
        let page = answer.text().await.unwrap();
        let step = field(&page, "name=\"_step\" value=\"");
        let form: &[(&str, &str)] = if page.contains("name=\"password\"") {
            &[("_step", &step), ("login", "alice"), ("password", "demo-alice-123")]
        } else {
            &[("_step", &step), ("decision", "allow")]
        };
        let post = http.post(url).header("origin", issuer()).header("cookie", &jar).form(form);
        answer = post.send().await.unwrap();
    }
    panic!("the login does not end");
}

async fn redeem(http: &reqwest::Client, code: &str) -> Value {
    let redirect_uri = redirect_uri();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "demo-rp"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    post(http, "/oauth2/token", &fields).await
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path());
    println!("first start to ready: {} ms", first.started_in.as_millis());
    first.stop();
    let server = Server::start(folder.path());
    println!(
        "restart to ready: {} ms, idle memory {:.1} MiB",
        server.started_in.as_millis(),
        server.memory()
    );

    println!("\nraw, one core");
    let claims =
        json!({ "iss": issuer(), "sub": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "aud": "a", "exp": 1, "iat": 1 });
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        raw(&format!("sign {}", algorithm.name()), || drop(key.sign("JWT", &claims).unwrap()));
    }
    let env = agamid_core::Env::system();
    raw("argon2id", || drop(agamid_identity::password::hash_password(&env, "demo-alice-123").unwrap()));

    println!("\nserver, {CONNECTIONS} connections");
    let http = http();
    for (what, path) in [("discovery", "/.well-known/openid-configuration"), ("keys", "/oauth2/jwks")] {
        let (client, url) = (http.clone(), format!("{}{path}", issuer()));
        let one = move |_| {
            let request = client.get(&url).send();
            async move { drop(request.await.unwrap().bytes().await.unwrap()) }
        };
        report(what, measure(&server, one).await);
    }
    let mut token = String::new();
    for (algorithm, format) in [("RS256", "opaque"), ("RS256", "jwt"), ("ES256", "jwt"), ("EdDSA", "jwt")] {
        let (id, secret) = service(&http, algorithm, format).await;
        let client = http.clone();
        let fields = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", id.clone()),
            ("client_secret", secret.clone()),
        ];
        let url = format!("{}/oauth2/token", issuer());
        let first: Value = client.post(&url).form(&fields).send().await.unwrap().json().await.unwrap();
        if format == "opaque" {
            token = text(&first, "access_token");
        }
        let one = move |_| {
            let request = client.post(&url).form(&fields).send();
            async move {
                let answer = request.await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.bytes().await.unwrap();
            }
        };
        let name = if format == "jwt" { algorithm } else { "opaque" };
        report(&format!("client_credentials {name}"), measure(&server, one).await);
    }
    let (client, url) = (http.clone(), format!("{}/oauth2/introspect", issuer()));
    let one = move |_| {
        let request = client.post(&url).basic_auth("demo-service", Some("demo-service-secret-123"));
        let request = request.form(&[("token", &token)]).send();
        async move { assert!(request.await.unwrap().text().await.unwrap().contains("true")) }
    };
    report("introspection", measure(&server, one).await);

    let (jar, code) = log_in(&http).await;
    redeem(&http, &code).await;
    let mut chains = Vec::new();
    for _ in 0..CONNECTIONS {
        let answer = http.get(authorize_url("")).header("cookie", &jar).send().await.unwrap();
        let code = location(&answer).split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
        let tokens = redeem(&http, &code).await;
        chains.push(tokio::sync::Mutex::new(text(&tokens, "refresh_token")));
    }
    let (client, chains) = (http.clone(), Arc::new(chains));
    let one = move |worker: usize| {
        let (client, chains) = (client.clone(), Arc::clone(&chains));
        async move {
            let mut token = chains[worker].lock().await;
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", "demo-rp"),
                ("refresh_token", token.as_str()),
            ];
            let next = text(&post(&client, "/oauth2/token", &fields).await, "refresh_token");
            *token = next;
        }
    };
    report("refresh (rotation, ID token RS256)", measure(&server, one).await);
    let (client, session) = (http.clone(), jar.clone());
    let one = move |_| {
        let (client, session) = (client.clone(), session.clone());
        async move {
            let answer = client.get(authorize_url("")).header("cookie", session).send().await.unwrap();
            let code = location(&answer).split_once("code=").unwrap().1.split('&').next().unwrap().to_owned();
            redeem(&client, &code).await;
        }
    };
    report("code flow by session (2 requests)", measure(&server, one).await);
    let client = http.clone();
    let one = move |_| {
        let client = client.clone();
        async move { drop(log_in(&client).await) }
    };
    report("password login, to the code", measure(&server, one).await);
    println!("\nmemory after load: {:.1} MiB", server.memory());
    server.stop();
}
