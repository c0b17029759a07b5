//! The admin listener.

use std::io::Write as _;

use crate::support::browser::{Browser, Request};
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

fn archive(manifest: &str, flow: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let page = "{% extends \"agamid/base.html\" %}{% import \"agamid/forms.html\" as forms %}\
        {% block content %}<h1>Sent</h1>{% call forms.form(step) %}{% endcall %}{% endblock %}";
    for (name, content) in
        [("project.json", manifest), ("code/acme.mail.flow", flow), ("web/page.html", page)]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const MANIFEST: &str = r#"{"projectName": "acme", "version": "1.0.0", "launchable": {"acme.mail": []}}"#;
const FLOW: &str = "Flow acme.mail
    Basepath \"\"

code = Call agamid.random#code 6
Call agamid.mail#send \"alice@example.org\" \"Your code\" code
RRF \"page.html\"
Finish false
";

#[tokio::test]
async fn a_project_is_deployed_by_archive_runs_at_once_and_its_mail_is_in_the_outbox() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let url = format!("{}/config/v1/projects/acme", server.admin());
    let put = |body: Vec<u8>, token: String| browser.http.put(&url).bearer_auth(token).body(body).send();

    let nobody = put(archive(MANIFEST, FLOW), "agat_x".to_owned()).await.unwrap();
    assert_eq!(nobody.status(), 401);
    let broken = FLOW.replace("page.html", "none.html");
    let refused = put(archive(MANIFEST, &broken), server.admin_token()).await.unwrap();
    assert_eq!(refused.status(), 422);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = refused.json().await.unwrap();
    let found = problem["diagnostics"].as_array().unwrap();
    assert!(found.iter().all(|finding| finding["line"].as_u64().unwrap() > 0 && finding["hint"].is_string()));
    assert!(
        found.iter().any(|finding| finding["message"].as_str().unwrap().contains("none.html")),
        "{found:?}"
    );
    let other =
        put(archive(&MANIFEST.replace("acme\",", "other\","), FLOW), server.admin_token()).await.unwrap();
    assert_eq!(other.status(), 400);
    assert!(other.text().await.unwrap().contains("name_mismatch"));
    let no_zip = put(b"no zip".to_vec(), server.admin_token()).await.unwrap();
    assert_eq!(no_zip.status(), 400);
    assert_eq!(browser.http.get(&url).bearer_auth(server.admin_token()).send().await.unwrap().status(), 404);

    let deployed = put(archive(MANIFEST, FLOW), server.admin_token()).await.unwrap();
    assert_eq!(deployed.status(), 200, "{}", deployed.text().await.unwrap());
    let request = Request::new(&server).with("acr_values", "agama_acme.mail");
    let page = browser.open(&request.url(&server)).await;
    assert!(page.has("<h1>Sent</h1>"), "{}", page.body);

    let outbox = format!("{}/config/v1/outbox", server.admin());
    assert_eq!(browser.get(&outbox).await.status, 401);
    let sent = browser.http.get(&outbox).bearer_auth(server.admin_token()).send().await.unwrap();
    let sent: serde_json::Value = sent.json().await.unwrap();
    let mail = &sent["messages"][0];
    assert_eq!((mail["kind"].as_str(), mail["to"].as_str()), (Some("mail"), Some("alice@example.org")));
    let code = mail["text"].as_str().unwrap();
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
    assert!(!server.log_text().contains(code), "the code is in the log");

    // A flow that proves nobody logs nobody in, though it may end.
    let end = browser.submit(&page.form()).await;
    assert_eq!(end.parameter("error").as_deref(), Some("access_denied"), "{}", end.url);
}

#[tokio::test]
async fn a_flow_that_finishes_for_somebody_it_did_not_prove_logs_nobody_in() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let flow =
        "Flow acme.mail\n    Basepath \"\"\n\nuser = Call agamid.users#find \"alice\"\nFinish user.id\n";
    let deployed = browser
        .http
        .put(format!("{}/config/v1/projects/acme", server.admin()))
        .bearer_auth(server.admin_token())
        .body(archive(MANIFEST, flow))
        .send()
        .await
        .unwrap();
    assert_eq!(deployed.status(), 200, "{}", deployed.text().await.unwrap());
    let end = browser.open(&Request::new(&server).with("acr_values", "agama_acme.mail").url(&server)).await;
    assert!(end.parameter("code").is_none(), "{}", end.url);
    assert_eq!(end.parameter("error").as_deref(), Some("access_denied"), "{}\n{}", end.url, end.body);
}
