//! People of an LDAP directory, through the whole server.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::browser::{Browser, Request, Shown};
use crate::support::server::{Server, binary, free_ports};
use crate::support::slapd::{PASSWORD, PEOPLE, SEARCHER, Slapd};

/// A demo whose people also come from `slapd`, over TLS.
fn demo(folder: &std::path::Path, slapd: &Slapd) -> Server {
    let directory = format!(
        "[{{ name = \"staff\", urls = [\"{}\"], ca_file = \"{}\", bind_dn = \"{SEARCHER}\", \
         bind_password_file = \"{}\", base_dn = \"{PEOPLE}\", connect_seconds = 1, operation_seconds = 1 }}]",
        slapd.tls_url("localhost"),
        slapd.ca_file().display(),
        slapd.password_file().display()
    );
    Server::demo_with(folder, free_ports(), &[("AGAMID_LOCK__DIRECTORIES", &directory)])
}

async fn sign_in(server: &Server, login: &str, password: &str) -> (Browser, Shown) {
    let browser = Browser::new(server);
    let page = browser.open(&Request::new(server).url(server)).await;
    let page = browser.submit(&page.form().with("login", login).with("password", password)).await;
    (browser, page)
}

#[tokio::test]
async fn a_person_of_a_directory_signs_in_and_their_claims_are_the_entrys() {
    let slapd = Slapd::start("localhost", 1);
    let folder = tempfile::tempdir().unwrap();
    let server = demo(folder.path(), &slapd);
    let (_, wrong) = sign_in(&server, "p00000", "wrong").await;
    assert!(wrong.has("name=\"password\""), "{}", wrong.body);
    let (browser, mut page) = sign_in(&server, "p00000", PASSWORD).await;
    if page.status == 200 && page.has("value=\"allow\"") {
        page = browser.submit(&page.form().with("decision", "allow")).await;
    }
    let code = page.parameter("code").unwrap_or_else(|| panic!("no code: {}\n{}", page.url, page.body));
    let (status, tokens) = browser.redeem(&server, &Request::new(&server), &code).await;
    assert_eq!(status, 200, "{tokens}");
    let (status, claims) = browser.userinfo(&server, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    assert!(claims.contains("Person 0"), "{claims}");
}

#[tokio::test]
async fn a_dead_directory_is_an_error_for_its_people_and_nothing_to_local_ones() {
    let mut slapd = Slapd::start("localhost", 0);
    let folder = tempfile::tempdir().unwrap();
    let server = demo(folder.path(), &slapd);
    slapd.stop();
    let (_, page) = sign_in(&server, "twin1", PASSWORD).await;
    assert!(page.has("try again in a moment") && !page.has("is wrong"), "{} {}", page.status, page.body);
    assert!(!page.has("127.0.0.1") && !page.has("ldaps"), "{}", page.body);
    let (_, page) = sign_in(&server, "alice", "demo-alice-123").await;
    assert!(page.has("value=\"allow\"") || page.parameter("code").is_some(), "{}", page.body);
}

#[tokio::test]
async fn directories_are_shown_and_imported_with_the_scopes_for_it() {
    let slapd = Slapd::start("localhost", 20);
    let folder = tempfile::tempdir().unwrap();
    let server = demo(folder.path(), &slapd);
    let browser = Browser::new(&server);
    let url = format!("{}/config/v1/directories", server.admin());
    assert_eq!(browser.get(&url).await.status, 401);
    let (_, token) = browser
        .as_service(
            &server,
            "/oauth2/token",
            &[("grant_type", "client_credentials"), ("scope", "config.keys.read")],
        )
        .await;
    let other = token["access_token"].as_str().unwrap();
    let refused = browser.http.post(format!("{url}/staff/import")).bearer_auth(other).send().await.unwrap();
    assert_eq!(refused.status(), 403);

    let import = async |name: &str| {
        let request = browser.http.post(format!("{url}/{name}/import")).bearer_auth(server.admin_token());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let (status, answer) = import("staff").await;
    // alice and bob are local people of the demo already.
    assert_eq!(
        (status, &answer["counts"]["created"], &answer["counts"]["refused"]),
        (200, &22.into(), &2.into())
    );
    assert_eq!(import("staff").await.1["counts"]["unchanged"], 22);
    assert_eq!(import("other").await.0, 404);
    let shown = browser.http.get(&url).bearer_auth(server.admin_token()).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(read["directories"][0]["servers"][0]["available"], true);
    assert_eq!(read["directories"][0]["import"]["counts"]["found"], 24);
    assert!(!shown.contains("search me"));
}

#[test]
fn a_search_accounts_password_is_sealed_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(binary()).arg("init").arg(folder.path()).output().unwrap();
    assert!(made.status.success());
    let seal = |password: &str| {
        let mut child = Command::new(binary())
            .args(["directory", "seal", "staff", "--config"])
            .arg(folder.path().join("agamid.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let sealed = seal("search me\n");
    assert!(sealed.status.success());
    let text = String::from_utf8(sealed.stdout).unwrap();
    assert!(text.trim().len() > 40 && !text.contains("search me"), "{text}");
    let empty = seal("\n");
    assert_eq!(empty.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("standard input"));
}
