//! `kill -9` of the server, and its next start.

use crate::support::browser::{Browser, Request};
use crate::support::server::{Server, free_ports};

#[tokio::test]
async fn after_kill_9_everything_acknowledged_is_there_and_nothing_used_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports();
    let server = Server::demo_on(folder.path(), port, &[]);
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let used = browser.code(&server, &request, "alice").await;
    let (_, tokens) = browser.redeem(&server, &request, &used).await;
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let unused = browser.open(&request.url(&server)).await.parameter("code").unwrap();
    let half_way = browser.open(&Request::new(&server).with("prompt", "login").url(&server)).await;
    let admin = server.admin_token();
    server.kill();

    let server = Server::demo_on(folder.path(), port, &[]);
    assert_eq!(browser.userinfo(&server, &access).await.0, 200, "the token was acknowledged");
    assert_eq!(browser.redeem(&server, &request, &unused).await.0, 200, "so was the code");
    let session = browser.open(&Request::new(&server).with("prompt", "none").url(&server)).await;
    assert!(session.parameter("code").is_some(), "and the session: {}", session.url);
    let projects = format!("{}/config/v1/projects", server.admin());
    let listed = browser.http.get(projects).bearer_auth(admin).send().await.unwrap();
    assert_eq!(listed.status(), 200);

    let form = half_way.form().with("login", "alice").with("password", "demo-alice-123");
    let end = browser.submit(&form).await;
    assert!(end.parameter("code").is_some(), "a login goes on where it was: {}\n{}", end.url, end.body);

    assert_eq!(browser.redeem(&server, &request, &used).await.0, 400, "a used code stays used");
    assert_eq!(browser.userinfo(&server, &access).await.0, 401, "and its replay ends the tokens");
}
