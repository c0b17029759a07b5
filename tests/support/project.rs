//! A project of one flow and one page, deployed by the administration.

use std::io::Write as _;

use super::browser::client;
use super::server::Server;

/// Deploys project `acme`: the flow `acme.it` with this body, and its page `page.html` with this content.
pub(crate) async fn deploy(server: &Server, body: &str, page: &str) {
    deploy_with(server, &server.admin_token(), body, page).await;
}

/// As [`deploy`], with this token.
pub(crate) async fn deploy_with(server: &Server, token: &str, body: &str, page: &str) {
    let manifest = r#"{"projectName": "acme", "version": "1.0.0", "launchable": {"acme.it": []}}"#;
    let flow = format!("Flow acme.it\n    Basepath \"\"\n\n{body}\n");
    let page = format!(
        "{{% extends \"agamid/base.html\" %}}{{% import \"agamid/forms.html\" as forms %}}\
         {{% block content %}}{page}{{% call forms.form(step) %}}{{% endcall %}}{{% endblock %}}"
    );
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in
        [("project.json", manifest), ("code/acme.it.flow", flow.as_str()), ("web/page.html", page.as_str())]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    let url = format!("{}/config/v1/projects/acme", server.admin());
    let put = client(server).build().unwrap().put(url).bearer_auth(token);
    let answer = put.body(zip.finish().unwrap().into_inner()).send().await.unwrap();
    let status = answer.status();
    assert_eq!(status, 200, "{}", answer.text().await.unwrap());
}
