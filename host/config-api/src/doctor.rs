//! `/config/v1/doctor`: whether everything in the store fits together, for `agamid doctor` where the server holds it.

use agamid_store::StoreError;
use agamid_web::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Api;
use crate::authorize::authorize;

const READ: &str = "config.doctor.read";

/// How many findings are told; more of them are only counted.
const TOLD: usize = 1_000;

/// Looks, and answers what was found.
pub(crate) async fn get(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/doctor", &headers, READ).await {
        return *refused;
    }
    match look(&api).await {
        Ok(found) => Json(found).into_response(),
        Err(error) => {
            tracing::error!(event = "doctor.failed", %error);
            let detail = "the store can't be looked at now; see the log";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).into_response()
        }
    }
}

async fn look(api: &Api) -> Result<Value, StoreError> {
    let (mut findings, mut more) = (Vec::new(), 0);
    let take = |finding| if findings.len() < TOLD { findings.push(finding) } else { more += 1 };
    let records = api.store.check(take, |_| {}).await?;
    findings.extend(api.auth_server.keys().findings().await?);
    Ok(json!({ "records": records, "findings": findings, "more": more }))
}
