//! The admin listener.

use crate::support::browser::Browser;
use crate::support::server::Server;

#[tokio::test]
async fn health_and_metrics_answer_without_a_token_and_only_on_the_admin_listener() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(browser.get(&format!("{}{path}", server.admin())).await.status, 200, "{path}");
        assert_eq!(browser.get(&format!("{}{path}", server.issuer())).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn projects_need_a_token_with_the_scope() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let url = format!("{}/config/v1/projects", server.admin());
    let without = browser.get(&url).await;
    assert_eq!(without.status, 401);
    assert!(without.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    let wrong = browser.http.get(&url).bearer_auth("agat_nonsense").send().await.unwrap();
    assert_eq!(wrong.status(), 401);

    let listed = browser.http.get(&url).bearer_auth(server.admin_token()).send().await.unwrap();
    assert_eq!(listed.status(), 200);
    let listed: serde_json::Value = serde_json::from_str(&listed.text().await.unwrap()).unwrap();
    let names: Vec<&str> = listed["projects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|project| project["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"demo"), "{names:?}");
    let one = browser.http.get(format!("{url}/demo")).bearer_auth(server.admin_token()).send().await.unwrap();
    assert_eq!(one.status(), 200);
    let none =
        browser.http.get(format!("{url}/nothing")).bearer_auth(server.admin_token()).send().await.unwrap();
    assert_eq!(none.status(), 404);
}
