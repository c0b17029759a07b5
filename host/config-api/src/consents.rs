//! `/config/v1/consents`: what people allowed clients.

use agamid_identity::consent::Consent;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::authorize::authorize;
use crate::people::{actor, failed, missing, person_of_query};

const PATH: &str = "/config/v1/consents";
const READ: &str = "config.consents.read";
const WRITE: &str = "config.consents.write";

/// Whose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    person: Option<String>,
}

/// What a person allowed.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap, Query(whose): Query<Whose>) -> Response {
    try_list(&api, &headers, whose).await.unwrap_or_else(|refused| *refused)
}

async fn try_list(api: &Api, headers: &HeaderMap, whose: Whose) -> Result<Response, Box<Response>> {
    authorize(api, &Method::GET, PATH, headers, READ).await?;
    let person = person_of_query(api, whose.person.as_deref()).await?;
    let consents = api.identity.consents.of_person(&person).await.map_err(failed)?;
    let consents: Vec<Value> = consents.iter().map(shown).collect();
    Ok(Json(json!({ "consents": consents })).into_response())
}

/// Takes back what a person allowed a client; what the client got dies.
pub(crate) async fn revoke(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(client): Path<String>,
    Query(whose): Query<Whose>,
    uri: Uri,
) -> Response {
    try_revoke(&api, &headers, &client, whose, &uri).await.unwrap_or_else(|refused| *refused)
}

async fn try_revoke(
    api: &Api,
    headers: &HeaderMap,
    client: &str,
    whose: Whose,
    uri: &Uri,
) -> Result<Response, Box<Response>> {
    let caller = authorize(api, &Method::DELETE, uri.path(), headers, WRITE).await?;
    let person = person_of_query(api, whose.person.as_deref()).await?;
    if !api.identity.consents.revoke(&person, client, actor(&caller)).await.map_err(failed)? {
        let detail = format!("{} allowed the client {client} nothing", person.username);
        return Err(missing("no_such_consent", detail));
    }
    Ok(Json(json!({ "revoked": client })).into_response())
}

fn shown(consent: &Consent) -> Value {
    json!({
        "person": consent.person,
        "client": consent.client,
        "scopes": consent.scopes,
        "since": consent.since.to_string(),
        "granted_at": consent.granted_at.to_string(),
        "last_used_at": consent.last_used_at.map(|at| at.to_string()),
    })
}
