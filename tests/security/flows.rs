//! 27 to 30: a run belongs to one browser, goes in one order, and forms come from our pages.

use crate::support::browser::{Browser, Request, Shown, client};
use crate::support::server::Server;

async fn sign_in_page(server: &Server, browser: &Browser) -> Shown {
    browser.open(&Request::new(server).url(server)).await
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let page = sign_in_page(&server, &browser).await;
    let form = page.form().with("login", "alice").with("password", "demo-alice-123");
    for origin in ["https://evil.example", "null", "", "http://localhost", "http://127.0.0.1:1"] {
        let mut post = browser.http.post(form.action.clone()).form(&form.fields);
        if !origin.is_empty() {
            post = post.header("origin", origin);
        }
        assert_eq!(post.send().await.unwrap().status(), 403, "Origin: {origin}");
    }
    let cross = browser.http.post(form.action.clone()).form(&form.fields);
    let cross = cross.header("origin", server.issuer()).header("sec-fetch-site", "cross-site");
    assert_eq!(cross.send().await.unwrap().status(), 403);
    assert_eq!(browser.post(&form).await.status, 303, "the real form still works");
}

#[tokio::test]
async fn a_forged_step_token_is_refused_and_a_used_one_does_nothing() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let page = sign_in_page(&server, &browser).await;
    let form = page.form().with("login", "alice").with("password", "wrong");
    let token = form.fields["_step"].clone();
    for forged in [String::new(), "x".to_owned(), token[1..].to_owned(), format!("{token}A"), "A".repeat(43)]
    {
        let answer = browser.post(&form.clone().with("_step", &forged)).await;
        assert_eq!(answer.status, 403, "{forged}");
    }
    let second = browser.submit(&form).await;
    assert!(second.has("is wrong"), "{}", second.body);
    // The same form once more is a double click: it leads to where the run stands, and takes no try.
    let right = form.clone().with("password", "demo-alice-123");
    let again = browser.post(&right).await;
    assert_eq!(again.status, 303);
    assert!(browser.follow(again).await.has("name=\"password\""), "what was sent was not used");
    // Two steps back is told.
    let third = browser.submit(&second.form().with("password", "wrong")).await;
    assert!(third.has("is wrong"));
    assert_eq!(browser.post(&right).await.status, 409);
    // A token of another run.
    let other = sign_in_page(&server, &browser).await.form();
    let swapped = browser.post(&third.form().with("_step", &other.fields["_step"])).await;
    assert_eq!(swapped.status, 403);
}

#[tokio::test]
async fn another_browser_sees_nothing_of_a_run_and_can_not_go_on_with_it() {
    let server = Server::secure();
    let (attacker, victim) = (Browser::new(&server), Browser::new(&server));
    let page = sign_in_page(&server, &attacker).await;
    assert_eq!(victim.get(page.url.as_str()).await.status, 404);
    let form = page.form().with("login", "alice").with("password", "demo-alice-123");
    assert_eq!(victim.post(&form).await.status, 404);
    // A victim with a browser cookie of its own, and a login link made by the attacker.
    sign_in_page(&server, &victim).await;
    assert_eq!(victim.post(&form).await.status, 404);
    let done = attacker.post(&form).await;
    let resume = done.location().unwrap();
    let taken = victim.open(resume.as_str()).await;
    assert!(taken.parameter("code").is_none() && taken.status >= 400, "{}", taken.url);
}

