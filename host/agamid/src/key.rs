//! `agamid key`: the signing keys of a running server.

use reqwest::Method;
use serde_json::Value;

use crate::admin_client::AdminClient;
use crate::cli::KeyTool;
use crate::{Exit, out};

/// Lists, rotates or revokes; prints the keys as they are then.
pub(crate) async fn key(tool: KeyTool, server: &str, json: bool) -> Result<(), Exit> {
    let (method, path, scope) = match &tool {
        KeyTool::List => (Method::GET, "/config/v1/keys".to_owned(), "config.keys.read"),
        KeyTool::Rotate => (Method::POST, "/config/v1/keys/rotate".to_owned(), "config.keys.write"),
        KeyTool::Revoke { kid } => (Method::DELETE, format!("/config/v1/keys/{kid}"), "config.keys.write"),
    };
    let answer = AdminClient::new(server, scope)?.call(method, &path).await?;
    if json {
        out::line(&answer.to_string());
        return Ok(());
    }
    for key in answer.get("keys").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
        out::line(&format!(
            "{:<6} {:<6} {}  signs from {}",
            text("algorithm"),
            text("age"),
            text("kid"),
            text("active_from")
        ));
    }
    Ok(())
}
