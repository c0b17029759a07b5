//! `GET /oauth2/jwks` (RFC 7517 section 5).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::AuthServer;

/// The public keys.
pub(crate) async fn get(State(server): State<AuthServer>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, server.keys().document()).into_response()
}
