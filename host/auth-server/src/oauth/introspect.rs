//! `POST /oauth2/introspect` (RFC 7662).

use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_store::{Peeked, Purpose};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::AuthServer;
use crate::client::{AuthMethod, Client};
use crate::error::{Code, OauthError};
use crate::oauth::client_auth::authenticate;
use crate::oauth::form::Parameters;
use crate::oauth::issue::Grant;
use crate::token::TokenFamily;

/// What a token is worth. For a token that is not the caller's business the answer is that of one that never was.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, OauthError> {
    let form = Parameters::read_body(&headers, &body)?;
    let client = authenticate(&server, &headers, &form).await?;
    if client.token_endpoint_auth_method == AuthMethod::None {
        return Err(OauthError::new(Code::InvalidClient, "introspection needs client authentication"));
    }
    let token = form.require("token")?;
    let found = match access_token(&server, &client, token).await? {
        Some(found) => Some(found),
        None => refresh_token(&server, &client, token).await?,
    };
    let answer = found.unwrap_or_else(|| json!({ "active": false }));
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

fn may_know(caller: &Client, owner: &str, audience: &[String]) -> bool {
    caller.introspects_all || caller.client_id == owner || audience.contains(&caller.client_id)
}

async fn access_token(server: &AuthServer, caller: &Client, text: &str) -> Result<Option<Value>, OauthError> {
    let Some(live) = server.live_token(text).await? else { return Ok(None) };
    let token = live.token;
    if !may_know(caller, &token.client, &token.audience) {
        return Ok(None);
    }
    let mut answer = json!({
        "active": true,
        "client_id": token.client,
        "token_type": "Bearer",
        "scope": token.scopes.join(" "),
        "sub": token.subject,
        "aud": token.audience,
        "iss": server.web().issuer(),
        "iat": token.issued_at.seconds(),
        "exp": token.expires_at.seconds(),
    });
    if let (Some(person), Some(answer)) = (live.person, answer.as_object_mut()) {
        answer.insert("username".to_owned(), person.username.into());
    }
    Ok(Some(answer))
}

async fn refresh_token(
    server: &AuthServer,
    caller: &Client,
    text: &str,
) -> Result<Option<Value>, OauthError> {
    let Ok(hash) = OpaqueToken::parse(TokenKind::RefreshToken, text) else { return Ok(None) };
    let Peeked::Live(found) = server.store().peek(Purpose::RefreshToken, &hash).await? else {
        return Ok(None);
    };
    let owner = found.client.clone().unwrap_or_default();
    let family = found.family.clone().unwrap_or_default();
    let family = server.store().get::<TokenFamily>(&family).await?.map(|found| found.record);
    let grant: Grant = serde_json::from_value(found.payload.clone()).map_err(OauthError::server)?;
    let Some(client) = server.clients().get(&owner).await? else { return Ok(None) };
    let consents = &server.identity().consents;
    let Some(family) = family.filter(|family| !family.revoked && family.client == owner) else {
        return Ok(None);
    };
    let schema = server.identity().attributes.schema().await?;
    let (items, then) = (grant.consented(&schema), family.id.made_at());
    let alive = (!client.require_consent
        || consents.covers_since(&grant.person, &owner, &items, then).await?)
        && server.is_standing(&grant.person, (!grant.is_offline()).then_some(&grant.session)).await?;
    if !alive || !may_know(caller, &owner, &[]) {
        return Ok(None);
    }
    Ok(Some(json!({
        "active": true,
        "client_id": owner,
        "scope": grant.scopes.join(" "),
        "iss": server.web().issuer(),
        "exp": found.expires_at.seconds(),
    })))
}
