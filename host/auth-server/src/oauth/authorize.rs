//! `GET` and `POST /oauth2/authorize` (RFC 6749 section 3.1), and `GET /oauth2/authorize/resume`.

mod browser_sessions;
mod check_redirect_uri;
mod decide;
pub(crate) mod explain;
mod proceed;
pub(crate) mod request;
pub(crate) mod respond;

use std::time::Duration;

use agamid_core::id::{RunId, TransactionId};
use agamid_core::jose::{self, Expected, SigningAlgorithm};
use agamid_store::{Batch, Expect, Versioned};
use agamid_web::Visit;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;

use crate::AuthServer;
use crate::client::{Client, GrantType};
use crate::error::{Code, OauthError};
use crate::oauth::form::{Parameters, check_length, twice};
use crate::oauth::par;
use crate::transaction::Transaction;
use check_redirect_uri::check_redirect_uri;
use proceed::Pending;
use request::{AuthorizationRequest, ResponseMode};

/// Checks the request, makes it a transaction of this browser, and goes on.
pub(crate) async fn get(
    State(server): State<AuthServer>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let browser = server.web().browser(&headers);
    let query = query.unwrap_or_default();
    let found = match begin(&server, &query, Some(browser.hash.clone())).await {
        Ok(found) => found,
        Err(refused) => return server.refuse(&visit, refused),
    };
    let mut response = server.proceed(&visit, &headers, found, Pending::default()).await;
    if let Some(cookie) = browser.set {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A request by POST comes from another site, without our cookies: it is stored, and the browser sent on by a page of
/// ours to where cookies are read.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    visit: Visit,
    body: axum::body::Bytes,
) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    match begin(&server, &body, None).await {
        Ok(found) => match server.store().commit(Batch::new().put(&found.record, Expect::Absent)).await {
            Ok(_) => server.hand_over(&visit, &found.record),
            Err(error) => server.refuse(&visit, Refusal::Page(error.into())),
        },
        Err(refused) => server.refuse(&visit, refused),
    }
}

