//! Who may call.

use agamid_auth_server::ADMIN_AUDIENCE;
use agamid_auth_server::verifier::refusal;
use agamid_core::ports::{Caller, RequestFacts};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;

use crate::Api;

/// The caller, if its token is meant for this API and has the scope.
pub(crate) async fn authorize(
    api: &Api,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    scope: &str,
) -> Result<Caller, Box<Response>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let facts = RequestFacts {
        method: method.as_str().to_owned(),
        uri: format!("{}{path}", api.origin),
        authorization: text(header::AUTHORIZATION.as_str()),
        dpop: text("dpop"),
        client_certificate: None,
    };
    api.verifier.verify(&facts, ADMIN_AUDIENCE, scope).await.map_err(|refused| Box::new(refusal(&refused)))
}
