//! What administrators see of people's sessions, consents, lock-outs and credentials, and what their tokens do when these
//! are taken away (15 of the security list).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Request, claims_of, text};
use crate::support::server::{Server, binary};

/// Calls the admin API with the demo's token.
async fn call(server: &Server, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let browser = Browser::new(server);
    let url = format!("{}/config/v1{path}", server.admin());
    let mut request = browser.http.request(method, url).bearer_auth(server.admin_token());
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, answer) = call(server, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// Alice's tokens, and her id.
async fn alice(server: &Server, browser: &Browser, scope: &str) -> (Value, String) {
    let tokens = browser.tokens(server, &Request::new(server).with("scope", scope), "alice").await;
    let id = text(&claims_of(&text(&tokens, "id_token")), "sub");
    (tokens, id)
}

async fn is_alive(server: &Server, browser: &Browser, tokens: &Value) -> (bool, bool) {
    let access = browser.userinfo(server, &text(tokens, "access_token")).await.0 == 200;
    let refresh = browser.refresh(server, &text(tokens, "refresh_token"), "").await.0 == 200;
    (access, refresh)
}

#[tokio::test]
async fn an_administrator_sees_where_a_person_is_signed_in_and_ending_it_ends_the_tokens() {
    let server = Server::demo();
    let mut agent = reqwest::header::HeaderMap::new();
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
    agent.insert("user-agent", firefox.parse().unwrap());
    let (one, two) = (Browser::sending(&server, agent), Browser::new(&server));
    let (first, id) = alice(&server, &one, "openid").await;
    let (second, _) = alice(&server, &two, "openid").await;
    let listed = get(&server, &format!("/sessions?person={id}")).await;
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let of_firefox = sessions.iter().find(|session| session["device"] == "Firefox on Linux").unwrap();
    assert_eq!((&of_firefox["address"], &of_firefox["amr"]), (&json!("127.0.0.1"), &json!(["pwd"])));
    assert!(!listed.to_string().contains("agss_"), "no cookie's value");
    let path = format!("/sessions/{}", text(of_firefox, "id"));
    assert_eq!(call(&server, Method::DELETE, &path, None).await, (200, json!({ "ended": 1 })));
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 404);
    assert_eq!(is_alive(&server, &one, &first).await, (false, false));
    assert_eq!(is_alive(&server, &two, &second).await, (true, true));
    let all = format!("/sessions?person={id}");
    assert_eq!(call(&server, Method::DELETE, &all, None).await, (200, json!({ "ended": 1 })));
    assert_eq!(two.userinfo(&server, &text(&second, "access_token")).await.0, 401);
    assert_eq!(call(&server, Method::GET, "/sessions", None).await.0, 400);
    assert_eq!(call(&server, Method::GET, "/sessions?person=nobody", None).await.0, 404);
}

#[tokio::test]
async fn what_a_client_got_dies_with_the_consent_and_does_not_come_back_with_a_new_one() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let (old, id) = alice(&server, &browser, "openid email offline_access").await;
    let listed = get(&server, &format!("/consents?person={id}")).await;
    let consent = &listed["consents"][0];
    assert_eq!(consent["client"], "demo-rp");
    assert!(consent["scopes"].as_array().unwrap().contains(&json!("email")));
    let path = format!("/consents/demo-rp?person={id}");
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 200);
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 404);
    assert_eq!(browser.userinfo(&server, &text(&old, "access_token")).await.0, 401);

    let other = Browser::new(&server);
    let (new, _) = alice(&server, &other, "openid email offline_access").await;
    assert_eq!(is_alive(&server, &browser, &old).await, (false, false), "she said yes to another grant");
    assert_eq!(is_alive(&server, &other, &new).await, (true, true));
}

#[tokio::test]
async fn a_lock_is_seen_and_lifted() {
    let server = Server::demo();
    let id = alice(&server, &Browser::new(&server), "openid").await.1;
    let guess = async |password: &str| {
        let browser = Browser::new(&server);
        let form = browser.open(&Request::new(&server).url(&server)).await.form();
        browser.submit(&form.with("login", "alice").with("password", password)).await
    };
    for _ in 0..5 {
        guess("guess").await;
    }
    assert!(guess("demo-alice-123").await.has("wrong"));
    let listed = get(&server, "/lockouts").await;
    let account = &listed["accounts"][0];
    assert_eq!((&account["person"], &account["failures"]), (&json!(id), &json!(5)));
    assert!(account["locked_until"].is_string());
    let path = format!("/lockouts/{id}");
    assert_eq!(call(&server, Method::DELETE, &path, None).await.1["failures"], 0);
    assert!(!guess("demo-alice-123").await.has("wrong"));
    assert_eq!(get(&server, &format!("/lockouts?person={id}")).await["accounts"][0]["failures"], 0);
}

