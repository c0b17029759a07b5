//! 50, 51: nothing that opens anything is at rest or in a log.

use std::path::Path;

use crate::support::browser::{Browser, Request};
use crate::support::server::{Server, free_ports};

fn holds(folder: &Path, needle: &[u8]) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = if path.is_dir() {
            holds(&path, needle)
        } else {
            let content = std::fs::read(&path).unwrap_or_default();
            content.windows(needle.len()).any(|part| part == needle).then_some(path)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[tokio::test]
async fn no_secret_of_a_login_is_in_the_store_or_in_the_log_at_its_loudest() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::secure_on(folder.path(), free_ports(), &[("AGAMID_LOG__LEVEL", "trace")]);
    let browser = Browser::new(&server);

    let request = Request::new(&server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&request.url(&server)).await;
    let step = page.form().fields["_step"].clone();
    let setup = browser.submit(&page.form().with("login", "bob").with("password", "demo-bob-123")).await;
    let key = setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned();
    let digits = crate::support::totp::now(&key);
    let consent = browser.submit(&setup.form().with("code", &digits)).await;
    let end = browser.submit(&consent.form().with("decision", "allow")).await;
    let code = end.parameter("code").unwrap();
    let (_, tokens) = browser.redeem(&server, &request, &code).await;
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let id_token = tokens["id_token"].as_str().unwrap().to_owned();
    browser.userinfo(&server, &access).await;
    let cookies = browser.cookies(&server);
    assert!(cookies.len() >= 2, "browser and session");
    let admin = server.admin_token();
    assert!(server.stop().success());

    let log = server.log_text();
    assert!(log.contains("token.issued") || log.contains("oauth.authorize"), "the log was written:\n{log}");
    let secrets = [
        ("password", "demo-bob-123".to_owned()),
        ("client secret", "demo-confidential-secret-123".to_owned()),
        ("step token", step),
        ("OTP seed", key),
        ("code", code),
        ("access token", access),
        ("ID token", id_token),
        ("administration token", admin),
        ("PKCE verifier", request.verifier.clone()),
    ];
    let secrets = secrets.into_iter().chain(cookies.into_iter().map(|value| ("cookie", value)));
    for (what, secret) in secrets {
        assert!(!log.contains(&secret), "{what} is in the log");
        let found = holds(&server.data.join("store"), secret.as_bytes());
        assert!(found.is_none(), "{what} is in {found:?}");
    }
}
