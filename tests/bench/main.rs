//! `cargo xtask bench`: figures of the running release binary on its durable store, beside the raw cost of the same
//! signatures and hashes in the same run. Best of three; CPU time is the server's own, from `/proc`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a measuring program: it stops where something is wrong, and time is what it measures"
)]

#[path = "../support/guest.rs"]
mod guest;
mod journey;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agamid_core::jose::{SigningAlgorithm, SigningKey};
use agamid_store::testing::PrivatePostgres;
use serde_json::{Value, json};

const PORT: u16 = 19_500;
const CONNECTIONS: usize = 16;
/// How long each figure is measured, three times.
const WHILE: Duration = Duration::from_secs(2);

struct Server {
    child: Child,
    started_in: Duration,
}

impl Server {
    /// On its embedded store, or on a database.
    fn start(folder: &std::path::Path, database: Option<&str>) -> Self {
        let (flows, plugins) = (folder.join("flows"), folder.join("plugins"));
        std::fs::create_dir_all(&plugins).unwrap();
        guest::install(&flows, &plugins);
        let binary = std::env::var("AGAMID_BIN").unwrap();
        let begin = Instant::now();
        let mut child = Command::new(binary)
            .args(["demo", "--no-open", "--port", &PORT.to_string(), "--data", folder.to_str().unwrap()])
            .args(["--flows", flows.to_str().unwrap(), "--plugins", plugins.to_str().unwrap()])
            .envs(database.map(|url| ("AGAMID_STORE__URL", url)))
            .env("AGAMID_LOG__LEVEL", "error")
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

/// Runs `one` on every connection for a while; answers operations a second and CPU microseconds an operation, the best
/// of three.
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
    rates[2]
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

/// How many a second all cores make together: where two of them share one core's units, this is less than twice one.
fn raw_together(what: &str, work: impl Fn() + Sync) -> f64 {
    let cores = std::thread::available_parallelism().unwrap().get();
    let (begin, done) = (Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while begin.elapsed() < WHILE {
                    work();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let rate = done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64();
    let each = 1e6 * cores as f64 / rate;
    println!("{:<44} {rate:>9.0} /s  {each:>8.1} us CPU", format!("{what}, {cores} cores together"));
    rate
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

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path(), None);
    println!("first start to ready: {} ms", first.started_in.as_millis());
    first.stop();
    let server = Server::start(folder.path(), None);
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
    let key = SigningKey::generate(SigningAlgorithm::Rs256).unwrap();
    raw_together("sign RS256", || drop(key.sign("JWT", &claims).unwrap()));
    let env = agamid_core::Env::system();
    let hashes = raw_together("argon2id", || {
        drop(agamid_identity::password::hash_password(&env, "demo-alice-123").unwrap());
    });

    println!("\nserver, {CONNECTIONS} connections, embedded store");
    serve(&server, &http(), hashes).await;
    beside_a_spinning_plugin(&http()).await;
    server.stop();
    on_postgres(hashes).await;
}

/// The same on a PostgreSQL beside it, which syncs.
async fn on_postgres(hashes: f64) {
    let database = match PrivatePostgres::start(true) {
        Ok(database) => database,
        Err(reason) => return println!("\nno figures on PostgreSQL: {reason}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), Some(&database.database().unwrap()));
    println!("\nserver, {CONNECTIONS} connections, PostgreSQL on the same cores");
    serve(&server, &http(), hashes).await;
    server.stop();
}

/// How many of the reads of cached records found one, in percent.
async fn hit_rate(http: &reqwest::Client) -> f64 {
    let url = format!("http://127.0.0.1:{}/metrics", PORT + 1);
    let metrics = http.get(url).send().await.unwrap().text().await.unwrap();
    let count = |result: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with("agamid_store_cache_reads_total"));
        let lines = lines.filter(|line| line.contains(result));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    100.0 * count("\"hit\"") / (count("\"hit\"") + count("\"miss\"")).max(1.0)
}

/// The figures of one server under load.
async fn serve(server: &Server, http: &reqwest::Client, hashes: f64) {
    for (what, path) in [("discovery", "/.well-known/openid-configuration"), ("keys", "/oauth2/jwks")] {
        let (client, url) = (http.clone(), format!("{}{path}", issuer()));
        let one = move |_| {
            let request = client.get(&url).send();
            async move { drop(request.await.unwrap().bytes().await.unwrap()) }
        };
        report(what, measure(server, one).await);
    }
    let mut token = String::new();
    for (algorithm, format) in [("RS256", "opaque"), ("RS256", "jwt"), ("ES256", "jwt"), ("EdDSA", "jwt")] {
        let (id, secret) = service(http, algorithm, format).await;
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
        report(&format!("client_credentials {name}"), measure(server, one).await);
    }
    let (client, url) = (http.clone(), format!("{}/oauth2/introspect", issuer()));
    let one = move |_| {
        let request = client.post(&url).basic_auth("demo-service", Some("demo-service-secret-123"));
        let request = request.form(&[("token", &token)]).send();
        async move { assert!(request.await.unwrap().text().await.unwrap().contains("true")) }
    };
    report("introspection", measure(server, one).await);

    let mut sessions = Vec::new();
    for _ in 0..CONNECTIONS {
        let (session, code) = journey::log_in(http).await;
        journey::redeem(http, &code).await;
        sessions.push(session);
    }
    let sessions = Arc::new(sessions);
    let mut chains = Vec::new();
    for session in sessions.iter() {
        let tokens = journey::by_session(http, session).await;
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
    report("refresh (rotation, ID token RS256)", measure(server, one).await);
    let (client, known) = (http.clone(), Arc::clone(&sessions));
    let one = move |worker: usize| {
        let (client, known) = (client.clone(), Arc::clone(&known));
        async move { drop(journey::by_session(&client, &known[worker]).await) }
    };
    report("code flow by session (2 requests)", measure(server, one).await);
    let (client, known) = (http.clone(), Arc::clone(&sessions));
    let one = move |worker: usize| {
        let (client, known) = (client.clone(), Arc::clone(&known));
        async move { journey::full(&client, &known[worker]).await }
    };
    let (flows, cpu) = measure(server, one).await;
    report("full code flow (8 requests, 2 x RS256)", (flows, cpu));
    report("  of these, requests", (flows * 8.0, cpu / 8.0));
    let client = http.clone();
    let one = move |_| {
        let client = client.clone();
        async move { drop(journey::log_in(&client).await) }
    };
    let (logins, cpu) = measure(server, one).await;
    report("password login, to the code (4 requests)", (logins, cpu));
    println!("  beside raw argon2id on all cores: {:.0} %", 100.0 * logins / hashes);
    println!("memory after load: {:.1} MiB", server.memory());
    println!("reads of cached records that found one: {:.2} %", hit_rate(http).await);
}

/// How long logins take while nothing else happens, and while four callers keep a plugin spinning.
async fn beside_a_spinning_plugin(http: &reqwest::Client) {
    println!("\npassword logins, one after another, in ms");
    let alone = latencies(http).await;
    let stop = Arc::new(AtomicBool::new(false));
    let spinners: Vec<_> = (0..4)
        .map(|_| {
            let (http, stop) = (http.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let spun = http.get(journey::authorize_url("login", "agama_bench.spin")).send().await;
                    assert_eq!(spun.unwrap().status(), 303, "the flow goes on when its plugin is stopped");
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let beside = latencies(http).await;
    stop.store(true, Ordering::Relaxed);
    for spinner in spinners {
        spinner.await.unwrap();
    }
    for (what, [p50, p99]) in [("alone", alone), ("beside a spinning plugin", beside)] {
        println!("{what:<44} p50 {p50:>6.1}   p99 {p99:>6.1}");
    }
    println!("{:<44} p50 {:>6.2}   p99 {:>6.2}", "  ratio", beside[0] / alone[0], beside[1] / alone[1]);
}

/// The median and the 99th percentile of two hundred logins, in milliseconds.
async fn latencies(http: &reqwest::Client) -> [f64; 2] {
    let mut all = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        journey::log_in(http).await;
        all.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    all.sort_by(f64::total_cmp);
    [all[100], all[198]]
}
