//! 36, 37: guessing passwords and codes.

use std::time::Duration;

use crate::support::browser::{Browser, Request, Shown};
use crate::support::server::{Server, free_ports};

async fn page(server: &Server, browser: &Browser) -> Shown {
    browser.open(&Request::new(server).with("prompt", "login").url(server)).await
}

async fn guess(server: &Server, browser: &Browser, login: &str, password: &str) -> Shown {
    let form = page(server, browser).await.form();
    browser.submit(&form.with("login", login).with("password", password)).await
}

fn told_wrong(page: &Shown) -> bool {
    page.has("Username or password is wrong.")
}

#[tokio::test]
async fn five_guesses_over_all_spellings_and_browsers_lock_an_account_for_a_while_but_not_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let short = [("AGAMID_LOCK__IDENTITY__LOCKOUT__ACCOUNT__LOCK_SECONDS", "3")];
    let server = Server::secure_on(folder.path(), free_ports(), &short);
    let owner = Browser::new(&server);
    owner.sign_in(&server, &Request::new(&server), "alice").await;
    for login in ["alice", "ALICE", "alice@example.org", " Alice@Example.org ", "alice"] {
        assert!(told_wrong(&guess(&server, &Browser::new(&server), login, "guess").await), "{login}");
    }
    let stranger = Browser::new(&server);
    let right = guess(&server, &stranger, "alice", "demo-alice-123").await;
    assert!(told_wrong(&right), "the right password tells a guesser nothing: {}", right.body);
    let own = guess(&server, &owner, "alice", "demo-alice-123").await;
    assert!(own.parameter("code").is_some(), "her own browser is not locked: {}", own.body);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if !told_wrong(&guess(&server, &stranger, "alice", "demo-alice-123").await) {
            return;
        }
    }
    panic!("the lock did not end");
}

#[tokio::test]
async fn known_unknown_and_locked_people_are_answered_alike() {
    let server = Server::secure();
    let mut bodies = Vec::new();
    for login in ["alice", "nobody-here", "bob"] {
        for _ in 0..if login == "bob" { 6 } else { 1 } {
            let page = guess(&server, &Browser::new(&server), login, "guess").await;
            assert_eq!(page.status, 200);
            bodies.push(anonymous(&page, login));
        }
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
}

/// The page without what is different on every page: run, token, nonce and the name typed.
fn anonymous(page: &Shown, login: &str) -> String {
    let run = page.url.path().split('/').nth(2).unwrap();
    let token = page.form().fields["_step"].clone();
    let mut body = page.body.replace(run, "RUN").replace(&token, "TOKEN").replace(login, "NAME");
    while let Some(at) = body.find("nonce=\"") {
        let end = at + 7 + body[at + 7..].find('"').unwrap();
        body.replace_range(at..=end, "NONCE");
    }
    body.replace(|c: char| c.is_ascii_digit(), "0")
}

#[tokio::test]
async fn wrong_codes_count_with_wrong_passwords_and_a_right_password_does_not_give_tries_back() {
    let server = Server::secure();
    let totp = |server: &Server| Request::new(server).with("acr_values", "agama_demo.totp").url(server);
    let owner = Browser::new(&server);
    let first = owner.open(&totp(&server)).await.form();
    let setup = owner.submit(&first.with("login", "bob").with("password", "demo-bob-123")).await;
    let key = setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned();
    // Set up, but the login is left: no browser is known.
    let code = crate::support::totp::now(&key);
    let consent = owner.submit(&setup.form().with("code", &code)).await;
    assert!(consent.has("value=\"allow\""), "{}", consent.body);

    let thief = Browser::new(&server);
    for round in 0..3 {
        let form = thief.open(&totp(&server)).await.form();
        let mut page = thief.submit(&form.with("login", "bob").with("password", "demo-bob-123")).await;
        if round == 2 {
            assert!(told_wrong(&page), "the right password does not help any more: {}", page.body);
            return;
        }
        for _ in 0..3 {
            page = thief.submit(&page.form().with("code", "000000")).await;
            assert!(page.has("wrong") || page.parameter("error").is_some(), "{}", page.body);
        }
    }
    panic!("guessing went on");
}

#[tokio::test]
async fn a_hundred_guesses_at_once_get_no_further_than_one_after_another() {
    let server = Server::secure();
    let mut forms = Vec::new();
    for _ in 0..100 {
        let browser = Browser::new(&server);
        let form = page(&server, &browser).await.form();
        forms.push((browser, form));
    }
    let right = forms.len() - 1;
    let guesses = forms.into_iter().enumerate().map(|(n, (browser, form))| async move {
        // The right one is sent a little after the others, which are waiting for their turn by then.
        if n == right {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let password = if n == right { "demo-alice-123" } else { "guess" };
        browser.submit(&form.with("login", "alice").with("password", password)).await
    });
    let answers = futures_util::future::join_all(guesses).await;
    for answer in &answers {
        let refused = told_wrong(answer) || answer.has("We are very busy now.");
        assert!(refused, "somebody got in, or was told more: {} {}", answer.status, answer.url);
    }
}
