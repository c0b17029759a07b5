//! `/config/v1/sessions`: where people are signed in.

use agamid_core::id::SessionId;
use agamid_identity::Session;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::authorize::authorize;
use crate::people::{SCOPE, actor, failed, missing, person_of_query};

const PATH: &str = "/config/v1/sessions";
const READ: &str = "config.sessions.read";
const WRITE: &str = "config.sessions.write";

/// Whose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    person: Option<String>,
}

/// The sessions of a person, the one used last first.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap, Query(whose): Query<Whose>) -> Response {
    try_list(&api, &headers, whose).await.unwrap_or_else(|refused| *refused)
}

async fn try_list(api: &Api, headers: &HeaderMap, whose: Whose) -> Result<Response, Box<Response>> {
    authorize(api, &Method::GET, PATH, headers, READ).await?;
    let person = person_of_query(api, whose.person.as_deref()).await?;
    let sessions = api.identity.sessions.of_person(&SCOPE, &person.id).await.map_err(failed)?;
    let sessions: Vec<Value> = sessions.iter().map(shown).collect();
    Ok(Json(json!({ "sessions": sessions })).into_response())
}

/// Ends all sessions of a person.
pub(crate) async fn revoke_all(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(whose): Query<Whose>,
) -> Response {
    try_revoke_all(&api, &headers, whose).await.unwrap_or_else(|refused| *refused)
}

async fn try_revoke_all(api: &Api, headers: &HeaderMap, whose: Whose) -> Result<Response, Box<Response>> {
    let caller = authorize(api, &Method::DELETE, PATH, headers, WRITE).await?;
    let person = person_of_query(api, whose.person.as_deref()).await?;
    let ended = api.identity.sessions.end_all(&person.id, actor(&caller)).await.map_err(failed)?;
    Ok(Json(json!({ "ended": ended })).into_response())
}

/// Ends one session, and with it the tokens that came from it.
pub(crate) async fn revoke(State(api): State<Api>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    try_revoke(&api, &headers, &id).await.unwrap_or_else(|refused| *refused)
}

async fn try_revoke(api: &Api, headers: &HeaderMap, id: &str) -> Result<Response, Box<Response>> {
    let caller = authorize(api, &Method::DELETE, &format!("{PATH}/{id}"), headers, WRITE).await?;
    let ended = match SessionId::parse(id) {
        Some(id) => api.identity.sessions.revoke(&SCOPE, &id, actor(&caller)).await.map_err(failed)?,
        None => false,
    };
    if !ended {
        return Err(missing("no_such_session", format!("there is no session {id}")));
    }
    Ok(Json(json!({ "ended": 1 })).into_response())
}

fn shown(session: &Session) -> Value {
    let device = &session.device;
    json!({
        "id": session.id,
        "person": session.person,
        "device": device.label(),
        "browser": device.browser,
        "system": device.system,
        "address": device.address,
        "acr": session.acr,
        "amr": session.amr,
        "created_at": session.created_at.to_string(),
        "authenticated_at": session.authenticated_at.to_string(),
        "last_seen_at": session.last_seen_at.to_string(),
        "expires_at": session.expires_at.to_string(),
    })
}
