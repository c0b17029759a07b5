//! `/config/v1/plugins`

use agamid_plugin_host::LoadError;
use agamid_store::StoreError;
use agamid_web::Problem;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::authorize::authorize;
use crate::{Api, MAX_ARCHIVE};

const READ: &str = "config.plugins.read";
const WRITE: &str = "config.plugins.write";

/// All plugins in service.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/plugins", &headers, READ).await {
        return *refused;
    }
    Json(json!({ "plugins": api.plugins.plugins() })).into_response()
}

/// Puts a component into service on all nodes. One that is not accepted, or does not fit a project, changes nothing.
pub(crate) async fn deploy(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    let path = format!("/config/v1/plugins/{name}");
    let caller = match authorize(&api, &Method::PUT, &path, &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Ok(body) = axum::body::to_bytes(body, MAX_ARCHIVE).await else {
        let detail = format!("the component has more than {MAX_ARCHIVE} bytes, or was cut off");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into_response();
    };
    match api.plugins.deploy(&name, body.to_vec(), &caller.client_id).await {
        Ok(status) => Json(status).into_response(),
        Err(LoadError::Refused(reason)) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason).into_response()
        }
        Err(LoadError::Store(error @ StoreError::Unavailable(_))) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", error.to_string())
                .into_response()
        }
        Err(LoadError::Store(error)) => {
            tracing::error!(event = "plugin.deploy_failed", %error);
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the server failed; see its log")
                .into_response()
        }
    }
}