#[tokio::test]
async fn a_password_is_set_or_imported_and_who_was_signed_in_is_not_any_more() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let (tokens, id) = alice(&server, &browser, "openid").await;
    let path = format!("/users/{id}/password");
    let put = async |body: Value| call(&server, Method::PUT, &path, Some(body)).await;
    let (status, refused) = put(json!({ "password": "alice" })).await;
    assert_eq!((status, refused["code"].as_str()), (422, Some("password_refused")));
    let codes: Vec<_> = refused["violations"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, [&json!("too_short"), &json!("personal")]);
    let (status, refused) =
        put(json!({ "hash": "$2b$31$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC" })).await;
    assert_eq!((status, refused["field"].as_str()), (422, Some("hash")));
    assert!(text(&refused, "detail").contains("allowed is 14"), "{refused}");
    for body in [json!({}), json!({ "password": "x", "hash": "y" }), json!({ "pass": "secret words" })] {
        let (status, refused) = put(body).await;
        assert!(status == 400 && !refused.to_string().contains("secret words"), "{refused}");
    }
    assert_eq!(browser.userinfo(&server, &text(&tokens, "access_token")).await.0, 200);
    let imported = json!({ "hash": "$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC" });
    let (status, done) = put(imported).await;
    assert_eq!((status, done["sessions_ended"].as_u64()), (200, Some(1)));
    assert_eq!(browser.userinfo(&server, &text(&tokens, "access_token")).await.0, 401);

    for _ in 0..2 {
        let browser = Browser::new(&server);
        let form = browser.open(&Request::new(&server).url(&server)).await.form();
        let page = browser.submit(&form.with("login", "alice").with("password", "correct horse")).await;
        assert!(!page.has("wrong"), "as imported, and as ours: {}", page.body);
    }
    let listed = get(&server, &format!("/users/{id}/credentials")).await;
    let credential = &listed["credentials"][0];
    assert!(credential["kind"] == "password" && credential["last_used_at"].is_string());
    assert!(!listed.to_string().contains('$'), "no hash leaves the server");
    let path = format!("/users/{id}/credentials/{}", text(credential, "id"));
    let label = Some(json!({ "label": "from the old system" }));
    assert_eq!(call(&server, Method::PATCH, &path, label).await.0, 200);
    let listed = get(&server, &format!("/users/{id}/credentials")).await;
    assert_eq!(listed["credentials"][0]["label"], "from the old system");
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 200);
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 404);
}

#[tokio::test]
async fn resources_about_people_need_a_token_with_their_scope() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let (tokens, id) = alice(&server, &browser, "openid").await;
    for (method, path) in [
        (Method::GET, format!("/sessions?person={id}")),
        (Method::DELETE, format!("/sessions?person={id}")),
        (Method::DELETE, format!("/sessions/{id}")),
        (Method::GET, format!("/consents?person={id}")),
        (Method::DELETE, format!("/consents/demo-rp?person={id}")),
        (Method::GET, "/lockouts".to_owned()),
        (Method::DELETE, format!("/lockouts/{id}")),
        (Method::GET, format!("/users/{id}/credentials")),
        (Method::PATCH, format!("/users/{id}/credentials/{id}")),
        (Method::DELETE, format!("/users/{id}/credentials/{id}")),
        (Method::PUT, format!("/users/{id}/password")),
    ] {
        let url = format!("{}/config/v1{path}", server.admin());
        for token in ["", &text(&tokens, "access_token")] {
            let mut request = browser.http.request(method.clone(), &url).body("{}");
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            assert_eq!(request.send().await.unwrap().status(), 401, "{method} {path}");
        }
    }
    let fields = [("grant_type", "client_credentials"), ("scope", "config.keys.read")];
    let (_, other) = browser.as_service(&server, "/oauth2/token", &fields).await;
    let url = format!("{}/config/v1/sessions?person={id}", server.admin());
    let refused = browser.http.get(url).bearer_auth(text(&other, "access_token")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_on_the_command_line() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let (_, id) = alice(&server, &browser, "openid").await;
    let run = |arguments: &[&str]| {
        let command = std::process::Command::new(binary())
            .arg("session")
            .args(arguments)
            .args(["--server", &server.admin()])
            .env("AGAMID_TOKEN", server.admin_token())
            .output()
            .unwrap();
        (command.status.code(), String::from_utf8(command.stdout).unwrap())
    };
    let (code, json) = run(&["list", &id, "--json"]);
    assert_eq!(code, Some(0));
    let listed: Value = serde_json::from_str(&json).unwrap();
    let session = text(&listed["sessions"][0], "id");
    assert!(run(&["list", &id]).1.contains(&session));
    assert_eq!(run(&["revoke", &session]), (Some(0), "ended: 1\n".to_owned()));
    assert_eq!(run(&["revoke", "--person", &id]), (Some(0), "ended: 0\n".to_owned()));
    assert_eq!(run(&["revoke", "../keys"]).0, Some(2));
    assert_eq!(run(&["revoke"]).0, Some(2));
}
