//! `/config/v1/export`: everything in the store, as it is at one moment. What comes is plain: `agamid export --server`
//! encrypts it where it is written.

use agamid_store::{AuditEvent, Batch, Export, Protection, StoreError};
use agamid_web::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::Api;
use crate::authorize::authorize;

const READ: &str = "config.export.read";

/// Streams an export. One that breaks off ends without its last line, and the connection with an error.
pub(crate) async fn get(State(api): State<Api>, headers: HeaderMap) -> Response {
    let caller = match authorize(&api, &Method::GET, "/config/v1/export", &headers, READ).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    // Whoever has the file has every hash: that it was taken is never left out.
    let told = Batch::new().audit(AuditEvent::new("store.exported", caller.client_id, "store"));
    if let Err(error) = api.store.commit(told).await {
        return failed(&error);
    }
    let export = match api.store.export(Protection::Plaintext).await {
        Ok(export) => export,
        Err(error) => return failed(&error),
    };
    let pieces = stream::unfold(export, |mut export: Export| async move {
        let piece = export.next().await?;
        if let Err(error) = &piece {
            tracing::error!(event = "store.export_failed", %error);
        }
        Some((piece, export))
    });
    let headers = [(header::CONTENT_TYPE, "application/jsonl"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(pieces)).into_response()
}

fn failed(error: &StoreError) -> Response {
    tracing::error!(event = "store.export_failed", %error);
    let detail = "the store can't be exported now; see the log";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).into_response()
}
