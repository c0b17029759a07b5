//! 52: signing keys are rotated with notice, and a lost one is dead at once.

use serde_json::Value;

use crate::support::browser::{Browser, Request, text};
use crate::support::server::{Server, binary, free_ports};

/// `agamid key …`; answers the keys of the algorithm of the sample application.
fn key(server: &Server, arguments: &[&str]) -> Vec<(String, String)> {
    let output = std::process::Command::new(binary())
        .args(["key", "--json", "--server", &server.admin()])
        .args(arguments)
        .env("AGAMID_TOKEN", server.admin_token())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = answer["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["algorithm"] == "RS256").map(|key| (text(key, "kid"), text(key, "age"))).collect()
}

async fn published(server: &Server, browser: &Browser) -> Vec<String> {
    let jwks = browser.get(&format!("{}/oauth2/jwks", server.issuer())).await;
    let jwks: Value = serde_json::from_str(&jwks.body).unwrap();
    jwks["keys"].as_array().unwrap().iter().map(|key| text(key, "kid")).collect()
}

fn kid_of(jwt: &str) -> String {
    use base64::Engine as _;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap());
    text(&serde_json::from_slice(&header.unwrap()).unwrap(), "kid")
}

#[tokio::test]
async fn a_next_key_is_published_before_it_signs_and_a_revoked_one_verifies_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let soon = [("AGAMID_LOCK__OAUTH__KEY_PUBLICATION", "2")];
    let server = Server::secure_on(folder.path(), free_ports(), &soon);
    let browser = Browser::new(&server);
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let (old, refresh) = (text(&tokens, "id_token"), text(&tokens, "refresh_token"));
    let renew = async |token: &str| {
        let fields = [("grant_type", "refresh_token"), ("client_id", "demo-rp"), ("refresh_token", token)];
        let (status, tokens) = browser.token(&server, &fields).await;
        assert_eq!(status, 200, "{tokens}");
        (text(&tokens, "id_token"), text(&tokens, "refresh_token"))
    };
    let keys = key(&server, &["rotate"]);
    let next = keys.iter().find(|(_, age)| age == "next").unwrap().0.clone();
    assert!(published(&server, &browser).await.contains(&next), "everybody can know it");
    let (id_token, refresh) = renew(&refresh).await;
    assert_eq!(kid_of(&id_token), kid_of(&old), "it signs nothing yet");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let (id_token, _) = renew(&refresh).await;
    assert_eq!(kid_of(&id_token), next);
    assert!(published(&server, &browser).await.contains(&kid_of(&old)), "the old one still verifies");

    let hint = |id_token: &str| Request::new(&server).with("id_token_hint", id_token).with("prompt", "none");
    let known = browser.open(&hint(&old).url(&server)).await;
    assert!(known.parameter("code").is_some(), "{}", known.url);
    let keys = key(&server, &["revoke", &kid_of(&old)]);
    assert!(keys.iter().all(|(kid, _)| *kid != kid_of(&old)), "{keys:?}");
    assert!(!published(&server, &browser).await.contains(&kid_of(&old)));
    let unknown = browser.open(&hint(&old).url(&server)).await;
    assert_eq!(unknown.parameter("error").as_deref(), Some("invalid_request"));
    let still = browser.open(&hint(&id_token).url(&server)).await;
    assert!(still.parameter("code").is_some(), "others go on: {}", still.url);
}
