//! `POST /oauth2/token` (RFC 6749 section 3.2).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::AuthServer;
use crate::client::GrantType;
use crate::error::{Code, OauthError};
use crate::oauth::client_auth::authenticate;
use crate::oauth::form::Parameters;
use crate::oauth::grant::{authorization_code, client_credentials, refresh_token};
use crate::oauth::issue::Issued;

/// Authenticates the client, then hands over to the grant.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, OauthError> {
    let form = Parameters::read_body(&headers, &body)?;
    let client = authenticate(&server, &headers, &form).await?;
    let issued = match GrantType::parse(form.require("grant_type")?) {
        Some(GrantType::AuthorizationCode) => authorization_code::redeem(&server, &client, &form).await?,
        Some(GrantType::RefreshToken) => refresh_token::redeem(&server, &client, &form).await?,
        Some(GrantType::ClientCredentials) => client_credentials::redeem(&server, &client, &form).await?,
        None => {
            let known = GrantType::ALL.map(GrantType::name).join(", ");
            return Err(OauthError::new(Code::UnsupportedGrantType, format!("supported are: {known}")));
        }
    };
    Ok(answer(issued))
}

/// RFC 6749 section 5.1.
fn answer(issued: Issued) -> Response {
    let mut body = json!({
        "access_token": issued.access_token.expose(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    });
    if let Some(body) = body.as_object_mut() {
        if let Some(refresh_token) = issued.refresh_token {
            body.insert("refresh_token".to_owned(), refresh_token.expose().into());
        }
        if let Some(id_token) = issued.id_token {
            body.insert("id_token".to_owned(), id_token.into());
        }
    }
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}
