//! What resources about people share: who calls, whom it is about, and how their errors are told.

use agamid_core::id::PersonId;
use agamid_core::ports::Caller;
use agamid_identity::{IdentityError, OrgScope, Person};
use agamid_store::StoreError;
use agamid_web::Problem;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::Api;

/// The largest body of these resources, in bytes.
const MAX_BODY: usize = 64 << 10;

/// Whose people the API sees: those of the whole server.
pub(crate) const SCOPE: OrgScope = OrgScope::All;

/// Who did it, for the audit.
pub(crate) fn actor(caller: &Caller) -> &str {
    caller.person.as_ref().map_or(&caller.client_id, PersonId::as_str)
}

/// Needed besides other scopes, to make administrators, to change or delete them, and for what they prove themselves
/// with: who writes users is no administrator yet.
const ADMINISTRATORS: &str = "config.administrators.write";

/// Whether the caller may change administrators.
pub(crate) fn may_administrators(caller: &Caller) -> bool {
    caller.scopes.iter().any(|scope| scope == ADMINISTRATORS)
}

/// Refuses a caller that may not, where one is concerned.
pub(crate) fn check_administrators(caller: &Caller, concerned: bool) -> Result<(), Box<Response>> {
    if !concerned || may_administrators(caller) {
        return Ok(());
    }
    let detail = format!("administrators are made, changed and deleted with the scope {ADMINISTRATORS}");
    let mut problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail);
    problem.field = Some("administrator".to_owned());
    Err(Box::new(problem.into_response()))
}

/// The person with this id.
pub(crate) async fn person(api: &Api, id: &str) -> Result<Person, Box<Response>> {
    let found = match PersonId::parse(id) {
        Some(id) => api.identity.persons.get(&SCOPE, &id).await.map_err(failed)?,
        None => None,
    };
    found.ok_or_else(|| missing("no_such_user", format!("there is no user {id}")))
}

/// The person of the parameter `person`.
pub(crate) async fn person_of_query(api: &Api, id: Option<&str>) -> Result<Person, Box<Response>> {
    match id {
        Some(id) => person(api, id).await,
        None => Err(bad("person", "say whose: ?person=ID".to_owned())),
    }
}

/// 404.
pub(crate) fn missing(code: &'static str, detail: String) -> Box<Response> {
    Box::new(Problem::new(StatusCode::NOT_FOUND, code, detail).into_response())
}

/// 400.
pub(crate) fn bad(field: &str, detail: String) -> Box<Response> {
    let mut problem = Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail);
    problem.field = Some(field.to_owned());
    Box::new(problem.into_response())
}

/// The body as a type. Read only when the caller is known: strangers can't make the server hold one.
pub(crate) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Box<Response>> {
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        let detail = format!("the body has more than {MAX_BODY} bytes, or was cut off");
        return Err(Box::new(
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into_response(),
        ));
    };
    // The text of serde's errors may quote a value, which here may be a password: only the place is told.
    serde_json::from_slice(&bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        bad("body", format!("the body is not what this resource takes, at {place}"))
    })
}

/// What went wrong, told to an administrator.
pub(crate) fn failed(error: IdentityError) -> Box<Response> {
    let detail = error.to_string();
    let problem = match error {
        IdentityError::Password(violations) => {
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "password_refused", detail);
            problem.field = Some("password".to_owned());
            let each = violations.iter().map(|one| json!({ "code": one.code(), "message": one.to_string() }));
            problem.extra.insert("violations".to_owned(), each.collect());
            problem
        }
        IdentityError::Hash(_) | IdentityError::TooManyShapes { .. } => {
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "hash_refused", detail);
            problem.field = Some("hash".to_owned());
            problem
        }
        IdentityError::Label { .. } => return bad("label", detail),
        IdentityError::NoPerson => return missing("no_such_user", detail),
        IdentityError::Busy | IdentityError::Store(StoreError::Unavailable(_)) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
        }
        _ => {
            tracing::error!(event = "config_api.failed", error = detail);
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the server failed; see its log")
        }
    };
    Box::new(problem.into_response())
}
