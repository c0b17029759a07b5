//! What a client may say of itself (RFC 7591 section 2), checked in order and made a [`Client`].

use agamid_core::jose::SigningAlgorithm;
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use crate::client::{AuthMethod, Client, GrantType, SubjectType, TokenFormat};
use crate::client_keys;
use crate::error::{Code, OauthError};
use crate::scope::STANDARD;

/// Lists in one registration, and the longest text.
const MAX_ITEMS: usize = 50;
const MAX_TEXT: usize = 2048;
/// What a client says of itself (RFC 7591 section 2, OpenID Connect Dynamic Client Registration section 2). Members that
/// are not known are ignored, as the specification wants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    tos_uri: Option<String>,
    contacts: Vec<String>,
    application_type: Option<String>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    response_types: Option<Vec<String>>,
    grant_types: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    scope: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    sector_identifier_uri: Option<String>,
    subject_type: Option<String>,
    id_token_signed_response_alg: Option<String>,
    token_endpoint_auth_signing_alg: Option<String>,
    require_pkce: bool,
    userinfo_signed_response_alg: Option<String>,
    default_acr_values: Vec<String>,
    default_max_age: Option<u64>,
    require_pushed_authorization_requests: bool,
    software_statement: Option<String>,
    access_token_format: Option<String>,
}

pub(super) fn invalid(reason: impl Into<String>) -> OauthError {
    OauthError::new(Code::InvalidClientMetadata, reason)
}

/// Reads the body of a registration.
pub(super) fn read(body: &[u8]) -> Result<Metadata, OauthError> {
    let unreadable = |error: serde_json::Error| invalid(format!("the body is no client metadata: {error}"));
    let json: Value = serde_json::from_slice(body).map_err(unreadable)?;
    if !json.is_object() {
        return Err(invalid("the body is no JSON object"));
    }
    serde_json::from_value(json).map_err(unreadable)
}

/// Checks metadata in order and makes a client of it; ids and secrets are the caller's.
pub(super) fn client_of(metadata: &Metadata) -> Result<Client, OauthError> {
    check_unsupported(metadata)?;
    check_texts(metadata)?;
    let auth_method = auth_method(metadata)?;
    let grant_types = grant_types(metadata, auth_method)?;
    check_redirect_uris(metadata, &grant_types)?;
    let subject_type = subject_type(metadata)?;
    Ok(Client {
        client_id: String::new(),
        client_name: metadata.client_name.clone().unwrap_or_default(),
        client_uri: metadata.client_uri.clone(),
        logo_uri: metadata.logo_uri.clone(),
        policy_uri: metadata.policy_uri.clone(),
        tos_uri: metadata.tos_uri.clone(),
        contacts: metadata.contacts.clone(),
        secret_hash: None,
        token_endpoint_auth_method: auth_method,
        token_endpoint_auth_signing_alg: named_algorithm(
            "token_endpoint_auth_signing_alg",
            metadata.token_endpoint_auth_signing_alg.as_deref(),
        )?,
        jwks: jwks(metadata, auth_method)?,
        jwks_uri: metadata.jwks_uri.clone(),
        grant_types,
        redirect_uris: metadata.redirect_uris.clone(),
        post_logout_redirect_uris: metadata.post_logout_redirect_uris.clone(),
        scopes: scopes(metadata)?,
        default_acr_values: metadata.default_acr_values.clone(),
        default_max_age: metadata.default_max_age,
        subject_type,
        sector_identifier_uri: metadata.sector_identifier_uri.clone(),
        require_consent: true,
        require_pkce: metadata.require_pkce,
        require_pushed_authorization_requests: metadata.require_pushed_authorization_requests,
        id_token_signed_response_alg: algorithm(metadata)?,
        access_token_format: match metadata.access_token_format.as_deref() {
            None | Some("opaque") => TokenFormat::Opaque,
            Some("jwt") => TokenFormat::Jwt,
            Some(_) => return Err(invalid("access_token_format is opaque or jwt")),
        },
        introspects_all: false,
        registration_hash: None,
        disabled: false,
        created_at: agamid_core::time::Timestamp::default(),
    })
}

