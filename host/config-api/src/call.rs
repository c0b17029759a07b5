//! What the resources of people have in common: who calls, what is sent, what is answered.

use agamid_core::blame::{Blame, Blamed as _};
use agamid_core::id::OrgId;
use agamid_core::ports::Caller;
use agamid_identity::{IdentityError, OrgScope};
use agamid_store::StoreError;
use agamid_web::Problem;
use axum::Json;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{ErrorResponse, IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Api;
use crate::authorize::authorize;

/// The largest document that can be sent, in bytes.
const MAX_BODY: usize = 256 << 10;
/// Records in a page, unless the caller says otherwise, and the most.
const PAGE: usize = 50;
const MAX_PAGE: usize = 200;

/// An answer, or a refusal.
pub(crate) type Answer = Result<Response, ErrorResponse>;

/// What is asked for, before anything of it is believed.
pub(crate) struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self { method: parts.method.clone(), uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

impl Call {
    /// The caller, if it has the scope.
    pub(crate) async fn by(&self, api: &Api, scope: &str) -> Result<Caller, ErrorResponse> {
        let allowed = authorize(api, &self.method, self.uri.path(), &self.headers, scope).await;
        allowed.map_err(|refused| (*refused).into())
    }

    /// The parameters of the query. Unknown ones and those that are there twice are refused.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, ErrorResponse> {
        let mut all = Map::new();
        for (name, value) in url::form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes()) {
            if all.insert(name.clone().into_owned(), Value::from(value.into_owned())).is_some() {
                return Err(invalid(&name, "is there twice").into());
            }
        }
        agamid_identity::json::read(Value::Object(all)).map_err(|error| refused(&error).into())
    }
}

/// Reads a JSON document that was sent. To be called once the caller is known: strangers can't make the server hold it.
pub(crate) async fn document(body: Body) -> Result<Value, ErrorResponse> {
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        let detail = format!("the document has more than {MAX_BODY} bytes, or was cut off");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into());
    };
    let read = serde_json::from_slice(&bytes);
    read.map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "no_json", format!("the document is no JSON: {error}")).into()
    })
}

/// Which part of a list is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// `next` of the page before.
    pub(crate) after: Option<String>,
    /// See [`Window::limit`].
    pub(crate) limit: Option<String>,
}

impl Window {
    /// How many.
    pub(crate) fn limit(&self) -> Result<usize, ErrorResponse> {
        let Some(text) = &self.limit else { return Ok(PAGE) };
        match text.parse() {
            Ok(limit) if (1..=MAX_PAGE).contains(&limit) => Ok(limit),
            _ => Err(invalid("limit", &format!("is 1 to {MAX_PAGE}")).into()),
        }
    }
}

/// The scope of a list: one organisation where it is named.
pub(crate) fn scope_of(organisation: Option<&str>) -> Result<OrgScope, ErrorResponse> {
    match organisation {
        None => Ok(OrgScope::All),
        Some(id) => OrgId::parse(id).map(OrgScope::One).ok_or_else(|| no_such("organisation").into()),
    }
}

/// Where somebody new belongs: the organisation that is named, else the server's own.
pub(crate) fn home(api: &Api, organisation: Option<&str>) -> Result<OrgId, ErrorResponse> {
    match scope_of(organisation)? {
        OrgScope::One(id) => Ok(id),
        OrgScope::All => Ok(api.organisation.clone()),
    }
}

/// An answer that nobody keeps.
pub(crate) fn answer(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Nothing under this id.
pub(crate) fn no_such(what: &str) -> Problem {
    let code = match what {
        "user" => "no_such_user",
        "group" => "no_such_group",
        "attribute" => "no_such_attribute",
        _ => "no_such_organisation",
    };
    Problem::new(StatusCode::NOT_FOUND, code, format!("there is no such {what}"))
}

/// A part of the request is wrong.
pub(crate) fn invalid(field: &str, reason: &str) -> Problem {
    let mut problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_value", format!("{field}: {reason}"));
    problem.field = Some(field.to_owned());
    problem
}

/// A refusal or failure of the identity services.
pub(crate) fn refused(error: &IdentityError) -> Problem {
    let (status, code) = match error {
        IdentityError::NoPerson => return no_such("user"),
        IdentityError::NoGroup => return no_such("group"),
        IdentityError::NoAttribute => return no_such("attribute"),
        IdentityError::NoOrganisation => return no_such("organisation"),
        IdentityError::UsernameTaken(_) | IdentityError::Taken { .. } => (StatusCode::CONFLICT, "taken"),
        IdentityError::Duplicates(_) => (StatusCode::CONFLICT, "duplicates"),
        IdentityError::VersionChanged => (StatusCode::CONFLICT, "changed"),
        IdentityError::OrganisationInUse(_) => (StatusCode::CONFLICT, "in_use"),
        IdentityError::Cycle | IdentityError::TooDeep => (StatusCode::CONFLICT, "nesting"),
        IdentityError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        IdentityError::Store(StoreError::Unavailable(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
        }
        error if error.blame() == Blame::Us => {
            tracing::error!(event = "admin.failed", %error);
            let detail = "the server failed; see its log";
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail);
        }
        _ => (StatusCode::BAD_REQUEST, "invalid_value"),
    };
    let mut problem = Problem::new(status, code, error.to_string());
    problem.field = error.field().map(str::to_owned);
    if let IdentityError::Duplicates(found) = error {
        problem.extra.insert("duplicates".to_owned(), serde_json::json!(found));
    }
    problem
}

/// For `map_err`.
pub(crate) fn refuse(error: IdentityError) -> ErrorResponse {
    refused(&error).into()
}
