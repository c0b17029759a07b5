//! 31, 33, 34: cookies, scripts in inputs, foreign host names.

use serde_json::{Value, json};

use crate::support::browser::{Browser, Request, Shown, text};
use crate::support::project::deploy;
use crate::support::server::Server;

/// Ends an attribute of either quote, begins elements, and is a template too.
const MARKUP: &str = "'\"></title><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 191 }}";

/// The page has nothing of [`MARKUP`] but its text.
fn assert_inert(what: &str, shown: &Shown) {
    for live in ["<script>alert", "<img src=x", "></title><script", "1337"] {
        assert!(!shown.has(live), "{what}: {live}\n{}", shown.body);
    }
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

async fn register(browser: &Browser, server: &Server, metadata: &Value) -> (u16, Value) {
    let answer = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(metadata);
    let answer = answer.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn markup_in_what_a_client_says_of_itself_is_inert_on_every_page_that_names_it() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let link = format!("https://rp.example/{MARKUP}");
    let metadata = json!({
        "client_name": MARKUP, "redirect_uris": [format!("{}/cb", server.relying_party())],
        "client_uri": link, "logo_uri": link, "policy_uri": link, "tos_uri": link, "contacts": [MARKUP],
        "post_logout_redirect_uris": [format!("{}/", server.relying_party())],
    });
    let (status, made) = register(&browser, &server, &metadata).await;
    assert_eq!(status, 201, "{made}");
    let client = text(&made, "client_id");
    let request = Request::new(&server).with("client_id", &client);
    let sign_in = browser.open(&request.url(&server)).await;
    let form = sign_in.form().with("login", "alice").with("password", "demo-alice-123");
    let consent = browser.submit(&form).await;
    assert!(consent.has("value=\"allow\""), "{}", consent.body);
    browser.submit(&consent.form().with("decision", "allow")).await;
    let select = Request::new(&server).with("client_id", &client).with("prompt", "select_account");
    let select = browser.open(&select.url(&server)).await;
    assert!(select.has("Choose an account"), "{}", select.body);
    let logout = browser.open(&format!("{}/oauth2/end_session?client_id={client}", server.issuer())).await;
    assert!(logout.has("Sign out?"), "{}", logout.body);
    for (what, page) in
        [("sign-in", &sign_in), ("consent", &consent), ("choice", &select), ("logout", &logout)]
    {
        assert_inert(what, page);
        assert!(page.has("alert(1)"), "{what}: the name is shown, as text");
    }
}

#[tokio::test]
async fn a_link_that_runs_is_no_link_of_a_client() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    for member in ["client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri", "sector_identifier_uri"] {
        for link in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "data:image/svg+xml,<svg onload=alert(1)>",
            "vbscript:x",
            "blob:https://rp.example/x",
            "file:///etc/passwd",
            "//rp.example/x",
            MARKUP,
        ] {
            let mut metadata = json!({ "redirect_uris": ["https://rp.example/cb"] });
            metadata[member] = link.into();
            let (status, refused) = register(&browser, &server, &metadata).await;
            assert_eq!(status, 400, "{member} {link}: {refused}");
            assert_eq!(refused["error"], "invalid_client_metadata", "{member} {link}");
        }
    }
}

#[tokio::test]
async fn markup_in_a_refused_request_is_inert_where_its_description_is_shown() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let claims = json!({ "userinfo": { MARKUP: null }, "id_token": { "acr": { "values": [MARKUP] } } });
    let mut described = 0;
    for (name, value) in [
        ("prompt", MARKUP),
        ("max_age", MARKUP),
        ("response_type", MARKUP),
        ("scope", MARKUP),
        ("claims", MARKUP),
        ("claims", &claims.to_string()),
        ("claims", &json!({ MARKUP: {} }).to_string()),
        ("claims", &json!({ "userinfo": MARKUP }).to_string()),
        ("acr_values", MARKUP),
        ("ui_locales", MARKUP),
        ("claims_locales", MARKUP),
        ("display", MARKUP),
        ("code_challenge", MARKUP),
        ("code_challenge_method", MARKUP),
        ("id_token_hint", MARKUP),
        ("request", MARKUP),
        ("registration", MARKUP),
        ("dpop_jkt", MARKUP),
        ("resource", MARKUP),
        (MARKUP, MARKUP),
    ] {
        // An error comes back on a page of ours; what is no error leads to the sign-in page.
        let request = Request::new(&server).with("response_mode", "form_post").with(name, value);
        let page = browser.open(&request.url(&server)).await;
        assert!([200, 400].contains(&page.status), "{name}: {}", page.status);
        assert_inert(name, &page);
        if page.has("name=\"error_description\"") {
            described += 1;
            assert!(!page.form().fields["error_description"].contains('\"'), "{name}: RFC 6749, 4.1.2.1");
        }
        let explained = browser.open(&request.with("client_id", value).url(&server)).await;
        assert_inert(name, &explained);
    }
    assert!(described >= 8, "{described}");
    for path in [
        "oauth2/authorize?client_id=demo-rp&request_uri=",
        "oauth2/authorize?client_id=demo-rp&response_mode=",
        "oauth2/authorize?client_id=demo-rp&redirect_uri=",
        "oauth2/authorize/resume?transaction=",
        "oauth2/end_session?client_id=",
        "oauth2/end_session?id_token_hint=",
        "oauth2/end_session?client_id=demo-rp&post_logout_redirect_uri=",
        "oauth2/end_session?ui_locales=",
        "",
        "flow/",
        "?",
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect();
        assert_inert(path, &browser.open(&format!("{}/{path}{encoded}", server.issuer())).await);
    }
}

#[tokio::test]
async fn markup_in_an_answer_is_inert_at_the_sample_application_too() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let encoded: String = url::form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect();
    for query in
        ["error=access_denied&error_description=", "error=", "code=", "state=", "code=x&state=x&iss="]
    {
        let page = browser.get(&format!("{}/cb?{query}{encoded}", server.relying_party())).await;
        assert!(page.headers.contains_key("content-type"), "{query}: {}", page.status);
        assert_inert(query, &page);
    }
}

#[tokio::test]
async fn markup_that_a_flow_hands_to_its_page_is_text() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    // As a display name, or what a plugin says, would come.
    let body = "person = Call agamid.users#find \"alice\"\nasked = {login: \"\"}\nasked = RRF \"page.html\" asked\n\
        page = {name: asked.login, list: [asked.login], user: person}\nRRF \"page.html\" page\nFinish false";
    let page = "<h1 title=\"{{ name }}\">{{ name }}</h1><input name=\"login\" value='{{ name }}'>\
        {% for name in list %}<p>{{ name }}</p>{% endfor %}{{ forms.error(name) }}\
        {{ forms.text(\"other\", name, value=name) }}<p>{{ user.name }}</p>";
    deploy(&server, body, page).await;
    let first = browser.open(&Request::new(&server).with("acr_values", "agama_acme.it").url(&server)).await;
    let second = browser.submit(&first.form().with("login", MARKUP)).await;
    assert!(second.has("alert(1)"), "{}", second.body);
    assert_inert("page of a flow", &second);
    assert!(!second.has("'\">") && !second.has("value=''"), "no quote ends an attribute: {}", second.body);
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
