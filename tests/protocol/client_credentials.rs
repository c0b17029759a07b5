//! `grant_type=client_credentials`.

use crate::support::browser::{Browser, text};
use crate::support::server::Server;

#[tokio::test]
async fn a_service_gets_a_token_for_itself_with_its_own_scopes() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let grant = ("grant_type", "client_credentials");
    let (status, tokens) = browser.as_service(&server, "/oauth2/token", &[grant]).await;
    assert_eq!(status, 200, "{tokens}");
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    let scope = ("scope", "config.projects.read");
    let (_, narrow) = browser.as_service(&server, "/oauth2/token", &[grant, scope]).await;
    assert_eq!(narrow["scope"], "config.projects.read");
    let projects = format!("{}/config/v1/projects", server.admin());
    let token = text(&narrow, "access_token");
    assert_eq!(browser.http.get(&projects).bearer_auth(&token).send().await.unwrap().status(), 200);
    let put = browser.http.put(format!("{projects}/x")).bearer_auth(&token).body("x").send().await.unwrap();
    assert_eq!(put.status(), 403);
    assert_eq!(browser.userinfo(&server, &token).await.0, 403, "nobody stands behind it");

    for scope in ["openid", "profile", "unknown", "config.settings.write"] {
        let (status, refused) =
            browser.as_service(&server, "/oauth2/token", &[grant, ("scope", scope)]).await;
        assert_eq!((status, refused["error"].as_str()), (400, Some("invalid_scope")), "{scope}");
    }
}

#[tokio::test]
async fn who_is_not_registered_for_it_gets_none() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    for client in [
        vec![("client_id", "demo-rp")],
        vec![("client_id", "demo-confidential"), ("client_secret", "demo-confidential-secret-123")],
    ] {
        let mut fields = client;
        fields.push(("grant_type", "client_credentials"));
        let (status, refused) = browser.token(&server, &fields).await;
        assert_eq!((status, refused["error"].as_str()), (400, Some("unauthorized_client")), "{fields:?}");
    }
}
