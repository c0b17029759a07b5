//! `/health/live`, `/health/ready`, `/metrics`

use agamid_web::Problem;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::Api;

/// The process runs.
pub(crate) async fn live() -> &'static str {
    "live"
}

/// The store answers.
pub(crate) async fn ready(State(api): State<Api>) -> Response {
    match api.store.ping().await {
        Ok(()) => "ready".into_response(),
        Err(error) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", error.to_string())
            .into_response(),
    }
}

/// Prometheus text.
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], api.metrics.render()).into_response()
}
