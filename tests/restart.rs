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

#[tokio::test]
async fn a_browser_that_leaves_in_the_middle_of_an_answer_finds_its_login_one_step_on() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let page = browser.open(&Request::new(&server).url(&server)).await;
    let form = page.form().with("login", "alice").with("password", "demo-alice-123");
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let cookie = browser.cookies(&server).remove(0);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: {}\r\nCookie: agamid_browser={cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        form.action.path(),
        server.port,
        server.issuer(),
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    // Long enough for the request to arrive, too short for a password to be checked.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    drop(stream);
    for _ in 0..100 {
        let shown = browser.open(page.url.as_str()).await;
        if shown.has("value=\"allow\"") || !shown.has("name=\"password\"") && shown.status != 202 {
            // The run is over: its owner goes on from the page that says so.
            assert!(shown.has("over") || shown.has("value=\"allow\""), "{}", shown.body);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the answer was lost with its browser:\n{}", server.log_text());
}
