//! `POST /oauth2/par` (RFC 9126): an authorization request, sent by the client itself.

use std::time::Duration;

use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_store::{Batch, Consume, Consumption, OneTime, Purpose};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::AuthServer;
use crate::error::{Code, OauthError};
use crate::oauth::authorize::{Refusal, read_request};
use crate::oauth::client_auth::authenticate;
use crate::oauth::form::{Parameters, check_length};

/// What a request_uri of ours starts with.
pub(crate) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Checks the request as the authorization endpoint would, and keeps it for one use.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, OauthError> {
    let form = Parameters::read_body(&headers, &body)?;
    let client = authenticate(&server, &headers, &form).await?;
    if form.get("request_uri").is_some() {
        return Err(OauthError::new(Code::InvalidRequest, "request_uri can't be pushed"));
    }
    let mut parameters = form;
    for name in ["client_secret", "client_assertion", "client_assertion_type"] {
        parameters.remove(name);
    }
    parameters.set("client_id", &client.client_id);
    let encoded = parameters.encode();
    check_length(encoded.as_bytes())?;
    read_request(&server, &client, &encoded).map_err(|refusal| match refusal {
        Refusal::Page(error) | Refusal::Redirect { error, .. } => error,
    })?;
    let token = OpaqueToken::generate(TokenKind::PushedRequest, server.env());
    let lifetime = server.settings().pushed_request_lifetime;
    let record = OneTime {
        purpose: Purpose::PushedRequest,
        hash: token.hash,
        client: Some(client.client_id),
        person: None,
        session: None,
        run: None,
        address: None,
        family: None,
        payload: encoded.into(),
        expires_at: server.env().now().plus(Duration::from_secs(lifetime)),
    };
    server.store().commit(Batch::new().issue(record)).await?;
    let answer = json!({ "request_uri": format!("{PREFIX}{}", token.text.expose()), "expires_in": lifetime });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

impl AuthServer {
    /// The parameters that this client pushed under a request_uri; each works once.
    pub(crate) async fn take_pushed(&self, client_id: &str, request_uri: &str) -> Result<String, OauthError> {
        let refused = |reason: &str| OauthError::new(Code::InvalidRequest, reason);
        let text = request_uri.strip_prefix(PREFIX).unwrap_or_default();
        let hash = OpaqueToken::parse(TokenKind::PushedRequest, text)
            .map_err(|_| refused("request_uri is none that was pushed here"))?;
        match self.store().consume(Consume::new(Purpose::PushedRequest, hash).client(client_id)).await? {
            Consumption::Consumed(found) => Ok(found.payload.as_str().unwrap_or_default().to_owned()),
            Consumption::Replayed(_) => Err(refused("request_uri was used already")),
            Consumption::Mismatch(_) | Consumption::Absent => {
                Err(refused("request_uri is unknown, too old, or another client's"))
            }
        }
    }
}
