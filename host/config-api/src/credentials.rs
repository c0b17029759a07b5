//! `/config/v1/users/{id}/credentials` and `/config/v1/users/{id}/password`. Secrets go in, never out.

use agamid_core::id::CredentialId;
use agamid_identity::credential::Credential;
use agamid_identity::password::ChangedBy;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::authorize::authorize;
use crate::people::{SCOPE, actor, bad, check_administrators, failed, missing, person, read};

const PATH: &str = "/config/v1/users";
const READ: &str = "config.users.read";
const WRITE: &str = "config.users.write";

/// A new label.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labelled {
    label: Option<String>,
}

/// A new password, itself or as a hash.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: Option<String>,
    hash: Option<String>,
    /// Whether whoever is signed in stays so.
    #[serde(default)]
    keep_sessions: bool,
}

/// What a person proves themselves with.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    try_list(&api, &headers, &id).await.unwrap_or_else(|refused| *refused)
}

async fn try_list(api: &Api, headers: &HeaderMap, id: &str) -> Result<Response, Box<Response>> {
    authorize(api, &Method::GET, &format!("{PATH}/{id}/credentials"), headers, READ).await?;
    let person = person(api, id).await?;
    let credentials = &api.identity.credentials;
    let found = credentials.of_person(&SCOPE, &person.id).await.map_err(failed)?;
    let found: Vec<Value> = found.iter().map(shown).collect();
    let left = credentials.recovery_codes_left(&person.id).await.map_err(failed)?;
    Ok(Json(json!({ "credentials": found, "recovery_codes_left": left })).into_response())
}

/// Changes what a credential is called.
pub(crate) async fn rename(
    State(api): State<Api>,
    headers: HeaderMap,
    Path((id, credential)): Path<(String, String)>,
    body: Body,
) -> Response {
    try_rename(&api, &headers, &id, &credential, body).await.unwrap_or_else(|refused| *refused)
}

async fn try_rename(
    api: &Api,
    headers: &HeaderMap,
    id: &str,
    credential: &str,
    body: Body,
) -> Result<Response, Box<Response>> {
    let path = format!("{PATH}/{id}/credentials/{credential}");
    let caller = authorize(api, &Method::PATCH, &path, headers, WRITE).await?;
    let Labelled { label } = read(body).await?;
    let (person, credential) = (person(api, id).await?, parse(credential)?);
    let credentials = &api.identity.credentials;
    let done = credentials.rename(&SCOPE, &person.id, &credential, label, actor(&caller)).await;
    if !done.map_err(failed)? {
        return Err(no_such(credential.as_str()));
    }
    Ok(Json(json!({ "renamed": credential })).into_response())
}

/// Takes a credential away.
pub(crate) async fn remove(
    State(api): State<Api>,
    headers: HeaderMap,
    Path((id, credential)): Path<(String, String)>,
) -> Response {
    try_remove(&api, &headers, &id, &credential).await.unwrap_or_else(|refused| *refused)
}

async fn try_remove(
    api: &Api,
    headers: &HeaderMap,
    id: &str,
    credential: &str,
) -> Result<Response, Box<Response>> {
    let path = format!("{PATH}/{id}/credentials/{credential}");
    let caller = authorize(api, &Method::DELETE, &path, headers, WRITE).await?;
    let (person, credential) = (person(api, id).await?, parse(credential)?);
    check_administrators(&caller, person.administrator)?;
    let done = api.identity.credentials.remove(&SCOPE, &person.id, &credential, actor(&caller)).await;
    if !done.map_err(failed)? {
        return Err(no_such(credential.as_str()));
    }
    Ok(Json(json!({ "removed": credential })).into_response())
}

/// Sets a password for a person. Who is signed in as them is signed out, unless that is not wanted.
pub(crate) async fn set_password(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Body,
) -> Response {
    try_set_password(&api, &headers, &id, body).await.unwrap_or_else(|refused| *refused)
}

async fn try_set_password(
    api: &Api,
    headers: &HeaderMap,
    id: &str,
    body: Body,
) -> Result<Response, Box<Response>> {
    let caller = authorize(api, &Method::PUT, &format!("{PATH}/{id}/password"), headers, WRITE).await?;
    let wanted: NewPassword = read(body).await?;
    let person = person(api, id).await?;
    check_administrators(&caller, person.administrator)?;
    let passwords = &api.identity.passwords;
    let by = ChangedBy::Administrator;
    match (&wanted.password, &wanted.hash) {
        (Some(password), None) => passwords.set_by(&person, password, by, actor(&caller)).await,
        (None, Some(hash)) => passwords.import_hash(&person, hash, actor(&caller)).await,
        _ => return Err(bad("password", "give either password or hash".to_owned())),
    }
    .map_err(failed)?;
    let mut ended = 0;
    if !wanted.keep_sessions {
        ended = api.identity.sessions.end_all(&person.id, actor(&caller)).await.map_err(failed)?;
    }
    Ok(Json(json!({ "person": person.id, "sessions_ended": ended })).into_response())
}

fn parse(id: &str) -> Result<CredentialId, Box<Response>> {
    CredentialId::parse(id).ok_or_else(|| no_such(id))
}

fn no_such(id: &str) -> Box<Response> {
    missing("no_such_credential", format!("this user has no credential {id}"))
}

fn shown(credential: &Credential) -> Value {
    json!({
        "id": credential.id,
        "kind": credential.kind,
        "label": credential.label,
        "created_at": credential.created_at.to_string(),
        "last_used_at": credential.last_used_at.map(|at| at.to_string()),
    })
}