fn check_unsupported(metadata: &Metadata) -> Result<(), OauthError> {
    if metadata.software_statement.is_some() {
        return Err(OauthError::new(
            Code::UnapprovedSoftwareStatement,
            "software statements are not accepted",
        ));
    }
    if metadata.userinfo_signed_response_alg.is_some() {
        return Err(invalid("userinfo_signed_response_alg is not supported; userinfo is JSON"));
    }
    Ok(())
}

fn check_texts(metadata: &Metadata) -> Result<(), OauthError> {
    let lists = [
        ("redirect_uris", &metadata.redirect_uris),
        ("post_logout_redirect_uris", &metadata.post_logout_redirect_uris),
        ("contacts", &metadata.contacts),
        ("default_acr_values", &metadata.default_acr_values),
    ];
    for (name, list) in lists {
        if list.len() > MAX_ITEMS || list.iter().any(|item| item.len() > MAX_TEXT) {
            return Err(invalid(format!("{name} is too long")));
        }
    }
    if metadata.client_name.as_ref().is_some_and(|name| name.len() > 200) {
        return Err(invalid("client_name has more than 200 bytes"));
    }
    let links = [
        ("client_uri", &metadata.client_uri),
        ("logo_uri", &metadata.logo_uri),
        ("policy_uri", &metadata.policy_uri),
        ("tos_uri", &metadata.tos_uri),
    ];
    for (name, link) in links {
        let Some(link) = link else { continue };
        let is_web = Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_web || link.len() > MAX_TEXT {
            return Err(invalid(format!("{name} must be an http or https URL")));
        }
    }
    let fetched =
        [("jwks_uri", &metadata.jwks_uri), ("sector_identifier_uri", &metadata.sector_identifier_uri)];
    for (name, link) in fetched {
        let Some(link) = link else { continue };
        // Plain http is for networks that the operator listed; the guard decides on that when it is fetched.
        let is_web = Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if !is_web || link.len() > MAX_TEXT {
            return Err(invalid(format!("{name} must be an https URL")));
        }
    }
    Ok(())
}

fn auth_method(metadata: &Metadata) -> Result<AuthMethod, OauthError> {
    let Some(name) = &metadata.token_endpoint_auth_method else { return Ok(AuthMethod::default()) };
    let found = AuthMethod::ALL.into_iter().find(|method| method.name() == name);
    let known = AuthMethod::ALL.map(AuthMethod::name).join(", ");
    found.ok_or_else(|| {
        invalid(format!("token_endpoint_auth_method {name} is not supported; supported are {known}"))
    })
}

fn grant_types(metadata: &Metadata, auth: AuthMethod) -> Result<Vec<GrantType>, OauthError> {
    let mut found = Vec::new();
    match &metadata.grant_types {
        None => found.push(GrantType::AuthorizationCode),
        Some(names) => {
            for name in names {
                let known = GrantType::ALL.map(GrantType::name).join(", ");
                let grant = GrantType::parse(name).ok_or_else(|| {
                    invalid(format!("grant type {name} is not supported; supported are {known}"))
                })?;
                if !found.contains(&grant) {
                    found.push(grant);
                }
            }
        }
    }
    if found.contains(&GrantType::ClientCredentials) && auth == AuthMethod::None {
        return Err(invalid("client_credentials needs client authentication"));
    }
    if found.contains(&GrantType::RefreshToken) && !found.contains(&GrantType::AuthorizationCode) {
        return Err(invalid("refresh_token needs authorization_code"));
    }
    let responses = metadata.response_types.as_deref().unwrap_or_default();
    match responses.iter().find(|name| *name != "code") {
        Some(other) => Err(invalid(format!("response type {other} is not supported; supported is code"))),
        None if !responses.is_empty() && !found.contains(&GrantType::AuthorizationCode) => {
            Err(invalid("response type code needs the grant type authorization_code"))
        }
        None => Ok(found),
    }
}

