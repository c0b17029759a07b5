//! `agamid directory`: LDAP directories of a running server, and the sealed password of their search account.

use std::io::Read as _;
use std::path::Path;

use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::Secret;
use agamid_identity::directory::seal_password;
use reqwest::Method;
use serde_json::Value;

use crate::admin_client::AdminClient;
use crate::cli::DirectoryTool;
use crate::config::NodeConfig;
use crate::{Exit, out};

/// The longest password, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// Lists, imports or seals.
pub(crate) async fn directory(tool: DirectoryTool, server: &str, json: bool) -> Result<(), Exit> {
    match tool {
        DirectoryTool::List => {
            let client = AdminClient::new(server, "config.directories.read")?;
            let answer = client.call(Method::GET, "/config/v1/directories").await?;
            if json {
                out::line(&answer.to_string());
            } else {
                shown(&answer);
            }
        }
        DirectoryTool::Import { name } => {
            let client = AdminClient::new(server, "config.directories.write")?;
            let answer = client.call(Method::POST, &format!("/config/v1/directories/{name}/import")).await?;
            if json {
                out::line(&answer.to_string());
            } else {
                counted(answer.get("counts"));
            }
        }
        DirectoryTool::Seal { name, config } => out::line(&seal(&name, &config).map_err(Exit::Failed)?),
    }
    Ok(())
}

fn shown(answer: &Value) {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    for directory in answer.get("directories").and_then(Value::as_array).into_iter().flatten() {
        let name = text(directory, "name");
        out::line(&format!(
            "{name}  people of {} by {}",
            text(directory, "organisation"),
            text(directory, "mode")
        ));
        if let Some(problem) = directory.get("problem").and_then(Value::as_str) {
            out::line(&format!("  {problem}"));
        }
        for server in directory.get("servers").and_then(Value::as_array).into_iter().flatten() {
            let up = server.get("available").and_then(Value::as_bool).unwrap_or_default();
            let state = if up { "asked" } else { "left alone" };
            out::line(&format!("  {:<40} {state:<10} {}", text(server, "url"), text(server, "last_error")));
        }
        if let Some(import) = directory.get("import").filter(|import| !import.is_null()) {
            out::line(&format!("  last import {} {}", text(import, "started_at"), text(import, "failure")));
            counted(import.get("counts"));
        }
    }
}

fn counted(counts: Option<&Value>) {
    let counts = counts.and_then(Value::as_object);
    let parts: Vec<String> =
        counts.into_iter().flatten().map(|(name, count)| format!("{name} {count}")).collect();
    out::line(&format!("  {}", parts.join(", ")));
}

/// The password comes from standard input, where no list of processes shows it.
fn seal(name: &str, config: &Path) -> Result<String, String> {
    let config = NodeConfig::load(config, std::iter::empty()).map_err(|error| error.to_string())?;
    let env = Env::system();
    let key = EnvelopeKey::load(&config.secrets.envelope_key_file)
        .map_err(|error| format!("secrets.envelope_key_file: {error}"))?;
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD)
        .read_to_string(&mut text)
        .map_err(|error| format!("the password can't be read from standard input: {error}"))?;
    let password = Secret::new(text);
    let password = Secret::new(password.expose().trim_end_matches(['\r', '\n']));
    if password.expose().is_empty() {
        return Err("give the password on standard input".to_owned());
    }
    seal_password(&Sealer::new(key, env), name, &password).map_err(|error| error.to_string())
}
