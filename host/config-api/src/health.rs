//! `/health/live`, `/health/ready`, `/metrics`

use std::sync::atomic::Ordering;

use agamid_web::Problem;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::Api;

/// The process runs.
pub(crate) async fn live() -> &'static str {
    "live"
}

/// The store answers, and the server is not about to stop.
pub(crate) async fn ready(State(api): State<Api>) -> Response {
    if api.leaving.load(Ordering::Relaxed) {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is about to stop")
            .into_response();
    }
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
