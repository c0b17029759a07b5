//! Client authentication (RFC 6749 section 2.3).

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::AuthServer;
use crate::client::{AuthMethod, Client};
use crate::error::{Code, OauthError};
use crate::oauth::client_assertion;
use crate::oauth::form::Parameters;

/// What a request brings.
struct Presented {
    client_id: String,
    proof: Proof,
    /// By HTTP Basic.
    basic: bool,
}

enum Proof {
    None,
    Secret(String),
    Assertion(String),
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
        basic: presented.basic,
    };
    let client = server.clients().get(&presented.client_id).await?.ok_or_else(refused)?;
    let registered = client.token_endpoint_auth_method;
    match &presented.proof {
        Proof::None if registered == AuthMethod::None => Ok(client),
        // A secret may come in the header or in the body, whichever is registered: libraries differ, and neither is
        // stronger.
        Proof::Secret(secret) if registered.is_secret() => {
            let given = Client::hash_secret(secret);
            let hash = client.secret_hash.as_deref().unwrap_or_default();
            let equal: bool = hash.as_bytes().ct_eq(given.as_bytes()).into();
            if equal { Ok(client) } else { Err(refused()) }
        }
        Proof::Assertion(jwt) if registered == AuthMethod::PrivateKeyJwt => {
            client_assertion::verify(server, &client, jwt).await?;
            Ok(client)
        }
        _ => Err(refused()),
    }
}

fn presented(headers: &HeaderMap, form: &Parameters) -> Result<Presented, OauthError> {
    let in_form = form.get("client_secret").map(str::to_owned);
    let assertion = client_assertion::presented(form)?;
    let mut credentials = headers.get_all(header::AUTHORIZATION).iter();
    let several = || OauthError::new(Code::InvalidRequest, "the client authenticates in more than one way");
    let Some(header) = credentials.next() else {
        if let Some((client_id, jwt)) = assertion {
            if in_form.is_some() {
                return Err(several());
            }
            return Ok(Presented { client_id, proof: Proof::Assertion(jwt), basic: false });
        }
        let client_id = form.get("client_id").ok_or_else(|| {
            OauthError::new(Code::InvalidClient, "no client authentication, and no client_id")
        })?;
        let client_id = client_id.to_owned();
        let proof = in_form.map_or(Proof::None, Proof::Secret);
        return Ok(Presented { client_id, proof, basic: false });
    };
    if in_form.is_some() || assertion.is_some() || credentials.next().is_some() {
        return Err(several());
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
    Ok(Presented { client_id, proof: Proof::Secret(secret), basic: true })
}

/// Id and secret are form-encoded inside HTTP Basic (RFC 6749 section 2.3.1).
fn form_decode(text: &str) -> String {
    let pair = format!("v={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
