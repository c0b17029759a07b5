//! Client authentication (RFC 6749 section 2.3).

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::AuthServer;
use crate::client::{AuthMethod, Client};
use crate::error::{Code, OauthError};
use crate::oauth::form::Parameters;

/// What a request brings.
struct Presented {
    client_id: String,
    secret: Option<String>,
    method: AuthMethod,
}

/// The authenticated client. All refusals of what was presented look the same.
pub(crate) async fn authenticate(
    server: &AuthServer,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Client, OauthError> {
    let presented = presented(headers, form)?;
    let refused = || OauthError {
        code: Code::InvalidClient,
        description: "client authentication failed".to_owned(),
        basic: presented.method == AuthMethod::ClientSecretBasic,
    };
    let client = server.clients().get(&presented.client_id).await?.ok_or_else(refused)?;
    if !same_strength(client.token_endpoint_auth_method, presented.method) {
        return Err(refused());
    }
    match (&client.secret_hash, &presented.secret) {
        (None, None) => Ok(client),
        (Some(hash), Some(secret)) => {
            let given = Client::hash_secret(secret);
            let equal: bool = hash.as_bytes().ct_eq(given.as_bytes()).into();
            if equal { Ok(client) } else { Err(refused()) }
        }
        _ => Err(refused()),
    }
}

/// A secret may come in the header or in the body, whichever is registered: libraries differ, and neither is stronger.
/// Everything else must be as registered.
fn same_strength(registered: AuthMethod, presented: AuthMethod) -> bool {
    let with_secret = |method| matches!(method, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost);
    registered == presented || (with_secret(registered) && with_secret(presented))
}

fn presented(headers: &HeaderMap, form: &Parameters) -> Result<Presented, OauthError> {
    let in_form = form.get("client_secret").map(str::to_owned);
    let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
    let Some(header) = credentials.next() else {
        let client_id = form.get("client_id").ok_or_else(|| {
            OauthError::new(Code::InvalidClient, "no client authentication, and no client_id")
        })?;
        let client_id = client_id.to_owned();
        let method = if in_form.is_some() { AuthMethod::ClientSecretPost } else { AuthMethod::None };
        return Ok(Presented { client_id, secret: in_form, method });
    };
    if in_form.is_some() || credentials.next().is_some() {
        return Err(OauthError::new(Code::InvalidRequest, "the client authenticates in more than one way"));
    }
    let malformed = || OauthError {
        code: Code::InvalidClient,
        description: "the Authorization header is no HTTP Basic".to_owned(),
        basic: true,
    };
    let (scheme, encoded) =
        header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    let (client_id, secret) = (form_decode(id), form_decode(secret));
    if form.get("client_id").is_some_and(|other| other != client_id) {
        return Err(OauthError::new(Code::InvalidRequest, "client_id differs from the authenticated client"));
    }
    Ok(Presented { client_id, secret: Some(secret), method: AuthMethod::ClientSecretBasic })
}

/// Id and secret are form-encoded inside HTTP Basic (RFC 6749 section 2.3.1).
fn form_decode(text: &str) -> String {
    let pair = format!("v={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
