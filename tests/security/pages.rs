//! 31 to 34: cookies, headers, scripts in inputs, foreign host names.

use crate::support::browser::{Browser, Request};
use crate::support::server::Server;

#[tokio::test]
async fn every_page_has_the_headers_that_protect_it() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let page = browser.open(&Request::new(&server).url(&server)).await;
    let error = browser.open(&Request::new(&server).with("client_id", "nobody").url(&server)).await;
    let missing = browser.open(&format!("{}/nothing/here", server.issuer())).await;
    for shown in [&page, &error, &missing] {
        let header = |name: &str| shown.headers.get(name).map_or("", |value| value.to_str().unwrap());
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{}: {policy}", shown.url);
        assert!(!policy.contains("unsafe-inline") && !policy.contains('*'), "{}: {policy}", shown.url);
        assert_eq!(header("x-content-type-options"), "nosniff", "{}", shown.url);
        assert_eq!(header("referrer-policy"), "same-origin", "{}", shown.url);
        assert_eq!(header("cache-control"), "no-store", "{}", shown.url);
        assert!(header("strict-transport-security").starts_with("max-age="), "{}", shown.url);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains(&format!("form-action 'self' {};", server.relying_party())), "{policy}");
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let first = browser.get(&Request::new(&server).url(&server)).await;
    let cookies: Vec<_> = first.headers.get_all("set-cookie").iter().collect();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

#[tokio::test]
async fn markup_in_any_input_is_inert() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let markup = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'";
    let request = ["login_hint", "state", "nonce", "ui_locales", "scope"].iter().fold(
        Request::new(&server),
        |request, name| match *name {
            "scope" => request.with("scope", &format!("openid {markup}")),
            name => request.with(name, markup),
        },
    );
    let page = browser.open(&request.url(&server)).await;
    assert!(page.has("name=\"password\""), "{}", page.body);
    assert!(page.has("alert(1)"), "the hint is shown, as text");
    let wrong = browser.submit(&page.form().with("login", markup).with("password", markup)).await;
    for shown in [&page, &wrong] {
        assert!(!shown.has("<script>alert") && !shown.has("<img src=x"), "{}", shown.body);
    }
    let error = Request::new(&server).with("client_id", markup).url(&server);
    assert!(!browser.open(&error).await.has("<script>alert"));
    let end = browser.submit(&wrong.form().with("login", "alice").with("password", "demo-alice-123")).await;
    let end = browser.submit(&end.form().with("decision", "allow")).await;
    assert_eq!(end.parameter("state").as_deref(), Some(markup), "and the state comes back as it was");
}

#[tokio::test]
async fn host_and_forwarding_headers_of_strangers_change_nothing() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let url = format!("{}/.well-known/openid-configuration", server.issuer());
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-for", "not an address"),
        ("x-original-url", "/config/v1/projects"),
    ] {
        let answer = browser.http.get(&url).header(name, value).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status == 200 || status == 400, "{name}: {status}");
        assert!(!text.contains("evil.example"), "{name}: {text}");
    }
    // The demo sends a visitor of another name to its own.
    let at_address = browser.get(&url.replace("localhost", "127.0.0.1")).await;
    assert_eq!(at_address.location().unwrap().as_str(), url);
}