#[tokio::test]
async fn a_step_can_not_be_skipped() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&request.url(&server)).await;
    let form = page.form().with("login", "bob").with("password", "demo-bob-123");
    let setup = browser.submit(&form).await;
    assert!(setup.has("name=\"code\""));
    // Half-way: no session yet, so nothing to build on.
    let none = browser.open(&Request::new(&server).with("prompt", "none").url(&server)).await;
    assert_eq!(none.parameter("error").as_deref(), Some("login_required"));
    // The transaction can't be resumed before its run is over.
    let run = setup.url.path().split('/').nth(2).unwrap();
    let transaction = setup.body.split("transaction=").nth(1).map(|rest| &rest[..26]);
    let guess = format!(
        "{}/oauth2/authorize/resume?transaction={}&run={run}",
        server.issuer(),
        transaction.unwrap_or("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    );
    let guess = browser.open(&guess).await;
    assert!(guess.parameter("code").is_none(), "{}", guess.url);
    // A page of another step, and fields of another step, at this step.
    let elsewhere = setup.url.as_str().replace("totp-setup", "password");
    let mut skipped = setup.form().with("userId", "alice").with("code", "000000").with("success", "true");
    skipped.action = elsewhere.parse().unwrap();
    let answer = browser.post(&skipped).await;
    assert_eq!(answer.status, 409, "{}", answer.url);
}

#[tokio::test]
async fn five_wrong_passwords_end_the_login() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let mut page = sign_in_page(&server, &browser).await;
    for _ in 0..5 {
        page = browser.submit(&page.form().with("login", "alice").with("password", "wrong")).await;
    }
    assert_eq!(page.parameter("error").as_deref(), Some("access_denied"), "{}\n{}", page.url, page.body);
}

#[tokio::test]
async fn a_cookie_set_before_the_login_is_not_the_session() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let planted = "__Host-agamid_session=agss_planted; __Host-agamid_browser=planted";
    let url = Request::new(&server).url(&server);
    let answer = browser.http.get(&url).header("cookie", planted).send().await.unwrap();
    let set: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|v| v.to_str().unwrap().to_owned()).collect();
    assert!(
        set.iter().any(|cookie| cookie.starts_with("__Host-agamid_browser=") && !cookie.contains("planted")),
        "{set:?}"
    );
    let end = browser.sign_in(&server, &Request::new(&server), "alice").await;
    assert!(end.parameter("code").is_some());
    for cookie in [
        "__Host-agamid_session=",
        "__Host-agamid_session=x",
        "__Host-agamid_session=%00%ff",
        "a=b; ; __Host-agamid_session",
    ] {
        let none = Request::new(&server).with("prompt", "none").url(&server);
        let answer =
            client(&server).build().unwrap().get(&none).header("cookie", cookie).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(location.contains("error=login_required"), "{cookie}: {location}");
    }
}

#[tokio::test]
async fn each_login_changes_the_session_cookie() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let first = browser.tokens(&server, &request, "alice").await;
    let before = browser.cookies(&server);
    browser.sign_in(&server, &Request::new(&server).with("prompt", "login"), "alice").await;
    let after = browser.cookies(&server);
    let changed = before.iter().filter(|cookie| !after.contains(cookie)).count();
    assert_eq!(changed, 1, "the session's cookie, not the browser's: {before:?} {after:?}");
    let token = first["access_token"].as_str().unwrap();
    assert_eq!(browser.userinfo(&server, token).await.0, 200, "what was issued before stays alive");
}

#[tokio::test]
async fn two_tabs_and_the_back_button_never_carry_one_step_into_another() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let totp = Request::new(&server).with("acr_values", "agama_demo.totp");
    // Two tabs of one browser: each is a run of its own, with its own tokens.
    let (one, two) = (browser.open(&totp.url(&server)).await, sign_in_page(&server, &browser).await);
    assert_ne!(one.url.path(), two.url.path());
    let setup = browser.submit(&one.form().with("login", "bob").with("password", "demo-bob-123")).await;
    assert!(setup.has("name=\"code\""), "{}", setup.body);
    let mut crossed = two.form().with("login", "bob").with("password", "demo-bob-123");
    crossed.fields.insert("_step".to_owned(), setup.form().fields["_step"].clone());
    assert_eq!(browser.post(&crossed).await.status, 403, "the token of one tab in the other");
    // Back to the password page: it is sent once more, now for somebody else; the run stays where it is, with bob.
    let back = one.form().with("login", "alice").with("password", "demo-alice-123");
    let shown = browser.submit(&back).await;
    assert!(shown.has("name=\"code\""), "{}", shown.url);
    let code = crate::support::totp::now(&key_of(&setup));
    let end = browser.submit(&shown.form().with("code", &code)).await;
    let end = browser.submit(&end.form().with("decision", "allow")).await;
    let (_, tokens) = browser.redeem(&server, &totp, &end.parameter("code").unwrap()).await;
    let claims = crate::support::browser::claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["amr"].to_string(), "[\"pwd\",\"otp\"]");
    let (_, person) = browser.userinfo(&server, tokens["access_token"].as_str().unwrap()).await;
    assert!(person.contains("bob@example.org"), "the run stayed with bob: {person}");
}

