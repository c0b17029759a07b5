//! Hot reload of the running demo: what is saved goes live, what is broken does not, what began goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::browser::{Browser, Request, Shown, client};
use crate::support::server::{Server, free_ports, root};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn overlay_is_shown(page: &Shown) -> bool {
    let overlay = page.body.split("id=\"overlay\"").nth(1).unwrap();
    !overlay.split('>').next().unwrap().contains("hidden")
}

struct Workshop {
    server: Server,
    flows: PathBuf,
    plugins: PathBuf,
    _folder: tempfile::TempDir,
}

impl Workshop {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (flows, plugins) = (folder.path().join("flows"), folder.path().join("plugins"));
        copy(&root().join("flows"), &flows);
        copy(&root().join("plugins/dist"), &plugins);
        let more = ["--flows", flows.to_str().unwrap(), "--plugins", plugins.to_str().unwrap()];
        let server = Server::demo_on(folder.path(), free_ports(), &more);
        Self { server, flows, plugins, _folder: folder }
    }

    fn flow(&self) -> PathBuf {
        self.flows.join("demo/code/demo.password.flow")
    }

    /// Waits for a line of the log that has all of this.
    async fn log_has(&self, parts: &[&str]) {
        for _ in 0..100 {
            let log = self.server.log_text();
            if log.lines().any(|line| parts.iter().all(|part| line.contains(part))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the log has no line with {parts:?}:\n{}", self.server.log_text());
    }

    async fn wrong_password(&self, browser: &Browser, page: &Shown) -> Shown {
        browser.submit(&page.form().with("login", "alice").with("password", "wrong")).await
    }
}

#[tokio::test]
async fn a_saved_flow_is_live_and_a_login_that_began_before_finishes_on_its_revision() {
    let workshop = Workshop::open();
    let (server, browser) = (&workshop.server, Browser::new(&workshop.server));
    let url = Request::new(server).url(server);
    let before = browser.open(&url).await;
    let text = std::fs::read_to_string(workshop.flow()).unwrap();
    std::fs::write(workshop.flow(), text.replace("Username or password is wrong.", "No, sorry.")).unwrap();
    let mut fresh = None;
    for _ in 0..100 {
        let page = browser.open(&url).await;
        let told = workshop.wrong_password(&browser, &page).await;
        if told.has("No, sorry.") {
            fresh = Some(told);
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(fresh.is_some(), "the saved flow did not go live");
    let told = workshop.wrong_password(&browser, &before).await;
    assert!(told.has("Username or password is wrong."), "{}", told.body);
}

#[tokio::test]
async fn broken_files_are_refused_with_their_place_while_the_old_ones_serve() {
    let workshop = Workshop::open();
    let (server, browser) = (&workshop.server, Browser::new(&workshop.server));
    let url = Request::new(server).url(server);
    let text = std::fs::read_to_string(workshop.flow()).unwrap();
    let template = workshop.flows.join("demo/web/demo/password.html");
    let page = std::fs::read_to_string(&template).unwrap();

    for (broken, place) in [
        (text.replace("Finish false", "Finish 3 + 4"), "demo.password.flow:"),
        (text.replace("password.html", "nowhere.html"), "nowhere.html"),
        (text.replace("agamid.password#verify", "acme.nothing#verify"), "acme.nothing"),
        ("Flow demo.password\n    Basepath \"demo\"\n\u{0}\u{feff}(((\n".to_owned(), "demo.password.flow:"),
    ] {
        std::fs::write(workshop.flow(), broken).unwrap();
        workshop.log_has(&["project.refused", place]).await;
        assert!(browser.open(&url).await.has("name=\"password\""));
        assert!(overlay_is_shown(&browser.open(&url).await), "the page says so");
    }
    std::fs::write(workshop.flow(), &text).unwrap();
    std::fs::write(&template, page.replace("{% endblock %}", "{% endblok %}")).unwrap();
    workshop.log_has(&["project.refused", "password.html:"]).await;
    assert!(browser.open(&url).await.has("name=\"password\""));
    std::fs::remove_file(&template).unwrap();
    workshop.log_has(&["project.refused", "password.html", "no template"]).await;
    assert!(browser.open(&url).await.has("name=\"password\""));
    std::fs::write(&template, page).unwrap();
    for _ in 0..100 {
        if !overlay_is_shown(&browser.open(&url).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the mended project did not go live");
}

#[tokio::test]
async fn a_rebuilt_plugin_goes_live_and_a_broken_one_does_not() {
    let workshop = Workshop::open();
    let (server, browser) = (&workshop.server, Browser::new(&workshop.server));
    let file = workshop.plugins.join("totp.wasm");
    let component = std::fs::read(&file).unwrap();

    std::fs::write(&file, b"no component at all").unwrap();
    workshop.log_has(&["plugin.refused", "totp.wasm"]).await;
    let request = Request::new(server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&request.url(server)).await;
    assert!(overlay_is_shown(&page) && page.has("totp.wasm"), "the page says so: {}", page.body);
    let setup = browser.submit(&page.form().with("login", "bob").with("password", "demo-bob-123")).await;
    assert!(setup.has("id=\"key\""), "the old one serves: {}", setup.body);

    // The same component with one more custom section is another file with the same interface.
    let mut rebuilt = component;
    rebuilt.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    std::fs::write(&file, rebuilt).unwrap();
    workshop.log_has(&["plugins.adopted"]).await;
    let page = browser.open(&request.url(server)).await;
    assert!(!overlay_is_shown(&page), "mended");
    // What began with the old one finishes with it.
    let key = setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned();
    let digits = crate::support::totp::now(&key);
    let next = browser.submit(&setup.form().with("code", &digits)).await;
    assert!(next.has("value=\"allow\""), "{}", next.body);
}

/// Reloads under load.
const RELOADS: usize = 100;
/// Requests a second.
const RATE: u64 = 200;

/// Opens sign-in pages at the rate, each in a browser of its own; answers how many were shown. Any failure panics.
async fn visit_until(server: &Server, stop: Arc<AtomicBool>) -> usize {
    let url = Request::new(server).url(server);
    let issuer = server.issuer();
    let http = client(server).build().unwrap();
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    let mut visits = tokio::task::JoinSet::new();
    let mut shown = 0;
    while !stop.load(Ordering::SeqCst) {
        ticks.tick().await;
        // Two requests each: the authorization request, and the page it leads to.
        ticks.tick().await;
        let (url, issuer, http) = (url.clone(), issuer.clone(), http.clone());
        visits.spawn(async move {
            let first = http.get(url).send().await.unwrap();
            assert_eq!(first.status(), 303);
            let next = format!("{issuer}{}", first.headers()["location"].to_str().unwrap());
            let cookie =
                first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
            let page = http.get(next).header("cookie", cookie).send().await.unwrap();
            assert_eq!(page.status(), 200);
            assert!(page.text().await.unwrap().contains("name=\"password\""));
        });
        while let Some(done) = visits.try_join_next() {
            done.unwrap();
            shown += 1;
        }
    }
    while let Some(done) = visits.join_next().await {
        done.unwrap();
        shown += 1;
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_reloads_of_flows_templates_and_plugins_under_load_fail_no_request() {
    let workshop = Workshop::open();
    let server = &workshop.server;
    let flow = std::fs::read_to_string(workshop.flow()).unwrap();
    let template_file = workshop.flows.join("demo/web/demo/password.html");
    let template = std::fs::read_to_string(&template_file).unwrap();
    let plugin_file = workshop.plugins.join("totp.wasm");
    let plugin = std::fs::read(&plugin_file).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut half_way = Vec::new();

    let reloading = async {
        for n in 0..RELOADS {
            let broken = n % 10 == 5;
            match n % 3 {
                0 => {
                    let told = format!("Version {n}.");
                    let text = flow.replace("Username or password is wrong.", &told);
                    let text = if broken { text.replace("Finish false", "Finish 3 + 4") } else { text };
                    std::fs::write(workshop.flow(), text).unwrap();
                }
                1 => {
                    let text = template
                        .replace("{% endblock %}", if broken { "{% endblok %}" } else { "{% endblock %}" });
                    std::fs::write(&template_file, format!("{text}{{# {n} #}}")).unwrap();
                }
                _ => {
                    let mut bytes = if broken { Vec::new() } else { plugin.clone() };
                    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', u8::try_from(n).unwrap()]);
                    std::fs::write(&plugin_file, bytes).unwrap();
                }
            }
            if n % 20 == 7 {
                let browser = Browser::new(server);
                let page = browser.open(&Request::new(server).url(server)).await;
                half_way.push((browser, page));
            }
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
        std::fs::write(workshop.flow(), flow.replace("Username or password is wrong.", "The last version."))
            .unwrap();
        std::fs::write(&template_file, &template).unwrap();
        std::fs::write(&plugin_file, &plugin).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.store(true, Ordering::SeqCst);
    };
    let (shown, ()) = tokio::join!(visit_until(server, Arc::clone(&stop)), reloading);
    assert!(shown > 500, "{shown}");

    for (browser, page) in half_way {
        let told = workshop.wrong_password(&browser, &page).await;
        assert!(told.has("Version ") || told.has("Username or password is wrong."), "its own version");
        assert!(!told.has("The last version."));
        let end = browser.submit(&told.form().with("login", "bob").with("password", "demo-bob-123")).await;
        assert!(end.has("value=\"allow\"") || end.parameter("code").is_some(), "{}", end.body);
    }
    let browser = Browser::new(server);
    let page = browser.open(&Request::new(server).url(server)).await;
    assert!(workshop.wrong_password(&browser, &page).await.has("The last version."));
    assert!(!overlay_is_shown(&browser.open(&Request::new(server).url(server)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_plugins_spin_and_trap_others_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let (flows, plugins) = (folder.path().join("flows"), folder.path().join("plugins"));
    copy(&root().join("flows"), &flows);
    copy(&root().join("plugins/dist"), &plugins);
    crate::support::guest::install(&flows, &plugins);
    let more = ["--flows", flows.to_str().unwrap(), "--plugins", plugins.to_str().unwrap()];
    let server = Server::demo_on(folder.path(), free_ports(), &more);
    let stop = AtomicBool::new(false);
    let hostile = async |flow: &str| {
        let url = Request::new(&server).with("acr_values", &format!("agama_bench.{flow}")).url(&server);
        let mut runs = 0;
        while !stop.load(Ordering::SeqCst) {
            let page = Browser::new(&server).open(&url).await;
            assert!(page.status == 200 && page.has("_step"), "the flow catches it: {}", page.body);
            runs += 1;
        }
        runs
    };
    let logins = async {
        for person in ["alice", "bob", "admin", "alice", "bob", "admin"] {
            let browser = Browser::new(&server);
            let tokens = browser.tokens(&server, &Request::new(&server), person).await;
            assert!(tokens["access_token"].is_string());
        }
        // One that needs a plugin itself.
        let browser = Browser::new(&server);
        let totp = Request::new(&server).with("acr_values", "agama_demo.totp");
        let page = browser.open(&totp.url(&server)).await;
        let setup = browser.submit(&page.form().with("login", "bob").with("password", "demo-bob-123")).await;
        let key = setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned();
        let done = browser.submit(&setup.form().with("code", &crate::support::totp::now(&key))).await;
        assert!(done.has("value=\"allow\"") || done.parameter("code").is_some(), "{}", done.body);
        stop.store(true, Ordering::SeqCst);
    };
    let (spun, spun_too, trapped, ()) =
        tokio::join!(hostile("spin"), hostile("spin"), hostile("trap"), logins);
    assert!(spun + spun_too > 1 && trapped > 1, "{spun} {spun_too} {trapped}");
    let log = server.log_text();
    assert!(log.contains("ran longer than 250 ms") && log.contains("stopped with an error"), "{log}");
}
