use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use tower::ServiceExt as _;

use super::*;

fn web(issuer: &str) -> Web {
    let config = WebConfig {
        issuer: issuer.parse().unwrap(),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        dev: false,
        gathers_hosts: false,
    };
    Web::new(config, Env::system()).unwrap()
}

fn app(web: &Web) -> Router {
    async fn page(visit: Visit) -> String {
        visit.address.to_string()
    }
    async fn panics() -> &'static str {
        panic!("on purpose")
    }
    async fn body(body: String) -> String {
        body
    }
    web.layer(
        Router::new()
            .route("/", get(page))
            .route("/panic", get(panics))
            .route("/body", post(body))
            .merge(web.assets()),
    )
}

async fn send(web: &Web, request: Request<Body>) -> Response {
    app(web).oneshot(request).await.unwrap()
}

fn get_request(path: &str) -> Request<Body> {
    Request::get(path).header("host", "id.example").body(Body::empty()).unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[test]
fn the_issuer_is_https_or_loopback_and_a_bare_origin() {
    let ok = |issuer: &str| {
        let config = WebConfig {
            issuer: issuer.parse().unwrap(),
            trusted_proxies: Vec::new(),
            dev: false,
            gathers_hosts: false,
        };
        Web::new(config, Env::system()).is_ok()
    };
    for good in [
        "https://id.example",
        "https://id.example:8443",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://[::1]:1",
    ] {
        assert!(ok(good), "{good}");
    }
    for bad in [
        "http://id.example",
        "https://id.example/path",
        "https://id.example?x",
        "https://u@id.example",
        "ftp://id.example",
    ] {
        assert!(!ok(bad), "{bad}");
    }
}

#[test]
fn cookies_have_prefix_and_flags_on_https_and_neither_prefix_nor_secure_on_loopback() {
    let set = web("https://id.example").set_cookie(Cookie::Session, "v", None);
    assert_eq!(set, "__Host-agamid_session=v; Path=/; HttpOnly; SameSite=Lax; Secure");
    let set = web("http://localhost:1").set_cookie(Cookie::Browser, "v", None);
    assert_eq!(set, "agamid_browser=v; Path=/; HttpOnly; SameSite=Lax");
}

#[test]
fn malformed_and_contradicting_cookies_are_no_cookies() {
    let web = web("https://id.example");
    let read = |cookie: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        web.read_cookie(&headers, Cookie::Session)
    };
    assert_eq!(read("a=b; __Host-agamid_session=v"), Some("v".to_owned()));
    assert_eq!(read("__Host-agamid_session=v; __Host-agamid_session=w"), None);
    assert_eq!(read("agamid_session=v"), None, "without the prefix another subdomain could set it");
    assert_eq!(read("__Host-agamid_session"), None);
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, "__Host-agamid_browser=agbr_nonsense".parse().unwrap());
    assert!(web.browser(&headers).set.is_some(), "a value that we did not make is not adopted");
}

#[test]
fn forms_must_come_from_our_own_pages() {
    let web = web("https://id.example");
    let check = |origin: Option<&str>, site: Option<&str>| {
        let mut headers = HeaderMap::new();
        origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().unwrap()));
        site.map(|site| headers.insert("sec-fetch-site", site.parse().unwrap()));
        web.check_origin(&headers).is_ok()
    };
    assert!(check(Some("https://id.example"), None));
    assert!(check(Some("https://id.example"), Some("same-origin")));
    for (origin, site) in [
        (None, None),
        (None, Some("same-origin")),
        (Some("null"), None),
        (Some("https://evil.example"), None),
        (Some("https://id.example.evil.example"), None),
        (Some("http://id.example"), None),
        (Some("https://id.example"), Some("same-site")),
        (Some("https://id.example"), Some("cross-site")),
    ] {
        assert!(!check(origin, site), "{origin:?} {site:?}");
    }
}