#[tokio::test]
async fn the_fields_of_one_step_prove_nothing_at_another() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let totp = Request::new(&server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&totp.url(&server)).await;
    let setup = browser.submit(&page.form().with("login", "bob").with("password", "demo-bob-123")).await;
    let again = setup.form().with("login", "bob").with("password", "demo-bob-123").with("code", "");
    let page = browser.submit(&again).await;
    assert!(page.parameter("code").is_none() && page.has("name=\"code\""), "{}", page.url);
}

/// The key that a page for setting up an authenticator app shows.
fn key_of(setup: &Shown) -> String {
    setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_login_that_is_broken_off_gives_the_old_session_no_new_worth() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    browser.sign_in(&server, &Request::new(&server), "alice").await;
    let totp = Request::new(&server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&totp.url(&server)).await;
    let setup = browser.submit(&page.form().with("login", "alice").with("password", "demo-alice-123")).await;
    assert!(setup.has("name=\"code\""), "a second factor is asked for");
    let silent = browser.open(&totp.with("prompt", "none").url(&server)).await;
    assert_eq!(silent.parameter("error").as_deref(), Some("login_required"), "{}", silent.url);
    let again = browser.open(&Request::new(&server).with("prompt", "login").url(&server)).await;
    assert!(again.has("name=\"password\""));
    let old = Request::new(&server).with("prompt", "none");
    let silent = browser.open(&old.url(&server)).await;
    let (_, tokens) = browser.redeem(&server, &old, &silent.parameter("code").unwrap()).await;
    let claims = crate::support::browser::claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (claims["acr"].as_str(), claims["amr"].to_string().as_str()),
        (Some("agama_demo.password"), "[\"pwd\"]")
    );
}

#[tokio::test]
async fn whoever_sits_down_at_a_browser_gets_nobody_elses_session_or_code() {
    let server = Server::secure();
    let (first, later) = (Browser::new(&server), Browser::new(&server));
    let consent = Request::new(&server).with("prompt", "consent");
    first.sign_in(&server, &Request::new(&server), "alice").await;
    let asked = first.open(&consent.url(&server)).await;
    assert!(asked.has("value=\"allow\""), "{}", asked.url);
    // The browser is closed: its session cookie is gone, the cookie of the browser stays.
    later.keep_browser_cookie_of(&first, &server);
    let taken = later.submit(&asked.form().with("decision", "allow")).await;
    assert!(taken.parameter("code").is_none() && taken.has("name=\"password\""), "{}", taken.url);
    later.sign_in(&server, &Request::new(&server), "bob").await;
    let choose = later.open(&Request::new(&server).with("prompt", "select_account").url(&server)).await;
    assert!(choose.has("bob") && !choose.has("alice"), "{}", choose.body);
    // One sitting, two people: there both may be chosen.
    let both = Browser::new(&server);
    both.sign_in(&server, &Request::new(&server), "alice").await;
    both.sign_in(&server, &Request::new(&server).with("prompt", "login"), "bob").await;
    let choose = both.open(&Request::new(&server).with("prompt", "select_account").url(&server)).await;
    assert!(choose.has("bob") && choose.has("alice"), "{}", choose.body);
}
