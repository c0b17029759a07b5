//! Calls to a running server's admin listener.

use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::Exit;

/// Where `agamid demo --data ./data` leaves its token.
const TOKEN_FILE: &str = "data/admin.token";

/// A server's admin listener, and the token to call it with.
pub(crate) struct AdminClient {
    server: String,
    token: String,
    http: reqwest::Client,
}

impl AdminClient {
    /// The token comes from `AGAMID_TOKEN`, else from `data/admin.token`; `scope` is named where there is none.
    pub(crate) fn new(server: &str, scope: &str) -> Result<Self, Exit> {
        let variable = std::env::var_os("AGAMID_TOKEN").and_then(|token| token.into_string().ok());
        let token = variable.or_else(|| std::fs::read_to_string(Path::new(TOKEN_FILE)).ok());
        let Some(token) = token else {
            return Err(Exit::Failed(format!(
                "AGAMID_TOKEN is not set: it must hold an access token of scope {scope} \
                 (the demo writes one to admin.token in its data folder)"
            )));
        };
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|error| Exit::Failed(error.to_string()))?;
        Ok(Self { server: server.trim_end_matches('/').to_owned(), token: token.trim().to_owned(), http })
    }

    /// Calls `path`; answers the answer, to be read piece by piece.
    pub(crate) async fn open(&self, path: &str) -> Result<reqwest::Response, Exit> {
        let server = &self.server;
        let request = self.http.get(format!("{server}{path}")).bearer_auth(&self.token);
        let answer = request.send().await;
        let answer = answer.map_err(|error| Exit::Failed(format!("{server} can't be reached: {error}")))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        Err(Exit::Failed(format!("{server} answered {status}: {text}")))
    }

    /// Calls `path`; answers its JSON.
    pub(crate) async fn call(&self, method: Method, path: &str) -> Result<Value, Exit> {
        self.send(method, path, None).await
    }

    /// Calls `path` with a document; answers its JSON, null where it answers nothing.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        document: Option<&Value>,
    ) -> Result<Value, Exit> {
        let server = &self.server;
        let mut request = self.http.request(method, format!("{server}{path}")).bearer_auth(&self.token);
        if let Some(document) = document {
            request = request.header("content-type", "application/json").body(document.to_string());
        }
        let failed = |reason: String| Exit::Failed(reason);
        let answer =
            request.send().await.map_err(|error| failed(format!("{server} can't be reached: {error}")))?;
        let (status, text) =
            (answer.status(), answer.text().await.map_err(|error| failed(error.to_string()))?);
        if !status.is_success() {
            return Err(failed(format!("{server} answered {status}: {text}")));
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| failed(format!("{server} answered no JSON: {error}")))
    }
}
