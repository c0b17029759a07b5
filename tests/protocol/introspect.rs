//! `/oauth2/introspect` (17 of the security list).

use crate::support::browser::{Browser, Request, text};
use crate::support::server::Server;

#[tokio::test]
async fn tokens_are_told_to_whom_they_concern_and_to_nobody_else() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let tokens = browser.tokens(&server, &Request::new(&server), "alice").await;
    let access = text(&tokens, "access_token");
    let (status, told) = browser.as_service(&server, "/oauth2/introspect", &[("token", &access)]).await;
    assert_eq!(status, 200);
    assert_eq!(told["active"], true);
    assert_eq!(told["client_id"], "demo-rp");
    assert_eq!(told["username"], "alice");
    assert_eq!(told["scope"], "openid profile email");
    assert_eq!(told["iss"], server.issuer());
    assert!(told["exp"].as_i64().unwrap() > told["iat"].as_i64().unwrap());
    let refresh = text(&tokens, "refresh_token");
    let (_, told) = browser.as_service(&server, "/oauth2/introspect", &[("token", &refresh)]).await;
    assert_eq!((told["active"].as_bool(), told["client_id"].as_str()), (Some(true), Some("demo-rp")));

    let url = format!("{}/oauth2/introspect", server.issuer());
    let foreign = browser.http.post(&url).form(&[("token", &access)]);
    let foreign = foreign.basic_auth("demo-confidential", Some("demo-confidential-secret-123"));
    assert_eq!(foreign.send().await.unwrap().text().await.unwrap(), "{\"active\":false}");
    for bad in [&access[..20], "nonsense", "a.b.c", &text(&tokens, "id_token")] {
        let (status, told) = browser.as_service(&server, "/oauth2/introspect", &[("token", bad)]).await;
        assert_eq!((status, told), (200, serde_json::json!({ "active": false })), "{bad}");
    }
    let public = browser.http.post(&url).form(&[("token", access.as_str()), ("client_id", "demo-rp")]);
    assert_eq!(public.send().await.unwrap().status(), 401);
    assert_eq!(browser.http.post(&url).form(&[("token", &access)]).send().await.unwrap().status(), 401);
}