#[tokio::test]
async fn security_headers_are_on_every_answer_also_on_errors_and_after_a_panic() {
    let web = web("https://id.example");
    for (path, status) in [("/", 200), ("/nothing", 404), ("/panic", 500)] {
        let response = send(&web, get_request(path)).await;
        assert_eq!(response.status().as_u16(), status);
        let headers = response.headers();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"), "{policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::REFERRER_POLICY], "same-origin");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        let id = headers["x-request-id"].to_str().unwrap().to_owned();
        if status >= 400 {
            assert!(text(response).await.contains(&id), "the page shows the reference");
        }
    }
}

#[tokio::test]
async fn oversized_and_compressed_requests_and_foreign_hosts_are_refused() {
    let web = web("https://id.example");
    let status = |request: Request<Body>| async { send(&web, request).await.status().as_u16() };
    assert_eq!(status(get_request(&format!("/?{}", "a".repeat(9000)))).await, 414);
    let big =
        Request::post("/body").header("host", "id.example").body(Body::from("a".repeat(2 << 20))).unwrap();
    assert_eq!(status(big).await, 413);
    let mut big = get_request("/");
    big.headers_mut().insert("x-big", "a".repeat(17 * 1024).parse().unwrap());
    assert_eq!(status(big).await, 431);
    let mut compressed = get_request("/");
    compressed.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    assert_eq!(status(compressed).await, 415);
    assert_eq!(
        status(Request::get("/").header("host", "evil.example").body(Body::empty()).unwrap()).await,
        421
    );
}

#[tokio::test]
async fn the_client_address_comes_from_trusted_proxies_only() {
    use axum::extract::ConnectInfo;
    use std::net::SocketAddr;
    let web = web("https://id.example");
    for (peer, forwarded, expected) in [
        ("203.0.113.9:1", Some("198.51.100.1"), "203.0.113.9"),
        ("10.0.0.1:1", Some("198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1:1", Some("198.51.100.1, 198.51.100.2, 10.0.0.7"), "198.51.100.2"),
        ("10.0.0.1:1", None, "10.0.0.1"),
    ] {
        let mut request = get_request("/");
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        forwarded.map(|value| request.headers_mut().insert("x-forwarded-for", value.parse().unwrap()));
        assert_eq!(text(send(&web, request).await).await, expected);
    }
    let mut request = get_request("/");
    request.extensions_mut().insert(ConnectInfo("10.0.0.1:1".parse::<SocketAddr>().unwrap()));
    request.headers_mut().insert("x-forwarded-for", "nonsense".parse().unwrap());
    assert_eq!(send(&web, request).await.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn what_people_send_is_inert_on_pages() {
    let web = web("https://id.example");
    let visit = Visit {
        request_id: "id".to_owned(),
        address: "127.0.0.1".parse().unwrap(),
        nonce: "n".to_owned(),
        locales: Vec::new(),
    };
    let environment = web.environment();
    let page = Page {
        environment: &environment,
        template: "agamid/error.html",
        context: serde_json::json!({ "message": "<script>alert(1)</script>", "heading": "\"'><b>", "reference": "r" }),
        status: StatusCode::OK,
        form_action: &[],
        overlay: None,
    };
    let html = web.render(&visit, &page).unwrap();
    assert!(!html.contains("<script>alert") && !html.contains("'><b>"), "{html}");
}

#[test]
fn an_origin_that_could_change_the_policy_is_left_out() {
    let web = web("https://id.example");
    let policy = web.page_policy("n", &["https://rp.example".to_owned(), "x; script-src *".to_owned()]);
    let policy = policy.to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://rp.example;") && !policy.contains('*'), "{policy}");
}

#[test]
fn a_broken_template_is_named_with_its_line() {
    let web = web("https://id.example");
    let mut environment = web.environment();
    let error = environment.add_template("x.html", "ok\n{{ 1 + }}").unwrap_err();
    let error = page::describe("x.html", &error);
    assert_eq!((error.template.as_str(), error.line), ("x.html", Some(2)));
}