/// Goes on with a transaction: after a run, or after a POST.
pub(crate) async fn resume(
    State(server): State<AuthServer>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let (parameters, _) = Parameters::read(query.unwrap_or_default().as_bytes());
    let browser = server.web().browser(&headers);
    let id = parameters.get("transaction").and_then(TransactionId::parse);
    let run = parameters.get("run").and_then(RunId::parse);
    let found = match id {
        Some(id) => server.store().get::<Transaction>(id.as_str()).await,
        None => Ok(None),
    };
    let mut found = match found {
        Ok(Some(found)) => found,
        Ok(None) => return server.over(&visit),
        Err(error) => return server.refuse(&visit, Refusal::Page(error.into())),
    };
    match &found.record.browser {
        // The first browser that comes with the id has it.
        None => found.record.browser = Some(browser.hash.clone()),
        Some(owner) if *owner == browser.hash => {}
        Some(_) => return server.over(&visit),
    }
    let mut response = match run {
        Some(run) => server.after_run(&visit, &headers, found, &run).await,
        None => server.proceed(&visit, &headers, found, Pending::default()).await,
    };
    if let Some(cookie) = browser.set {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A request that is not taken.
pub(crate) enum Refusal {
    /// Client or redirect URI are not verified: a page, never a redirect (RFC 6749 section 4.1.2.1).
    Page(OauthError),
    /// The answer goes to the verified redirect URI.
    Redirect { redirect_uri: String, mode: ResponseMode, state: Option<String>, error: OauthError },
}

/// Finds the client, takes a pushed request's parameters in place of the query's, checks, and makes the transaction; it
/// is written with what comes of it.
async fn begin(
    server: &AuthServer,
    encoded: &str,
    browser: Option<String>,
) -> Result<Versioned<Transaction>, Refusal> {
    let page = |description: &str| Refusal::Page(OauthError::new(Code::InvalidRequest, description));
    check_length(encoded.as_bytes()).map_err(Refusal::Page)?;
    let (parameters, repeated) = Parameters::read(encoded.as_bytes());
    let risky = ["client_id", "redirect_uri", "request_uri", "response_mode"];
    if let Some(name) = repeated.as_deref().filter(|name| risky.contains(name)) {
        return Err(Refusal::Page(twice(name)));
    }
    let client_id = parameters.get("client_id").ok_or_else(|| page("client_id is missing"))?;
    let client = server.clients().get(client_id).await.map_err(|error| Refusal::Page(error.into()))?;
    let client = client.ok_or_else(|| page("there is no client with this client_id"))?;
    let pushed = parameters.get("request_uri").filter(|uri| uri.starts_with(par::PREFIX));
    let request = match pushed {
        // Nothing outside of the pushed request counts (RFC 9126 section 4).
        Some(uri) => {
            let pushed = server.take_pushed(client_id, uri).await.map_err(Refusal::Page)?;
            // It works once, so there is nothing to begin anew with.
            AuthorizationRequest { original: String::new(), ..read_request(server, &client, &pushed)? }
        }
        None if client.require_pushed_authorization_requests => {
            return Err(page("this client's requests must be pushed (RFC 9126)"));
        }
        None => read_request(server, &client, encoded)?,
    };
    let lifetime = Duration::from_secs(server.settings().transaction_lifetime);
    let transaction = Transaction {
        id: TransactionId::generate(server.env()),
        browser,
        request,
        waiting: None,
        session: None,
        logged_in: false,
        selected: false,
        other_account: false,
        consented: false,
        expires_at: server.env().now().plus(lifetime),
    };
    tracing::info!(event = "oauth.authorize", transaction = %transaction.id, client = client.client_id);
    Ok(Versioned { record: transaction, version: 0 })
}

/// Checks a client's request in order: redirect URI; then, with answers to the redirect URI, everything else.
pub(crate) fn read_request(
    server: &AuthServer,
    client: &Client,
    encoded: &str,
) -> Result<AuthorizationRequest, Refusal> {
    let page = |description: &str| Refusal::Page(OauthError::new(Code::InvalidRequest, description));
    let (parameters, repeated) = Parameters::read(encoded.as_bytes());
    let redirect_uri = parameters.get("redirect_uri").ok_or_else(|| page("redirect_uri is missing"))?;
    if !check_redirect_uri(&client.redirect_uris, redirect_uri) {
        return Err(page(
            "redirect_uri is not one of those registered for this client, compared byte by byte",
        ));
    }
    let state = parameters.get("state").map(str::to_owned);
    let mode = ResponseMode::of(&parameters).unwrap_or_default();
    let to_client = |error| Refusal::Redirect {
        redirect_uri: redirect_uri.to_owned(),
        mode,
        state: state.clone(),
        error,
    };
    if let Some(name) = repeated {
        return Err(to_client(twice(&name)));
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        let reason = "this client is not registered for authorization_code";
        return Err(to_client(OauthError::new(Code::UnauthorizedClient, reason)));
    }
    let hinted = parameters.get("id_token_hint").map(|hint| server.hinted_subject(client, hint));
    let hinted = hinted.transpose().map_err(to_client)?;
    // Who begins anew does so without the hint: an ID token is not kept.
    let mut again = parameters.clone();
    again.remove("id_token_hint");
    AuthorizationRequest::read(client, redirect_uri, &parameters, hinted, again.encode()).map_err(to_client)
}

impl AuthServer {
    /// The subject of an ID token of ours for this client; it may be over (OpenID Connect Core section 3.1.2.1).
    pub(crate) fn hinted_subject(&self, client: &Client, hint: &str) -> Result<String, OauthError> {
        let refused =
            || OauthError::new(Code::InvalidRequest, "id_token_hint is no ID token of this server for you");
        let claims = self.verify_own_id_token(hint).ok_or_else(refused)?;
        let for_client = claims.get("aud").and_then(serde_json::Value::as_str) == Some(&client.client_id);
        let subject = claims.get("sub").and_then(serde_json::Value::as_str);
        subject.filter(|_| for_client).map(str::to_owned).ok_or_else(refused)
    }

    /// The claims of an ID token that this server signed, over or not.
    pub(crate) fn verify_own_id_token(&self, jwt: &str) -> Option<serde_json::Value> {
        let expected = Expected {
            typ: &["JWT"],
            algorithms: &SigningAlgorithm::ALL,
            kid_required: true,
            now: self.env().now(),
            skew: 10,
            expired_too: true,
        };
        let claims = jose::verify(jwt, &self.keys().jwks(), &expected).ok()?;
        let ours = claims.get("iss").and_then(serde_json::Value::as_str) == Some(self.web().issuer());
        ours.then_some(claims)
    }
}