/// https anywhere; http on loopback only; schemes of an app's own for native clients (RFC 8252 section 7).
fn check_redirect_uris(metadata: &Metadata, grants: &[GrantType]) -> Result<(), OauthError> {
    let native = metadata.application_type.as_deref() == Some("native");
    if !matches!(metadata.application_type.as_deref(), None | Some("web" | "native")) {
        return Err(invalid("application_type is web or native"));
    }
    let refuse = |uri: &str, reason: &str| {
        Err(OauthError::new(Code::InvalidRedirectUri, format!("redirect_uris: {uri:?} {reason}")))
    };
    if grants.contains(&GrantType::AuthorizationCode) && metadata.redirect_uris.is_empty() {
        return Err(OauthError::new(Code::InvalidRedirectUri, "redirect_uris is missing"));
    }
    for uri in metadata.redirect_uris.iter().chain(&metadata.post_logout_redirect_uris) {
        let Ok(url) = Url::parse(uri) else { return refuse(uri, "is no absolute URI") };
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.fragment().is_some() || uri.contains('#') {
            return refuse(uri, "has a fragment");
        }
        if !url.username().is_empty() || url.password().is_some() || uri.chars().any(char::is_whitespace) {
            return refuse(uri, "has a user, a password or blanks");
        }
        match url.scheme() {
            "https" if url.host().is_some() => {}
            "http" if loopback => {}
            "http" => return refuse(uri, "must be https; http is allowed on loopback only"),
            scheme if native && scheme.contains('.') => {}
            _ => {
                return refuse(uri, "must be https, or for a native client a scheme such as com.example.app");
            }
        }
    }
    Ok(())
}

fn subject_type(metadata: &Metadata) -> Result<SubjectType, OauthError> {
    match metadata.subject_type.as_deref() {
        None | Some("public") => Ok(SubjectType::Public),
        Some("pairwise") => {
            let host = |uri: &String| Url::parse(uri).ok()?.host_str().map(str::to_owned);
            let mut hosts: Vec<_> = metadata.redirect_uris.iter().map(host).collect();
            hosts.sort();
            hosts.dedup();
            if hosts.len() > 1 && metadata.sector_identifier_uri.is_none() {
                return Err(invalid(
                    "pairwise subjects need redirect_uris of one host, or a sector_identifier_uri",
                ));
            }
            Ok(SubjectType::Pairwise)
        }
        Some(_) => Err(invalid("subject_type is public or pairwise")),
    }
}

fn algorithm(metadata: &Metadata) -> Result<SigningAlgorithm, OauthError> {
    let named = metadata.id_token_signed_response_alg.as_deref();
    Ok(named_algorithm("id_token_signed_response_alg", named)?.unwrap_or(SigningAlgorithm::Rs256))
}

fn named_algorithm(member: &str, name: Option<&str>) -> Result<Option<SigningAlgorithm>, OauthError> {
    let Some(name) = name else { return Ok(None) };
    let found = SigningAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
    let known = SigningAlgorithm::ALL.map(SigningAlgorithm::name).join(", ");
    let refused = || invalid(format!("{member} {name} is not supported; supported are {known}"));
    found.map(Some).ok_or_else(refused)
}

/// Standard scopes only: an operator alone gives others.
fn scopes(metadata: &Metadata) -> Result<Vec<String>, OauthError> {
    let known = |name: &str| STANDARD.iter().any(|scope| scope.is_open && scope.name == name);
    let Some(text) = &metadata.scope else {
        return Ok(STANDARD
            .iter()
            .filter(|scope| scope.is_open)
            .map(|scope| scope.name.to_owned())
            .collect());
    };
    let mut found: Vec<String> = Vec::new();
    for scope in text.split_ascii_whitespace().filter(|scope| known(scope)) {
        if !found.iter().any(|known| known == scope) {
            found.push(scope.to_owned());
        }
    }
    Ok(found)
}

