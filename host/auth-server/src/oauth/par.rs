//! `POST /oauth2/par` (RFC 9126): an authorization request, sent by the client itself.

use std::time::Duration;

use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_store::{Batch, Consume, Consumption, OneTime, Purpose};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
        payload: server.seal_pushed(&token.hash, &encoded)?,
        hash: token.hash,
        client: Some(client.client_id),
        person: None,
        session: None,
        run: None,
        address: None,
        family: None,
        expires_at: server.env().now().plus(Duration::from_secs(lifetime)),
    };
    server.store().commit(Batch::new().issue(record)).await?;
    let answer = json!({ "request_uri": format!("{PREFIX}{}", token.text.expose()), "expires_in": lifetime });
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// What a sealed request is bound to.
const SEALED: &str = "pushed request";

impl AuthServer {
    /// A request may bring what should not lie about, an ID token as a hint for one.
    fn seal_pushed(&self, hash: &str, encoded: &str) -> Result<serde_json::Value, OauthError> {
        let sealed = self.sealer().seal(SEALED, hash.as_bytes(), encoded.as_bytes());
        Ok(STANDARD.encode(sealed.map_err(OauthError::server)?).into())
    }

    fn open_pushed(&self, found: &OneTime) -> Result<String, OauthError> {
        let sealed =
            STANDARD.decode(found.payload.as_str().unwrap_or_default()).map_err(OauthError::server)?;
        let opened =
            self.sealer().open(SEALED, found.hash.as_bytes(), &sealed).map_err(OauthError::server)?;
        String::from_utf8(opened.to_vec()).map_err(OauthError::server)
    }

    /// The parameters that this client pushed under a request_uri; each works once.
    pub(crate) async fn take_pushed(&self, client_id: &str, request_uri: &str) -> Result<String, OauthError> {
        let refused = |reason: &str| OauthError::new(Code::InvalidRequest, reason);
        let text = request_uri.strip_prefix(PREFIX).unwrap_or_default();
        let hash = OpaqueToken::parse(TokenKind::PushedRequest, text)
            .map_err(|_| refused("request_uri is none that was pushed here"))?;
        match self.store().consume(Consume::new(Purpose::PushedRequest, hash).client(client_id)).await? {
            Consumption::Consumed(found) => self.open_pushed(&found),
            Consumption::Replayed(_) => Err(refused("request_uri was used already")),
            Consumption::Mismatch(_) | Consumption::Absent => {
                Err(refused("request_uri is unknown, too old, or another client's"))
            }
        }
    }
}
