//! `GET /.well-known/openid-configuration` (OpenID Connect Discovery) and `/.well-known/oauth-authorization-server`
//! (RFC 8414): one document.

use agamid_core::jose::SigningAlgorithm;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::AuthServer;
use crate::scope::STANDARD;

/// Exactly what is on.
pub(crate) async fn get(State(server): State<AuthServer>) -> Json<Value> {
    let url = |path: &str| server.web().url(path);
    let acrs: Vec<String> = server
        .engine()
        .catalog()
        .projects()
        .iter()
        .flat_map(|project| project.launchable.keys().map(|flow| format!("agama_{flow}")).collect::<Vec<_>>())
        .collect();
    Json(json!({
        "issuer": server.web().issuer(),
        "authorization_endpoint": url("/oauth2/authorize"),
        "token_endpoint": url("/oauth2/token"),
        "userinfo_endpoint": url("/oauth2/userinfo"),
        "jwks_uri": url("/oauth2/jwks"),
        "scopes_supported": STANDARD.iter().map(|scope| scope.name).collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "acr_values_supported": acrs,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": SigningAlgorithm::ALL.map(SigningAlgorithm::name),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash", "name",
            "given_name", "family_name", "preferred_username", "locale", "picture", "updated_at", "email",
            "email_verified", "phone_number",
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    }))
}