/// Public keys only, and there where they are needed.
fn jwks(metadata: &Metadata, auth: AuthMethod) -> Result<Option<Value>, OauthError> {
    match (&metadata.jwks, &metadata.jwks_uri) {
        (Some(_), Some(_)) => Err(invalid("jwks and jwks_uri exclude each other")),
        (None, None) if auth == AuthMethod::PrivateKeyJwt => {
            Err(invalid("private_key_jwt needs jwks or jwks_uri"))
        }
        (None, _) => Ok(None),
        (Some(jwks), None) => {
            client_keys::check(jwks).map_err(invalid)?;
            Ok(Some(jwks.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(json: Value) -> Result<Client, (Code, String)> {
        let metadata = read(json.to_string().as_bytes()).map_err(|error| (error.code, error.description))?;
        client_of(&metadata).map_err(|error| (error.code, error.description))
    }

    #[test]
    fn defaults_are_those_of_the_specification() {
        let client = made(json!({ "redirect_uris": ["https://rp.example/cb"], "unknown": 1 })).unwrap();
        assert_eq!(client.token_endpoint_auth_method, AuthMethod::ClientSecretBasic);
        assert_eq!(client.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(client.id_token_signed_response_alg, SigningAlgorithm::Rs256);
        assert_eq!(client.subject_type, SubjectType::Public);
        assert!(client.require_consent && !client.introspects_all && client.secret_hash.is_none());
    }

    #[test]
    fn redirect_uris_that_lead_astray_are_refused() {
        for bad in [
            "http://rp.example/cb",
            "https://rp.example/cb#x",
            "https://user@rp.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "com.example.app:/cb",
            "/cb",
            "",
            "https://rp.example/c b",
        ] {
            let refused = made(json!({ "redirect_uris": [bad] })).unwrap_err();
            assert_eq!(refused.0, Code::InvalidRedirectUri, "{bad}: {}", refused.1);
        }
        assert_eq!(made(json!({})).unwrap_err().0, Code::InvalidRedirectUri);
        for (kind, good) in [
            ("web", "https://rp.example/cb?x=1"),
            ("web", "http://localhost:3000/cb"),
            ("native", "http://127.0.0.1/cb"),
            ("native", "com.example.app:/cb"),
        ] {
            made(json!({ "redirect_uris": [good], "application_type": kind })).unwrap();
        }
    }

    #[test]
    fn metadata_that_can_not_be_is_refused_with_its_reason() {
        for (change, reason) in [
            (json!({ "grant_types": ["password"] }), "password"),
            (json!({ "response_types": ["token"] }), "token"),
            (json!({ "grant_types": ["refresh_token"] }), "authorization_code"),
            (
                json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }),
                "client authentication",
            ),
            (json!({ "token_endpoint_auth_method": "tls_client_auth" }), "tls_client_auth"),
            (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "needs jwks"),
            (json!({ "id_token_signed_response_alg": "none" }), "none"),
            (json!({ "id_token_signed_response_alg": "HS256" }), "HS256"),
            (json!({ "jwks_uri": "file:///etc/passwd" }), "jwks_uri"),
            (json!({ "jwks_uri": "https://rp.example/jwks", "jwks": { "keys": [] } }), "exclude"),
            (json!({ "sector_identifier_uri": "rp.example" }), "sector_identifier_uri"),
            (json!({ "jwks": { "keys": [{ "kty": "oct", "k": "x" }] } }), "private or symmetric"),
            (json!({ "jwks": [] }), "must have keys"),
            (json!({ "client_uri": "javascript:alert(1)" }), "client_uri"),
            (json!({ "subject_type": "other" }), "pairwise"),
            (
                json!({ "subject_type": "pairwise", "redirect_uris": ["https://a.example/", "https://b.example/"] }),
                "one host",
            ),
            (json!({ "application_type": "other" }), "application_type"),
            (json!({ "redirect_uris": "https://rp.example/cb" }), "metadata"),
        ] {
            let mut all = json!({ "redirect_uris": ["https://rp.example/cb"] });
            all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let refused = made(all).unwrap_err();
            assert!(refused.1.contains(reason), "{change}: {}", refused.1);
        }
    }

    #[test]
    fn scopes_of_administration_are_not_given_out() {
        let text = "openid config.projects.write email nonsense openid";
        let client = made(json!({ "redirect_uris": ["https://rp.example/cb"], "scope": text })).unwrap();
        assert_eq!(client.scopes, ["openid", "email"]);
    }
}
