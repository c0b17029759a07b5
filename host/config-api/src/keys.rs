//! `/config/v1/keys`: the signing keys.

use agamid_auth_server::keys::KeyError;
use agamid_web::Problem;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Api;
use crate::authorize::authorize;

const READ: &str = "config.keys.read";
const WRITE: &str = "config.keys.write";

/// All keys with their ages.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/keys", &headers, READ).await {
        return *refused;
    }
    shown(&api)
}

/// Publishes the next keys.
pub(crate) async fn rotate(State(api): State<Api>, headers: HeaderMap) -> Response {
    let caller = match authorize(&api, &Method::POST, "/config/v1/keys/rotate", &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    match api.auth_server.keys().rotate(&caller.client_id).await {
        Ok(()) => shown(&api),
        Err(error) => failed(&error),
    }
}

/// Takes a key out of use at once.
pub(crate) async fn revoke(State(api): State<Api>, headers: HeaderMap, Path(kid): Path<String>) -> Response {
    let path = format!("/config/v1/keys/{kid}");
    let caller = match authorize(&api, &Method::DELETE, &path, &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    match api.auth_server.keys().revoke(&kid, &caller.client_id).await {
        Ok(()) => shown(&api),
        Err(error) => failed(&error),
    }
}

fn shown(api: &Api) -> Response {
    Json(json!({ "keys": api.auth_server.keys().status() })).into_response()
}

fn failed(error: &KeyError) -> Response {
    if let KeyError::Unknown(_) = error {
        return Problem::new(StatusCode::NOT_FOUND, "no_such_key", error.to_string()).into_response();
    }
    tracing::error!(event = "signing_key.failed", %error);
    let detail = "the signing keys can't be changed now; see the log";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "keys_unavailable", detail).into_response()
}
