//! `/config/v1/explain`

use agamid_web::Problem;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::Api;
use crate::authorize::authorize;

/// What is to be explained.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// A whole authorization URL.
    url: String,
}

/// The checks of an authorization URL, each with its outcome.
pub(crate) async fn get(State(api): State<Api>, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let scope = "config.clients.read";
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/explain", &headers, scope).await {
        return *refused;
    }
    match api.auth_server.explain(&asked.url).await {
        Ok(checks) => Json(json!({ "checks": checks })).into_response(),
        Err(error) => {
            let detail = error.description;
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).into_response()
        }
    }
}
