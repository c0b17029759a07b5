//! `agamid explain`, and the same on the sample application's page.

use std::process::Command;

use crate::support::browser::{Browser, Request};
use crate::support::server::{Server, binary};

fn explain(server: &Server, url: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary())
        .args(["explain", url, "--server", &server.admin()])
        .args(more)
        .env("AGAMID_TOKEN", server.admin_token())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn each_check_is_named_with_its_outcome_and_its_section() {
    let server = Server::demo();
    let good = Request::new(&server).url(&server);
    let (code, told) = explain(&server, &good, &[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("redirect_uri") && told.contains("RFC 7636") && !told.contains("FAIL"), "{told}");

    for (name, value, check, reason) in [
        ("client_id", "nobody", "client_id", "no client"),
        ("redirect_uri", "https://evil.example/", "redirect_uri", "byte by byte"),
        ("response_type", "token", "response_type", "unsupported_response_type"),
        ("scope", "x", "scope", "none of the scopes"),
        ("code_challenge_method", "plain", "code_challenge", "S256"),
        ("prompt", "x", "prompt", "select_account"),
        ("acr_values", "agama_none", "acr_values", "no flow"),
        ("claims", "[]", "claims", "no JSON object"),
    ] {
        let (code, told) = explain(&server, &Request::new(&server).with(name, value).url(&server), &[]);
        assert_eq!(code, Some(1), "{name}={value}");
        let line = told.lines().find(|line| line.starts_with(&format!("FAIL  {check}"))).unwrap_or(&told);
        assert!(line.contains(reason), "{name}={value}: {told}");
    }
    let (_, json) = explain(&server, &good, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true));

    let query: String = url::form_urlencoded::byte_serialize(good.as_bytes()).collect();
    let page = Browser::new(&server).get(&format!("{}/explain?url={query}", server.relying_party())).await;
    assert!(page.status == 200 && page.has("RFC 7636, 4.3") && page.has("pass"), "{}", page.body);
}

#[tokio::test]
async fn without_a_token_or_a_server_it_says_so() {
    let server = Server::demo();
    let run = |token: Option<&str>, admin: &str| {
        let mut command = Command::new(binary());
        command.args(["explain", "http://x", "--server", admin]).env_remove("AGAMID_TOKEN");
        if let Some(token) = token {
            command.env("AGAMID_TOKEN", token);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(run(None, &server.admin()).1.contains("AGAMID_TOKEN is not set"));
    for (token, admin, reason) in
        [("x", server.admin(), "401"), ("x", "http://127.0.0.1:1".to_owned(), "reached")]
    {
        let (code, told) = run(Some(token), &admin);
        assert!(code == Some(3) && told.contains(reason), "{told}");
    }
}
