//! `POST /oauth2/token` (RFC 6749 section 3.2).

use agamid_core::id::FamilyId;
use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_store::{Consume, Consumption, Purpose};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::AuthServer;
use crate::client::Client;
use crate::error::{Code, OauthError};
use crate::oauth::client_auth::authenticate;
use crate::oauth::form::Parameters;
use crate::oauth::issue::{Grant, Issued};

/// Authenticates the client, then hands over to the grant.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, OauthError> {
    let form = Parameters::read_body(&headers, &body)?;
    let client = authenticate(&server, &headers, &form).await?;
    let issued = match form.require("grant_type")? {
        "authorization_code" => authorization_code(&server, &client, &form).await?,
        _ => return Err(OauthError::new(Code::UnsupportedGrantType, "supported is: authorization_code")),
    };
    Ok(answer(issued))
}

/// RFC 6749 section 4.1.3 with RFC 7636: the code is used up before anything else is looked at.
async fn authorization_code(
    server: &AuthServer,
    client: &Client,
    form: &Parameters,
) -> Result<Issued, OauthError> {
    let code = form.require("code")?;
    let redirect_uri = form.require("redirect_uri")?;
    let verifier = form.get("code_verifier");
    let refused = |reason: &str| OauthError::new(Code::InvalidGrant, reason);
    let hash = OpaqueToken::parse(TokenKind::Code, code).map_err(|_| refused("the code is not valid"))?;
    let mut consume = Consume::new(Purpose::Code, hash);
    consume.client = Some(client.client_id.clone());
    consume.address = Some(redirect_uri.to_owned());
    let used = match server.store().consume(consume).await? {
        Consumption::Consumed(used) => used,
        Consumption::Replayed(tombstone) => {
            if let Some(family) = &tombstone.family {
                server.revoke_family(family, &client.client_id).await?;
            }
            return Err(refused("the code was used already"));
        }
        Consumption::Mismatch(field) => {
            tracing::warn!(event = "oauth.code_mismatch", client = client.client_id, field);
            return Err(refused("the code was made for another client or redirect_uri"));
        }
        Consumption::Absent => return Err(refused("the code is not valid")),
    };
    let grant: Grant = serde_json::from_value(used.payload).map_err(OauthError::server)?;
    check_verifier(&grant.code_challenge, verifier)?;
    let family = used.family.as_deref().and_then(FamilyId::parse);
    let family = family.ok_or_else(|| OauthError::server("a code without a family"))?;
    server.issue(client, family, &grant).await
}

/// PKCE with S256 (RFC 7636 section 4.6).
fn check_verifier(challenge: &str, verifier: Option<&str>) -> Result<(), OauthError> {
    let refused = |reason: &str| Err(OauthError::new(Code::InvalidGrant, reason));
    let Some(verifier) = verifier else { return refused("code_verifier is missing") };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(plain) {
        return refused("code_verifier must have 43 to 128 unreserved characters");
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let equal: bool = URL_SAFE_NO_PAD.encode(digest).as_bytes().ct_eq(challenge.as_bytes()).into();
    if equal { Ok(()) } else { refused("code_verifier does not fit the code_challenge") }
}

fn answer(issued: Issued) -> Response {
    let mut body = json!({
        "access_token": issued.access_token.expose(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    });
    if let (Some(id_token), Some(body)) = (issued.id_token, body.as_object_mut()) {
        body.insert("id_token".to_owned(), id_token.into());
    }
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}
