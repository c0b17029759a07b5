//! `GET /.well-known/openid-configuration` (OpenID Connect Discovery) and `/.well-known/oauth-authorization-server`
//! (RFC 8414): one document.

use std::sync::Arc;

use agamid_core::jose::SigningAlgorithm;
use agamid_flow_engine::catalog::ProjectStatus;
use agamid_identity::Schema;
use arc_swap::ArcSwapOption;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::AuthServer;
use crate::client::{AuthMethod, GrantType};
use crate::error::OauthError;
use crate::scope;

/// The document as it was written last.
#[derive(Default)]
pub(crate) struct Written(ArcSwapOption<Document>);

/// The document, and what it speaks of.
struct Document {
    release: String,
    schema: Arc<Schema>,
    document: Bytes,
}

impl Document {
    fn is_of(&self, release: &str, schema: &Arc<Schema>) -> bool {
        self.release == release && Arc::ptr_eq(&self.schema, schema)
    }
}

/// Exactly what is on. Written anew when the flows or the attributes of persons change.
pub(crate) async fn get(State(server): State<AuthServer>) -> Response {
    match respond(&server).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn respond(server: &AuthServer) -> Result<Response, OauthError> {
    let schema = server.identity().attributes.schema().await?;
    let release = server.engine().catalog().live();
    let written = &server.metadata().0;
    let document = match &*written.load() {
        Some(known) if known.is_of(release.id(), &schema) => known.document.clone(),
        _ => {
            let projects = server.engine().catalog().projects();
            let document = Bytes::from(document(server, &projects, &schema).to_string());
            let release = release.id().to_owned();
            written.store(Some(Arc::new(Document { release, schema, document: document.clone() })));
            document
        }
    };
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    Ok((headers, document).into_response())
}

fn document(server: &AuthServer, projects: &[ProjectStatus], schema: &Schema) -> Value {
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
    claims.extend(scope::claim_names(schema));
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
        "scopes_supported": scope::names(schema),
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
