//! 32: the headers of every page, and of every answer to a program.

use crate::support::browser::{Browser, Request, Shown, text};
use crate::support::project::deploy;
use crate::support::server::Server;

fn header<'a>(shown: &'a Shown, name: &str) -> &'a str {
    shown.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// What holds for every answer.
fn assert_guarded(what: &str, shown: &Shown) {
    assert_eq!(header(shown, "x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header(shown, "referrer-policy"), "same-origin", "{what}");
    assert_eq!(header(shown, "cache-control"), "no-store", "{what}");
    assert!(header(shown, "strict-transport-security").starts_with("max-age=31536000"), "{what}");
    assert_eq!(shown.headers.get_all("content-security-policy").iter().count(), 1, "{what}");
    let policy = header(shown, "content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(policy.contains("base-uri 'none'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe-") && !policy.contains('*'), "{what}: {policy}");
}

/// What holds for a page: only scripts and styles that carry the nonce of this very answer.
fn assert_guarded_page(what: &str, shown: &Shown) {
    assert!(header(shown, "content-type").starts_with("text/html"), "{what}: {:?}", shown.headers);
    assert_guarded(what, shown);
    assert!(shown.headers.get("access-control-allow-origin").is_none(), "{what}");
    let policy = header(shown, "content-security-policy");
    let nonce = policy.split("script-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(nonce.len() >= 22, "{what}: {policy}");
    for kind in ["<script", "<style"] {
        for (at, _) in shown.body.match_indices(kind) {
            let tag = &shown.body[at..at + shown.body[at..].find('>').unwrap()];
            assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{what}: {tag}");
        }
    }
    for inline in [" style=\"", " onclick=", " onload=", " onerror=", " onsubmit=", "href=\"javascript:"] {
        assert!(!shown.has(inline), "{what}: {inline}");
    }
    for origin in shown.body.split("src=\"").skip(1) {
        assert!(origin.starts_with('/') || origin.starts_with("data:image/"), "{what}: {}", &origin[..40]);
    }
}

#[tokio::test]
async fn every_page_of_a_login_has_the_headers_that_protect_it() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let issuer = server.issuer();
    let request = Request::new(&server);
    let sign_in = browser.open(&request.url(&server)).await;
    assert!(sign_in.has("name=\"password\""));
    let wrong = sign_in.form().with("login", "alice").with("password", "wrong");
    let wrong = browser.submit(&wrong).await;
    assert!(wrong.has("is wrong"));
    let consent =
        browser.submit(&wrong.form().with("login", "alice").with("password", "demo-alice-123")).await;
    assert!(consent.has("value=\"allow\""));
    for (what, page) in [("sign-in", &sign_in), ("consent", &consent)] {
        let policy = header(page, "content-security-policy");
        assert!(
            policy.contains(&format!("form-action 'self' {};", server.relying_party())),
            "{what}: {policy}"
        );
    }
    assert!(browser.submit(&consent.form().with("decision", "allow")).await.parameter("code").is_some());
    let over = browser.get(wrong.url.as_str()).await;
    assert_eq!(over.status, 404);
    let by_form = request.with("response_mode", "form_post").with("prompt", "none").url(&server);
    let by_form = browser.open(&by_form).await;
    assert!(by_form.has("name=\"code\""), "{}", by_form.body);
    let select = Request::new(&server).with("prompt", "select_account").url(&server);
    let select = browser.open(&select).await;
    assert!(select.has("Choose an account"), "{}", select.body);
    let fresh = Browser::new(&server);
    let totp = fresh.open(&Request::new(&server).with("acr_values", "agama_demo.totp").url(&server)).await;
    let totp = fresh.submit(&totp.form().with("login", "bob").with("password", "demo-bob-123")).await;
    assert!(totp.has("name=\"code\""));
    let taken_on =
        browser.http.post(format!("{issuer}/oauth2/end_session")).header("origin", "https://rp.example");
    let taken_on = taken_on.form(&[("client_id", "demo-rp")]).send().await.unwrap();
    let next = taken_on.headers()["refresh"].to_str().unwrap().strip_prefix("0;url=").unwrap().to_owned();
    let taken_on = Shown {
        url: taken_on.url().clone(),
        status: taken_on.status().as_u16(),
        headers: taken_on.headers().clone(),
        body: taken_on.text().await.unwrap(),
    };
    let ask = browser.open(&format!("{issuer}{next}")).await;
    assert!(ask.has("Sign out?"), "{}", ask.body);
    let stayed = browser.submit(&ask.form().with("decision", "no")).await;
    assert!(stayed.has("still signed in"), "{}", stayed.body);
    let ask_again = browser.open(&format!("{issuer}/logout")).await;
    let out = browser.submit(&ask_again.form().with("decision", "yes")).await;
    assert!(out.has("You are signed out"), "{}", out.body);
    for (what, page) in [
        ("sign-in", &sign_in),
        ("wrong password", &wrong),
        ("consent", &consent),
        ("step that is over", &over),
        ("answer by form", &by_form),
        ("choice of accounts", &select),
        ("setting up a second factor", &totp),
        ("after a POST from another site", &taken_on),
        ("logout question", &ask),
        ("still signed in", &stayed),
        ("signed out", &out),
    ] {
        assert_guarded_page(what, page);
    }
    let nonces = [&sign_in, &wrong, &consent].map(|page| header(page, "content-security-policy"));
    assert!(nonces[0] != nonces[1] && nonces[1] != nonces[2], "each answer has its own nonce: {nonces:?}");
}

#[tokio::test]
async fn every_error_page_has_the_headers_that_protect_it() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let issuer = server.issuer();
    let body = "form = RRF \"page.html\"\nRepeat 100000000 times max\n    x = 1\nFinish false";
    deploy(&server, body, "<h1>Soon gone</h1>").await;
    let soon = Request::new(&server).with("acr_values", "agama_acme.it").url(&server);
    let soon = browser.open(&soon).await;
    assert!(soon.has("Soon gone"), "{}", soon.body);
    let crash = browser.submit(&soon.form()).await;
    assert!(crash.has("This login stopped"), "{}", crash.body);

    let form = browser.open(&Request::new(&server).url(&server)).await.form();
    let forged = browser.post(&form.clone().with("_step", "x")).await;
    let strangers = Browser::new(&server).get(form.action.as_str()).await;
    let open = async |path: &str| browser.get(&format!("{issuer}{path}")).await;
    let many: Vec<_> = (0..300).map(|n| (format!("field{n}"), "x")).collect();
    let mut crowded = form.clone();
    crowded.fields.extend(many.into_iter().map(|(name, value)| (name, value.to_owned())));
    for (what, status, page) in [
        ("crash", 500, crash),
        ("forged form", 403, forged),
        ("another's step", 404, strangers),
        ("crowded form", 400, browser.post(&crowded).await),
        ("unknown page", 404, open("/nothing/here").await),
        ("unknown step", 404, open("/flow/01ARZ3NDEKTSV4RRFFQ69G5FAV/demo/password").await),
        (
            "unknown transaction",
            404,
            open("/oauth2/authorize/resume?transaction=01ARZ3NDEKTSV4RRFFQ69G5FAV").await,
        ),
        ("unknown client", 400, open("/oauth2/authorize?client_id=nobody").await),
        ("unknown logout target", 400, open("/oauth2/end_session?post_logout_redirect_uri=x").await),
        ("wrong method", 405, open("/oauth2/token").await),
        ("long address", 414, open(&format!("/?{}", "x".repeat(9 << 10))).await),
        ("nobody to sign out", 200, open("/logout").await),
    ] {
        assert_eq!(page.status, status, "{what}: {}", page.body);
        assert_guarded_page(what, &page);
    }
}

#[tokio::test]
async fn every_answer_to_a_program_is_kept_by_nobody_and_shown_nowhere() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let issuer = server.issuer();
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let access = text(&tokens, "access_token");
    let service = |path: &str, fields: &[(&str, &str)]| {
        let request = browser.http.post(format!("{issuer}{path}"));
        request.basic_auth("demo-service", Some("demo-service-secret-123")).form(fields).send()
    };
    let push = Request::new(&server);
    let metadata = serde_json::json!({ "redirect_uris": ["https://rp.example/cb"] });
    for (what, answer) in [
        ("token", service("/oauth2/token", &[("grant_type", "client_credentials")]).await),
        ("refused token", service("/oauth2/token", &[("grant_type", "password")]).await),
        ("introspection", service("/oauth2/introspect", &[("token", &access)]).await),
        ("revocation", service("/oauth2/revoke", &[("token", "x")]).await),
        ("userinfo", browser.http.get(format!("{issuer}/oauth2/userinfo")).bearer_auth(&access).send().await),
        ("refused userinfo", browser.http.get(format!("{issuer}/oauth2/userinfo")).send().await),
        (
            "pushed request",
            browser.http.post(format!("{issuer}/oauth2/par")).form(&push.parameters).send().await,
        ),
        ("registration", browser.http.post(format!("{issuer}/oauth2/register")).json(&metadata).send().await),
        (
            "refused registration",
            browser.http.post(format!("{issuer}/oauth2/register")).body("x").send().await,
        ),
    ] {
        let answer = answer.unwrap();
        let shown = Shown {
            url: answer.url().clone(),
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        };
        assert_guarded(what, &shown);
        assert!(!header(&shown, "content-type").contains("html"), "{what}: {:?}", shown.headers);
    }
}
