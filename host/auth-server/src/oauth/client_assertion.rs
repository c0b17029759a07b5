//! `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9).

use std::time::Duration;

use agamid_core::jose::{self, Expected, SigningAlgorithm};
use agamid_core::secret::sha256_hex;
use agamid_core::time::Timestamp;
use agamid_store::{Batch, OneTime, Purpose, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::AuthServer;
use crate::client::Client;
use crate::error::{Code, OauthError};
use crate::oauth::form::Parameters;

/// The only assertion type.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An assertion may be valid this long at most: libraries make them for an hour.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Tolerance between two clocks, in seconds.
const SKEW: i64 = 10;

fn refused(reason: &str) -> OauthError {
    OauthError::new(Code::InvalidClient, format!("client_assertion: {reason}"))
}

/// The client that an assertion names, and the assertion; nothing is verified yet.
pub(crate) fn presented(form: &Parameters) -> Result<Option<(String, String)>, OauthError> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(TYPE), Some(jwt)) => {
            let named = subject(jwt).ok_or_else(|| refused("not a JWT with a sub"))?;
            if form.get("client_id").is_some_and(|other| other != named) {
                return Err(refused("its sub is another client than client_id"));
            }
            Ok(Some((named, jwt.to_owned())))
        }
        (Some(_), _) => Err(refused(&format!("client_assertion_type must be {TYPE}"))),
        (None, Some(_)) => Err(refused("client_assertion_type is missing")),
    }
}

fn subject(jwt: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

/// Verifies an assertion with the client's registered keys; each works once.
pub(crate) async fn verify(server: &AuthServer, client: &Client, jwt: &str) -> Result<(), OauthError> {
    let kid = jose::kid(jwt).map_err(|error| refused(&error.to_string()))?;
    let jwks = server.client_keys().of(client, kid.as_deref()).await.map_err(refused)?;
    let now = server.env().now();
    let registered = client.token_endpoint_auth_signing_alg.as_ref().map(std::slice::from_ref);
    let algorithms = registered.unwrap_or(&SigningAlgorithm::ALL);
    let expected = Expected {
        typ: &["JWT", "client-authentication+jwt", ""],
        algorithms,
        kid_required: false,
        now,
        skew: SKEW,
        expired_too: false,
    };
    let claims = jose::verify(jwt, &jwks, &expected).map_err(|error| refused(&error.to_string()))?;
    for name in ["iss", "sub"] {
        if claims.get(name).and_then(Value::as_str) != Some(client.client_id.as_str()) {
            return Err(refused(&format!("{name} must be the client_id")));
        }
    }
    check_audience(server, &claims)?;
    let exp = claims.get("exp").and_then(jose::seconds).unwrap_or_default();
    let longest = now.plus(LONGEST).seconds().saturating_add(SKEW);
    if exp > longest {
        return Err(refused("exp is too far away; an hour is allowed"));
    }
    let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty() && jti.len() <= 512);
    let jti = jti.ok_or_else(|| refused("jti is missing"))?;
    used_once(server, client, jti, Timestamp::from_seconds(exp.saturating_add(SKEW + 1))).await
}

/// The issuer, or the endpoint at which it is used (RFC 7523 section 3).
fn check_audience(server: &AuthServer, claims: &Value) -> Result<(), OauthError> {
    let own = [
        server.web().issuer().to_owned(),
        format!("{}/", server.web().issuer()),
        server.web().url("/oauth2/token"),
        server.web().url("/oauth2/par"),
        server.web().url("/oauth2/introspect"),
        server.web().url("/oauth2/revoke"),
    ];
    let is_own = |value: &Value| value.as_str().is_some_and(|text| own.iter().any(|known| known == text));
    let fits = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(is_own),
        Some(one) => is_own(one),
        None => false,
    };
    if fits { Ok(()) } else { Err(refused("aud must be the issuer")) }
}

async fn used_once(
    server: &AuthServer,
    client: &Client,
    jti: &str,
    expires_at: Timestamp,
) -> Result<(), OauthError> {
    let record = OneTime {
        purpose: Purpose::Jti,
        hash: sha256_hex(format!("{}\0{jti}", client.client_id).as_bytes()),
        client: Some(client.client_id.clone()),
        person: None,
        session: None,
        run: None,
        address: None,
        family: None,
        payload: Value::Null,
        expires_at,
    };
    match server.store().commit(Batch::new().issue(record)).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict { .. }) => Err(refused("its jti was used before")),
        Err(error) => Err(error.into()),
    }
}
