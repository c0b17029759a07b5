//! `agamid session`: where people are signed in.

use reqwest::Method;
use serde_json::Value;

use crate::admin_client::AdminClient;
use crate::cli::SessionTool;
use crate::{Exit, out};

const PATH: &str = "/config/v1/sessions";

/// Lists or revokes.
pub(crate) async fn session(tool: SessionTool, server: &str, json: bool) -> Result<(), Exit> {
    let (method, path, scope) = match &tool {
        SessionTool::List { person } => {
            (Method::GET, format!("{PATH}?person={}", id(person)?), "config.sessions.read")
        }
        SessionTool::Revoke { session: Some(session), .. } => {
            (Method::DELETE, format!("{PATH}/{}", id(session)?), "config.sessions.write")
        }
        SessionTool::Revoke { session: None, person } => {
            let person = person.as_deref().unwrap_or_default();
            (Method::DELETE, format!("{PATH}?person={}", id(person)?), "config.sessions.write")
        }
    };
    let answer = AdminClient::new(server, scope)?.call(method, &path).await?;
    if json {
        out::line(&answer.to_string());
        return Ok(());
    }
    if let Some(ended) = answer.get("ended") {
        out::line(&format!("ended: {ended}"));
    }
    for session in answer.get("sessions").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| session.get(name).and_then(Value::as_str).unwrap_or_default();
        out::line(&format!(
            "{}  {}  {:<24} {}",
            text("id"),
            text("last_seen_at"),
            text("device"),
            text("address")
        ));
    }
    Ok(())
}

/// Ids are letters and digits: what is something else would change the address that is called.
fn id(text: &str) -> Result<&str, Exit> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(text);
    }
    Err(Exit::Usage(format!("{text:?} is no id: an id has 26 letters and digits")))
}
