//! `POST /oauth2/revoke` (RFC 7009).

use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_store::{AuditEvent, Batch, Expect, Peeked, Purpose};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::AuthServer;
use crate::client::Client;
use crate::error::OauthError;
use crate::oauth::client_auth::authenticate;
use crate::oauth::form::Parameters;
use crate::token::{AccessToken, TokenFamily, access_token_hash};

/// Ends a token. An unknown one, and one of another client, are answered the same, and stay as they are.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<StatusCode, OauthError> {
    let form = Parameters::read_body(&headers, &body)?;
    let client = authenticate(&server, &headers, &form).await?;
    let token = form.require("token")?;
    if !refresh_token(&server, &client, token).await? {
        access_token(&server, &client, token).await?;
    }
    Ok(StatusCode::OK)
}

/// A refresh token takes its whole family with it.
async fn refresh_token(server: &AuthServer, client: &Client, text: &str) -> Result<bool, OauthError> {
    let Ok(hash) = OpaqueToken::parse(TokenKind::RefreshToken, text) else { return Ok(false) };
    let family = match server.store().peek(Purpose::RefreshToken, &hash).await? {
        Peeked::Live(found) if found.client.as_deref() == Some(client.client_id.as_str()) => found.family,
        // Used already: by a refresh whose answer was lost, or by a thief. Either way its holder wants the end of it.
        Peeked::Used(tombstone) => tombstone.family,
        Peeked::Live(_) | Peeked::Absent => None,
    };
    let family = match family {
        Some(family) => server.store().get::<TokenFamily>(&family).await?,
        None => None,
    };
    let family = family.filter(|family| family.record.client == client.client_id);
    if let Some(family) = family {
        server.revoke_family(family.record.id.as_str(), &client.client_id, "the client asked for it").await?;
    }
    Ok(true)
}

async fn access_token(server: &AuthServer, client: &Client, text: &str) -> Result<(), OauthError> {
    let Some(hash) = access_token_hash(text) else { return Ok(()) };
    let found = server.store().get::<AccessToken>(&hash).await?;
    let Some(found) = found.filter(|found| found.record.client == client.client_id) else { return Ok(()) };
    let audit = AuditEvent::new("token.revoked", &client.client_id, &client.client_id);
    let batch = Batch::new().delete::<AccessToken>(&found.record.hash, Expect::Any).audit(audit);
    server.store().commit(batch).await?;
    Ok(())
}
