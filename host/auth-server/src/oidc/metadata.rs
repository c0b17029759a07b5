//! `GET /.well-known/openid-configuration` (OpenID Connect Discovery) and `/.well-known/oauth-authorization-server`
//! (RFC 8414): one document.

use std::sync::Arc;

use agamid_core::jose::SigningAlgorithm;
use agamid_flow_engine::catalog::ProjectStatus;
use arc_swap::ArcSwapOption;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::AuthServer;
use crate::client::{AuthMethod, GrantType};
use crate::scope::{STANDARD, claim_names};

/// The document as it was written last, and the release of flows that it speaks of.
#[derive(Default)]
pub(crate) struct Written(ArcSwapOption<(String, Bytes)>);

/// Exactly what is on. Written anew when the flows change.
pub(crate) async fn get(State(server): State<AuthServer>) -> Response {
    let release = server.engine().catalog().live();
    let written = &server.metadata().0;
    let document = match &*written.load() {
        Some(known) if known.0 == release.id() => known.1.clone(),
        _ => {
            let document = Bytes::from(document(&server, &server.engine().catalog().projects()).to_string());
            written.store(Some(Arc::new((release.id().to_owned(), document.clone()))));
            document
        }
    };
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, document).into_response()
}

fn document(server: &AuthServer, projects: &[ProjectStatus]) -> Value {
    let url = |path: &str| server.web().url(path);
    let acrs: Vec<String> = projects
        .iter()
        .flat_map(|project| project.launchable.keys().map(|flow| format!("agama_{flow}")).collect::<Vec<_>>())
        .collect();
    let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::name);
    let methods = AuthMethod::ALL.map(AuthMethod::name);
    let with_credentials: Vec<&str> = AuthMethod::ALL
        .into_iter()
        .filter(|method| *method != AuthMethod::None)
        .map(AuthMethod::name)
        .collect();
    let mut claims =
        vec!["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    claims.extend(claim_names());
    let mut document = json!({
        "issuer": server.web().issuer(),
        "authorization_endpoint": url("/oauth2/authorize"),
        "token_endpoint": url("/oauth2/token"),
        "userinfo_endpoint": url("/oauth2/userinfo"),
        "jwks_uri": url("/oauth2/jwks"),
        "registration_endpoint": url("/oauth2/register"),
        "introspection_endpoint": url("/oauth2/introspect"),
        "revocation_endpoint": url("/oauth2/revoke"),
        "pushed_authorization_request_endpoint": url("/oauth2/par"),
        "end_session_endpoint": url("/oauth2/end_session"),
        "scopes_supported": STANDARD.iter().map(|scope| scope.name).collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": GrantType::ALL.map(GrantType::name),
        "acr_values_supported": acrs,
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": with_credentials,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_pushed_authorization_requests": false,
        "authorization_response_iss_parameter_supported": true,
    });
    // A member without elements is left out (RFC 8414 section 3.2).
    if let Some(members) = document.as_object_mut() {
        members.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    document
}
