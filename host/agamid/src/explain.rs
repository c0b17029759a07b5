//! `agamid explain`: each check of an authorization URL, by a running server.

use reqwest::Method;
use serde_json::Value;

use crate::admin_client::AdminClient;
use crate::{Exit, out};

/// Asks the server's admin listener, and prints a line for each check.
pub(crate) async fn explain(url: String, server: &str, json: bool) -> Result<(), Exit> {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("url", &url).finish();
    let client = AdminClient::new(server, "config.clients.read")?;
    let answer = client.call(Method::GET, &format!("/config/v1/explain?{query}")).await?;
    if json {
        out::line(&answer.to_string());
    }
    let mut all = true;
    for check in answer.get("checks").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
        let passed = check.get("passed") == Some(&Value::Bool(true));
        all &= passed || text("name").ends_with("(advice)");
        if !json {
            let outcome = if passed { "pass" } else { "FAIL" };
            let line =
                format!("{outcome}  {:<30} {:<30} {}", text("name"), text("specification"), text("detail"));
            out::line(line.trim_end());
        }
    }
    if all { Ok(()) } else { Err(Exit::Errors) }
}
