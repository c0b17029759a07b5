//! `/oauth2/register`: dynamic client registration (RFC 7591) and its management (RFC 7592).

mod metadata;

use agamid_core::ports::{RequestFacts, TokenRefusal, TokenVerifier as _};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_store::{Expect, StoreError, Versioned};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use crate::client::{Client, GrantType};
use crate::error::OauthError;
use crate::settings::Registration;
use crate::verifier::{bearer_of, refusal};
use crate::{ADMIN_AUDIENCE, AuthServer};
use metadata::{client_of, invalid, read};

/// The scope of an initial access token, where registration needs one.
const SCOPE: &str = "config.clients.write";

/// Why a registration was refused.
enum Refused {
    Oauth(OauthError),
    Token(TokenRefusal),
}

impl From<OauthError> for Refused {
    fn from(error: OauthError) -> Self {
        Refused::Oauth(error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Oauth(error.into())
    }
}

impl From<TokenRefusal> for Refused {
    fn from(refused: TokenRefusal) -> Self {
        Refused::Token(refused)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Oauth(error) => error.into_response(),
            Refused::Token(refused) => refusal(&refused),
        }
    }
}

/// `POST /oauth2/register`
pub(crate) async fn post(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, impl IntoResponse> {
    create(&server, &headers, &body).await
}

async fn create(server: &AuthServer, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refused> {
    if server.settings().registration == Registration::Token {
        check_initial_token(server, headers).await?;
    }
    let metadata = read(body)?;
    if metadata.client_id.is_some() || metadata.client_secret.is_some() {
        return Err(invalid("client_id and client_secret are given by the server").into());
    }
    let mut client = client_of(&metadata)?;
    check_sector(server, &client).await?;
    client.client_id = agamid_core::id::new_ulid(server.env()).to_lowercase();
    client.created_at = server.env().now();
    let secret = client
        .token_endpoint_auth_method
        .is_secret()
        .then(|| OpaqueToken::generate(TokenKind::ClientSecret, server.env()));
    client.secret_hash = secret.as_ref().map(|secret| Client::hash_secret(secret.text.expose()));
    let registration = OpaqueToken::generate(TokenKind::Registration, server.env());
    client.registration_hash = Some(registration.hash);
    server.clients().save(&client, Expect::Absent, "client.registered", &client.client_id).await?;
    tracing::info!(event = "client.registered", client = client.client_id);
    let mut shown = shown(server, &client);
    if let Some(secret) = secret {
        shown.insert("client_secret".to_owned(), secret.text.expose().into());
        shown.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    shown.insert("registration_access_token".to_owned(), registration.text.expose().into());
    Ok(answer(StatusCode::CREATED, shown))
}

/// The document at `sector_identifier_uri` lists every redirect URI (OpenID Connect Core section 8.1): whoever speaks for the
/// sector knows of this client.
async fn check_sector(server: &AuthServer, client: &Client) -> Result<(), OauthError> {
    let Some(uri) = &client.sector_identifier_uri else { return Ok(()) };
    let fetched = server.http().get(uri, "application/json").await;
    let fetched = fetched.map_err(|error| invalid(format!("sector_identifier_uri: {error}")))?;
    let listed: Option<Vec<String>> = Some(fetched)
        .filter(|answer| answer.status == 200)
        .and_then(|answer| serde_json::from_slice(&answer.body).ok());
    let listed = listed.ok_or_else(|| invalid("sector_identifier_uri gave no JSON list of redirect URIs"))?;
    match client.redirect_uris.iter().find(|own| !listed.contains(own)) {
        Some(missing) => Err(invalid(format!("sector_identifier_uri does not list {missing}"))),
        None => Ok(()),
    }
}

async fn check_initial_token(server: &AuthServer, headers: &HeaderMap) -> Result<(), TokenRefusal> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let facts = RequestFacts {
        method: Method::POST.to_string(),
        uri: server.web().url("/oauth2/register"),
        authorization: authorization.map(str::to_owned),
        dpop: None,
        client_certificate: None,
    };
    server.verify(&facts, ADMIN_AUDIENCE, SCOPE).await.map(drop)
}

/// `GET /oauth2/register/{client_id}`
pub(crate) async fn get(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    Path(client_id): Path<String>,
) -> Result<Response, impl IntoResponse> {
    managed(&server, &headers, &client_id)
        .await
        .map(|(found, token)| answer(StatusCode::OK, with_token(shown(&server, &found.record), &token)))
}

/// `PUT /oauth2/register/{client_id}`: all of it is replaced; what is left out goes back to its default.
pub(crate) async fn put(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    Path(client_id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Response, impl IntoResponse> {
    update(&server, &headers, &client_id, &body).await
}

async fn update(
    server: &AuthServer,
    headers: &HeaderMap,
    client_id: &str,
    body: &[u8],
) -> Result<Response, Refused> {
    let (found, token) = managed(server, headers, client_id).await?;
    let old = found.record;
    let metadata = read(body)?;
    if metadata.client_id.as_deref() != Some(client_id) {
        return Err(invalid("client_id must be this client's").into());
    }
    if let Some(secret) = &metadata.client_secret {
        let given = Client::hash_secret(secret);
        let equal: bool =
            old.secret_hash.as_deref().unwrap_or_default().as_bytes().ct_eq(given.as_bytes()).into();
        if !equal {
            return Err(invalid("client_secret is not the current one; it can't be chosen").into());
        }
    }
    let mut client = client_of(&metadata)?;
    check_sector(server, &client).await?;
    client.client_id.clone_from(&old.client_id);
    client.created_at = old.created_at;
    client.registration_hash.clone_from(&old.registration_hash);
    let mut fresh = None;
    if client.token_endpoint_auth_method.is_secret() {
        client.secret_hash.clone_from(&old.secret_hash);
        if client.secret_hash.is_none() {
            let secret = OpaqueToken::generate(TokenKind::ClientSecret, server.env());
            client.secret_hash = Some(Client::hash_secret(secret.text.expose()));
            fresh = Some(secret.text);
        }
    }
    server.clients().save(&client, Expect::Version(found.version), "client.updated", client_id).await?;
    let mut shown = with_token(shown(server, &client), &token);
    if let Some(secret) = fresh {
        shown.insert("client_secret".to_owned(), secret.expose().into());
        shown.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    Ok(answer(StatusCode::OK, shown))
}

/// `DELETE /oauth2/register/{client_id}`
pub(crate) async fn delete(
    State(server): State<AuthServer>,
    headers: HeaderMap,
    Path(client_id): Path<String>,
) -> Result<StatusCode, impl IntoResponse> {
    let removed = async {
        managed(&server, &headers, &client_id).await?;
        server.clients().delete(&client_id, &client_id).await?;
        Ok::<_, Refused>(StatusCode::NO_CONTENT)
    };
    removed.await
}

/// The client whose registration access token is presented. An unknown client and a wrong token look the same.
async fn managed(
    server: &AuthServer,
    headers: &HeaderMap,
    client_id: &str,
) -> Result<(Versioned<Client>, Secret), Refused> {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer_of(text.ok_or(TokenRefusal::Missing)?)?;
    let hash = OpaqueToken::parse(TokenKind::Registration, &token).map_err(|_| TokenRefusal::InvalidToken)?;
    let found = server.clients().versioned(client_id).await?.filter(|found| !found.record.disabled);
    let found = found.ok_or(TokenRefusal::InvalidToken)?;
    let own = found.record.registration_hash.as_deref().unwrap_or_default();
    let equal: bool = own.as_bytes().ct_eq(hash.as_bytes()).into();
    if equal { Ok((found, Secret::new(token))) } else { Err(TokenRefusal::InvalidToken.into()) }
}

fn answer(status: StatusCode, shown: Map<String, Value>) -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, headers, Json(Value::Object(shown))).into_response()
}

fn with_token(mut shown: Map<String, Value>, token: &Secret) -> Map<String, Value> {
    shown.insert("registration_access_token".to_owned(), token.expose().into());
    shown
}

/// A client as RFC 7591 section 3.2.1 answers it, without secrets.
fn shown(server: &AuthServer, client: &Client) -> Map<String, Value> {
    let grants: Vec<&str> = client.grant_types.iter().map(|grant| grant.name()).collect();
    let with_code = client.may_use(GrantType::AuthorizationCode);
    let shown = json!({
        "client_id": client.client_id,
        "client_id_issued_at": client.created_at.seconds(),
        "registration_client_uri": server.web().url(&format!("/oauth2/register/{}", client.client_id)),
        "client_name": client.client_name,
        "client_uri": client.client_uri,
        "logo_uri": client.logo_uri,
        "policy_uri": client.policy_uri,
        "tos_uri": client.tos_uri,
        "contacts": client.contacts,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "response_types": if with_code { vec!["code"] } else { Vec::new() },
        "grant_types": grants,
        "token_endpoint_auth_method": client.token_endpoint_auth_method.name(),
        "scope": client.scopes.join(" "),
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "sector_identifier_uri": client.sector_identifier_uri,
        "subject_type": client.subject_type,
        "id_token_signed_response_alg": client.id_token_signed_response_alg.name(),
        "token_endpoint_auth_signing_alg": client.token_endpoint_auth_signing_alg.map(|alg| alg.name()),
        "require_pkce": client.require_pkce,
        "default_acr_values": client.default_acr_values,
        "default_max_age": client.default_max_age,
        "require_pushed_authorization_requests": client.require_pushed_authorization_requests,
        "access_token_format": client.access_token_format,
    });
    match shown {
        Value::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            members
        }
        _ => Map::new(),
    }
}
