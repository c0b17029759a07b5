//! `agamid explain`: each check of an authorization URL, by a running server.

use serde_json::Value;

use crate::{Exit, out};

/// Asks the server's admin listener, and prints a line for each check.
pub(crate) async fn explain(url: String, server: String, json: bool) -> Result<(), Exit> {
    let failed = Exit::Failed;
    let Some(token) = std::env::var_os("AGAMID_TOKEN").and_then(|token| token.into_string().ok()) else {
        let reason = "AGAMID_TOKEN is not set: it must hold an access token of scope config.clients.read \
                      (the demo writes one to admin.token in its data folder)";
        return Err(failed(reason.to_owned()));
    };
    let answer = ask(&url, &server, &token).await.map_err(failed)?;
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

async fn ask(url: &str, server: &str, token: &str) -> Result<Value, String> {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("url", url).finish();
    let http = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    let address = format!("{}/config/v1/explain?{query}", server.trim_end_matches('/'));
    let answer = http.get(address).bearer_auth(token).send().await;
    let answer = answer.map_err(|error| format!("{server} can't be reached: {error}"))?;
    let (status, text) = (answer.status(), answer.text().await.map_err(|error| error.to_string())?);
    if !status.is_success() {
        return Err(format!("{server} answered {status}: {text}"));
    }
    serde_json::from_str(&text).map_err(|error| format!("{server} answered no JSON: {error}"))
}
