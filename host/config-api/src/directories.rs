//! `/config/v1/directories`: the LDAP directories.

use agamid_identity::IdentityError;
use agamid_identity::directory::DirectoryError;
use agamid_web::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Api;
use crate::authorize::authorize;

const READ: &str = "config.directories.read";
const WRITE: &str = "config.directories.write";

/// All directories: their servers as this node sees them, and the last import of each.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/directories", &headers, READ).await {
        return *refused;
    }
    match api.identity.directories.state().await {
        Ok(directories) => Json(json!({ "directories": directories })).into_response(),
        Err(error) => failed(&error),
    }
}

/// Imports a directory's people now, and answers when that is done.
pub(crate) async fn import(State(api): State<Api>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    let path = format!("/config/v1/directories/{name}/import");
    let caller = match authorize(&api, &Method::POST, &path, &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    tracing::info!(event = "directory.import_asked", directory = name, client = caller.client_id);
    match api.identity.directories.import(&name).await {
        Ok(counts) => Json(json!({ "directory": name, "counts": counts })).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &IdentityError) -> Response {
    let (status, code) = match error {
        IdentityError::Directory(DirectoryError::Unknown(_)) => (StatusCode::NOT_FOUND, "no_such_directory"),
        IdentityError::Directory(DirectoryError::ImportRunning(_)) => {
            (StatusCode::CONFLICT, "import_running")
        }
        IdentityError::Directory(DirectoryError::ImportStopped { .. }) => {
            (StatusCode::CONFLICT, "import_stopped")
        }
        IdentityError::Directory(DirectoryError::Unavailable(_) | DirectoryError::Busy(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "directory_unavailable")
        }
        error => {
            tracing::error!(event = "directory.failed", %error);
            let detail = "the directories can't be asked now; see the log";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "directories_unavailable", detail)
                .into_response();
        }
    };
    Problem::new(status, code, error.to_string()).into_response()
}
