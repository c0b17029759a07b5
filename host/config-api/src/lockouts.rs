//! `/config/v1/lockouts`: accounts with failed logins.

use agamid_identity::lockout::AccountLock;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Api;
use crate::authorize::authorize;
use crate::people::{SCOPE, actor, bad, failed, person};

const PATH: &str = "/config/v1/lockouts";
const READ: &str = "config.users.read";
const WRITE: &str = "config.users.write";
/// Accounts in one answer.
const MOST: usize = 100;

/// Which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// One person's.
    person: Option<String>,
    /// Goes on after a page.
    after: Option<String>,
}

/// The accounts that have failures, a page at a time, or one of them.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap, Query(which): Query<Which>) -> Response {
    try_list(&api, &headers, which).await.unwrap_or_else(|refused| *refused)
}

async fn try_list(api: &Api, headers: &HeaderMap, which: Which) -> Result<Response, Box<Response>> {
    authorize(api, &Method::GET, PATH, headers, READ).await?;
    let lockout = &api.identity.lockout;
    if let Some(id) = &which.person {
        let state = lockout.state(&person(api, id).await?.id).await.map_err(failed)?;
        return Ok(Json(json!({ "accounts": [shown(&state)], "next": null })).into_response());
    }
    let page = lockout.accounts(which.after, MOST).await.map_err(|error| match error {
        agamid_identity::IdentityError::Store(agamid_store::StoreError::Invalid(reason)) => {
            bad("after", reason)
        }
        error => failed(error),
    })?;
    let accounts: Vec<Value> = page.accounts.iter().map(shown).collect();
    Ok(Json(json!({ "accounts": accounts, "next": page.next })).into_response())
}

/// Forgets all failures of a person.
pub(crate) async fn clear(State(api): State<Api>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    try_clear(&api, &headers, &id).await.unwrap_or_else(|refused| *refused)
}

async fn try_clear(api: &Api, headers: &HeaderMap, id: &str) -> Result<Response, Box<Response>> {
    let caller = authorize(api, &Method::DELETE, &format!("{PATH}/{id}"), headers, WRITE).await?;
    let person = person(api, id).await?;
    let lockout = &api.identity.lockout;
    lockout.clear(&SCOPE, &person, actor(&caller)).await.map_err(failed)?;
    let state = lockout.state(&person.id).await.map_err(failed)?;
    Ok(Json(shown(&state)).into_response())
}

fn shown(lock: &AccountLock) -> Value {
    json!({
        "person": lock.person,
        "failures": lock.failures,
        "locked_until": lock.locked_until.map(|at| at.to_string()),
        "known_browser_failures": lock.known_browser_failures,
        "known_browser_locked_until": lock.known_browser_locked_until.map(|at| at.to_string()),
    })
}
