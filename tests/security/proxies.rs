//! 34: who is believed about where a request comes from.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::support::browser::{Browser, Request};
use crate::support::server::{Server, free_ports};

const TRUSTED: (&str, &str) = ("AGAMID_PUBLIC__TRUSTED_PROXIES", "[\"127.0.0.1/32\",\"::1/128\"]");
/// Three failures from one address, and it waits for as long as the test takes.
const SHORT: [(&str, &str); 2] = [
    ("AGAMID_LOCK__IDENTITY__LOCKOUT__ADDRESS__FAILURES", "3"),
    ("AGAMID_LOCK__IDENTITY__LOCKOUT__ADDRESS__LOCK_SECONDS", "600"),
];

fn browser_at(server: &Server, forwarded: &str) -> Browser {
    let header = (HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(forwarded).unwrap());
    Browser::sending(server, HeaderMap::from_iter([header]))
}

/// Whether alice gets in with her password, in a browser that nobody knows.
async fn gets_in(server: &Server, browser: &Browser) -> bool {
    let form = browser.open(&Request::new(server).with("prompt", "login").url(server)).await.form();
    let page = browser.submit(&form.with("login", "alice").with("password", "demo-alice-123")).await;
    assert!(page.has("value=\"allow\"") || page.has("is wrong"), "{}", page.body);
    page.has("value=\"allow\"")
}

/// Three guesses at three accounts, so that only the address can be what is counted.
async fn guess(server: &Server, browsers: [&Browser; 3]) {
    for (n, browser) in browsers.into_iter().enumerate() {
        let form = browser.open(&Request::new(server).url(server)).await.form();
        let name = format!("nobody-{n}");
        let page = browser.submit(&form.with("login", &name).with("password", "guess")).await;
        assert!(page.has("is wrong"), "{}", page.body);
    }
}

/// The address that the log has for a path.
fn logged(server: &Server, path: &str) -> String {
    let log = server.log_text();
    let line = log.lines().rev().find(|line| line.contains("request.done") && line.contains(path));
    line.unwrap_or_else(|| panic!("{path} is not in the log:\n{log}")).to_owned()
}

#[tokio::test]
async fn a_trusted_proxy_says_who_asks_and_what_was_written_before_it_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::secure_on(folder.path(), free_ports(), &[TRUSTED]);
    let http = Browser::new(&server).http;
    for (n, (forwarded, address)) in [
        (vec!["203.0.113.7"], "203.0.113.7"),
        (vec!["2001:db8::7"], "2001:db8::7"),
        (vec!["198.51.100.1, 203.0.113.8"], "203.0.113.8"),
        (vec!["203.0.113.9,127.0.0.1"], "203.0.113.9"),
        (vec!["198.51.100.1", "203.0.113.10"], "203.0.113.10"),
        (vec!["nonsense, 203.0.113.11"], "203.0.113.11"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/from/{n}/end");
        let mut request = http.get(format!("{}{path}", server.issuer()));
        for value in &forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        assert_eq!(request.send().await.unwrap().status(), 404);
        let line = logged(&server, &path);
        let told = line.split("address").nth(1).unwrap_or_default();
        assert!(told.contains(address) && !told.contains("198.51.100.1"), "{forwarded:?}: {line}");
    }
}

#[tokio::test]
async fn an_address_that_a_trusted_proxy_can_not_spell_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::secure_on(folder.path(), free_ports(), &[TRUSTED]);
    let http = Browser::new(&server).http;
    let url = format!("{}/.well-known/openid-configuration", server.issuer());
    for bad in [
        "not an address",
        "unknown",
        "",
        "203.0.113.7,",
        "203.0.113.7, x",
        "203.0.113.7:443",
        "[2001:db8::7]",
        "203.0.113.256",
        "203.0.113.7;127.0.0.1",
        "\u{e4}",
    ] {
        let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
        let answer = http.get(&url).header("x-forwarded-for", value).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{bad:?}");
    }
    assert_eq!(http.get(&url).send().await.unwrap().status(), 200, "a proxy that asks for itself");
}

#[tokio::test]
async fn guesses_through_a_trusted_proxy_lock_out_their_address_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::secure_on(folder.path(), free_ports(), &[&[TRUSTED][..], &SHORT].concat());
    // One guesser, who writes other addresses before its own.
    let one = browser_at(&server, "203.0.113.7");
    let two = browser_at(&server, "198.51.100.1, 203.0.113.7");
    let three = browser_at(&server, "198.51.100.2, 203.0.113.7");
    guess(&server, [&one, &two, &three]).await;
    assert!(!gets_in(&server, &browser_at(&server, "203.0.113.7")).await, "the address waits");
    assert!(!gets_in(&server, &browser_at(&server, "198.51.100.3, 203.0.113.7")).await);
    assert!(gets_in(&server, &browser_at(&server, "203.0.113.8")).await, "its neighbour does not");
    assert!(gets_in(&server, &browser_at(&server, "198.51.100.1")).await, "nor one that was only named");
    assert!(gets_in(&server, &Browser::new(&server)).await, "nor the proxy");
}

#[tokio::test]
async fn a_stranger_can_not_write_itself_another_address() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::secure_on(folder.path(), free_ports(), &SHORT);
    let (one, two, three) = (
        browser_at(&server, "203.0.113.1"),
        browser_at(&server, "203.0.113.2"),
        browser_at(&server, "not an address"),
    );
    guess(&server, [&one, &two, &three]).await;
    assert!(!gets_in(&server, &browser_at(&server, "203.0.113.4")).await, "all came from one address");
    assert!(!gets_in(&server, &Browser::new(&server)).await);
    assert!(!server.log_text().contains("203.0.113."));
}

#[tokio::test]
async fn no_other_forwarding_header_changes_anything_not_even_from_a_trusted_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::secure_on(folder.path(), free_ports(), &[TRUSTED]);
    let http = Browser::new(&server).http;
    let url = format!("{}/.well-known/openid-configuration", server.issuer());
    let plain = http.get(&url).send().await.unwrap().text().await.unwrap();
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-server", "evil.example"),
        ("x-host", "evil.example"),
        ("forwarded", "for=198.51.100.9;host=evil.example;proto=http"),
        ("forwarded", "nonsense"),
        ("x-real-ip", "198.51.100.9"),
        ("x-client-ip", "198.51.100.9"),
        ("true-client-ip", "198.51.100.9"),
        ("cf-connecting-ip", "198.51.100.9"),
        ("x-original-url", "/config/v1/projects"),
        ("x-rewrite-url", "/config/v1/projects"),
        ("x-http-method-override", "DELETE"),
    ] {
        let answer = http.get(&url).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}: {value}");
        assert_eq!(answer.text().await.unwrap(), plain, "{name}: {value}");
        let browser = Browser::sending(
            &server,
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]),
        );
        let page = browser.open(&Request::new(&server).url(&server)).await;
        assert!(page.has("name=\"password\"") && !page.has("evil"), "{name}: {}", page.body);
        assert_eq!(page.url.origin().ascii_serialization(), server.issuer());
    }
    let log = server.log_text();
    assert!(!log.contains("198.51.100.9") && !log.contains("evil"), "{log}");
}
