//! `GET` and `POST /oauth2/userinfo` (OpenID Connect Core section 5.3).

use agamid_core::ports::TokenRefusal;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};

use crate::AuthServer;
use crate::oauth::form::{Parameters, is_form};
use crate::verifier::refusal;

/// The claims that the token's scopes give.
pub(crate) async fn respond(
    State(server): State<AuthServer>,
    method: Method,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    match claims(&server, &method, &headers, &body).await {
        Ok(claims) => ([(header::CACHE_CONTROL, "no-store")], Json(claims)).into_response(),
        Err(refused) => refusal(&refused),
    }
}

async fn claims(
    server: &AuthServer,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<serde_json::Value, TokenRefusal> {
    let token = bearer(method, headers, body)?;
    let live = server.check_token(&token, server.web().issuer(), "openid").await?;
    let person = live.person.ok_or(TokenRefusal::InvalidToken)?;
    let claims = server.claims(&person, &live.client, &live.token.scopes, &live.token.claims).await;
    let mut claims = claims.map_err(|_| TokenRefusal::Unavailable)?;
    claims.insert("sub".to_owned(), live.token.subject.into());
    Ok(claims.into())
}

/// From the header, or from a form (RFC 6750 section 2.1 and 2.2); never from the query, and never twice.
fn bearer(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<String, TokenRefusal> {
    let in_header = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let in_header = in_header.map(crate::verifier::bearer_of).transpose()?;
    let mut in_form = None;
    if *method == Method::POST && is_form(headers) {
        let form = Parameters::read_body(headers, body)
            .map_err(|error| TokenRefusal::InvalidRequest(error.description))?;
        in_form = form.get("access_token").map(str::to_owned);
    }
    match (in_header, in_form) {
        (Some(_), Some(_)) => {
            Err(TokenRefusal::InvalidRequest("the access token is sent in more than one way".to_owned()))
        }
        (Some(token), None) | (None, Some(token)) => Ok(token),
        (None, None) => Err(TokenRefusal::Missing),
    }
}
