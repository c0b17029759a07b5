//! Errors of our own APIs: problem+json (RFC 9457) with a stable `code`.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// An error of an API.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// A stable word that programs compare.
    pub code: &'static str,
    /// For people: what, where, how to mend it.
    pub detail: String,
    /// The offending part of the request.
    pub field: Option<String>,
    /// More members.
    pub extra: Map<String, Value>,
}

impl Problem {
    /// A problem without field and more.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, extra: Map::new() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = self.extra;
        body.insert("status".to_owned(), self.status.as_u16().into());
        body.insert("title".to_owned(), self.status.canonical_reason().unwrap_or_default().into());
        body.insert("code".to_owned(), self.code.into());
        body.insert("detail".to_owned(), self.detail.into());
        if let Some(field) = self.field {
            body.insert("field".to_owned(), field.into());
        }
        let headers =
            [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        (self.status, headers, Json(body).into_response().into_body()).into_response()
    }
}
