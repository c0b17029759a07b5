//! `/config/v1/outbox`: development only.

use agamid_store::outbox::Outbox;
use agamid_web::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Api;
use crate::authorize::authorize;

/// Messages in one answer.
const MOST: usize = 100;

/// What was kept instead of sent, newest first.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    let scope = "config.outbox.read";
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/outbox", &headers, scope).await {
        return *refused;
    }
    let Some(outbox) = &api.outbox else {
        let detail = "this server sends its messages; only a development server keeps them";
        return Problem::new(StatusCode::NOT_FOUND, "no_outbox", detail).into_response();
    };
    respond(outbox).await
}

async fn respond(outbox: &Outbox) -> Response {
    match outbox.messages(MOST).await {
        Ok(messages) => {
            ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "messages": messages }))).into_response()
        }
        Err(error) => {
            tracing::error!(event = "outbox.failed", %error);
            let detail = "the outbox can't be read now; see the log";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).into_response()
        }
    }
}
