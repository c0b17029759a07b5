//! `GET` and `POST /oauth2/end_session`, `GET /logout` (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Who brings an ID token of the person who is signed in has shown that they may sign them out; anybody else makes the
//! server ask. The question is a run of the shipped flow `agamid.logout`.

use std::time::Duration;

use agamid_core::id::{RunId, TransactionId};
use agamid_core::time::Timestamp;
use agamid_flow_engine::agama_lang::value::{Map, Value};
use agamid_flow_engine::{EngineError, Next, Owner, OwnerKind, Start};
use agamid_identity::{OrgScope, Session};
use agamid_store::{Batch, Expect, Record, Versioned};
use agamid_web::{Cookie, ErrorPage, Visit};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::AuthServer;
use crate::client::Client;
use crate::error::{Code, OauthError};
use crate::oauth::authorize::respond::{origin_of, see_other};
use crate::oauth::form::{Parameters, check_length, twice};

/// The flow that asks.
const FLOW: &str = "agamid.logout";
/// How long the question may stand.
const LIFETIME: Duration = Duration::from_secs(900);

/// A logout that was asked for, from its arrival to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Logout {
    id: TransactionId,
    /// The browser; absent until it is seen with its cookie.
    browser: Option<String>,
    client: Option<String>,
    /// `sub` and `sid` of the verified ID token.
    subject: Option<String>,
    session: Option<String>,
    redirect_uri: Option<String>,
    state: Option<String>,
    locales: Vec<String>,
    /// The run that asks.
    waiting: Option<RunId>,
    expires_at: Timestamp,
}

impl Record for Logout {
    const KIND: &'static str = "logout_transaction";
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// `GET`: from a link of the relying party, or typed.
pub(crate) async fn get(
    State(server): State<AuthServer>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let logout = match begin(&server, query.unwrap_or_default().as_bytes()).await {
        Ok(logout) => logout,
        Err(error) => return refuse(&server, &visit, &error),
    };
    respond(&server, &visit, &headers, logout, None).await
}

/// `POST` comes from another site, without our cookies: it is stored, and the browser sent on to where they are read.
pub(crate) async fn post(
    State(server): State<AuthServer>,
    visit: Visit,
    body: axum::body::Bytes,
) -> Response {
    let stored = async {
        let logout = begin(&server, &body).await?;
        server.store().commit(Batch::new().put(&logout, Expect::Absent)).await?;
        Ok::<_, OauthError>(logout.id)
    };
    match stored.await {
        Ok(id) => server.hand_over_to(&visit, &format!("/oauth2/end_session/resume?logout={id}")),
        Err(error) => refuse(&server, &visit, &error),
    }
}

/// `GET /oauth2/end_session/resume`: after a POST, or after the question.
pub(crate) async fn resume(
    State(server): State<AuthServer>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let (parameters, _) = Parameters::read(query.unwrap_or_default().as_bytes());
    let run = parameters.get("run").and_then(RunId::parse);
    let found = match parameters.get("logout").and_then(TransactionId::parse) {
        Some(id) => server.store().get::<Logout>(id.as_str()).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(Versioned { record, .. })) => respond(&server, &visit, &headers, record, run).await,
        Ok(None) => server.over(&visit),
        Err(error) => refuse(&server, &visit, &error.into()),
    }
}

/// Checks what is asked, in order: client, ID token, where to go afterwards.
async fn begin(server: &AuthServer, encoded: &[u8]) -> Result<Logout, OauthError> {
    let invalid = |reason: &str| OauthError::new(Code::InvalidRequest, reason);
    check_length(encoded)?;
    let (parameters, repeated) = Parameters::read(encoded);
    if let Some(name) = repeated {
        return Err(twice(&name));
    }
    let text = |claims: &serde_json::Value, name: &str| claims.get(name)?.as_str().map(str::to_owned);
    // A hint that can't be verified (its key may be gone by now) is none: then the person is asked.
    let hint = parameters.get("id_token_hint").and_then(|hint| server.verify_own_id_token(hint));
    let hinted = hint.as_ref().and_then(|claims| text(claims, "aud"));
    let named = parameters.get("client_id").map(str::to_owned);
    if let (Some(hinted), Some(named)) = (&hinted, &named)
        && hinted != named
    {
        return Err(invalid("client_id is not the client of the id_token_hint"));
    }
    let client_id = named.or(hinted);
    let client = match &client_id {
        Some(id) => Some(
            server
                .clients()
                .get(id)
                .await?
                .ok_or_else(|| invalid("there is no client with this client_id"))?,
        ),
        None => None,
    };
    let redirect_uri = parameters.get("post_logout_redirect_uri").map(str::to_owned);
    if let Some(uri) = &redirect_uri {
        let registered =
            client.as_ref().is_some_and(|c| c.post_logout_redirect_uris.iter().any(|u| u == uri));
        if !registered {
            let reason = "post_logout_redirect_uri is not one of those registered for this client";
            return Err(invalid(reason));
        }
    }
    let locales = parameters.get("ui_locales").unwrap_or_default();
    Ok(Logout {
        id: TransactionId::generate(server.env()),
        browser: None,
        client: client_id,
        subject: hint.as_ref().and_then(|claims| text(claims, "sub")),
        session: hint.as_ref().and_then(|claims| text(claims, "sid")),
        redirect_uri,
        state: parameters.get("state").map(str::to_owned),
        locales: locales.split(' ').filter(|tag| !tag.is_empty()).take(10).map(str::to_owned).collect(),
        waiting: None,
        expires_at: server.env().now().plus(LIFETIME),
    })
}

async fn respond(
    server: &AuthServer,
    visit: &Visit,
    headers: &HeaderMap,
    logout: Logout,
    run: Option<RunId>,
) -> Response {
    match proceed(server, visit, headers, logout, run).await {
        Ok(response) => response,
        Err(error) => refuse(server, visit, &error),
    }
}

async fn proceed(
    server: &AuthServer,
    visit: &Visit,
    headers: &HeaderMap,
    mut logout: Logout,
    run: Option<RunId>,
) -> Result<Response, OauthError> {
    let browser = server.web().browser(headers);
    match &logout.browser {
        Some(owner) if *owner != browser.hash => return Ok(server.over(visit)),
        _ => logout.browser = Some(browser.hash.clone()),
    }
    let session = match server.web().read_cookie(headers, Cookie::Session) {
        Some(cookie) => server.identity().sessions.by_cookie(&cookie, Some(visit.address)).await?,
        None => None,
    };
    let session = session.filter(|session| session.browser == browser.hash);
    let client = match &logout.client {
        Some(id) => server.clients().get(id).await?,
        None => None,
    };
    let Some(session) = session else { return Ok(done(server, visit, &logout)) };
    let mut response = if let Some(run) = run {
        after_question(server, visit, &logout, &run, &session).await?
    } else if is_theirs(server, &logout, client.as_ref(), &session) {
        sign_out(server, visit, &logout, &session).await?
    } else {
        ask(server, visit, logout, client, &session).await?
    };
    if let Some(cookie) = browser.set {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Whether the ID token speaks of the very person and session that are signed in.
fn is_theirs(server: &AuthServer, logout: &Logout, client: Option<&Client>, session: &Session) -> bool {
    let (Some(subject), Some(client)) = (&logout.subject, client) else { return false };
    *subject == server.subjects().of(client, &session.person)
        && logout
            .session
            .as_deref()
            .is_none_or(|sid| sid == server.subjects().session_of(client, &session.id))
}

async fn ask(
    server: &AuthServer,
    visit: &Visit,
    mut logout: Logout,
    client: Option<Client>,
    session: &Session,
) -> Result<Response, OauthError> {
    let run = RunId::generate(server.env());
    logout.waiting = Some(run.clone());
    let scope = OrgScope::One(session.organisation.clone());
    let person = server.identity().persons.get(&scope, &session.person).await?;
    let client_name = client.map(|client| client.display_name().to_owned());
    let inputs = Map::from([
        ("clientName".to_owned(), Value::from(client_name)),
        ("personName".to_owned(), Value::from(person.map(|person| person.display_name()))),
    ]);
    let locales = logout.locales.iter().chain(&visit.locales).cloned().collect();
    let started = server
        .engine()
        .start(Start {
            batch: Batch::new().put(&logout, Expect::Any),
            run,
            flow: FLOW.to_owned(),
            inputs,
            launch: None,
            owner: Owner {
                kind: OwnerKind::Logout,
                id: logout.id.to_string(),
                return_to: format!("/oauth2/end_session/resume?logout={}", logout.id),
                restart: "/oauth2/end_session".to_owned(),
            },
            shown: Map::new(),
            browser: logout.browser.clone().unwrap_or_default(),
            address: visit.address,
            organisation: Some(server.organisation().clone()),
            locales,
            form_action: logout.redirect_uri.as_deref().and_then(origin_of).into_iter().collect(),
        })
        .await;
    match started {
        Ok(Next::Redirect(url)) => Ok(see_other(&url)),
        Ok(Next::Raced) => Ok(server.over(visit)),
        Err(EngineError::Store(error)) => Err(error.into()),
        Err(error) => Err(OauthError::server(error)),
    }
}

async fn after_question(
    server: &AuthServer,
    visit: &Visit,
    logout: &Logout,
    run: &RunId,
    session: &Session,
) -> Result<Response, OauthError> {
    let browser = logout.browser.as_deref().unwrap_or_default();
    let finished = server.engine().take(run, OwnerKind::Logout, logout.id.as_str(), browser).await;
    let Some(finished) =
        finished.map_err(OauthError::server)?.filter(|_| logout.waiting.as_ref() == Some(run))
    else {
        return Ok(server.over(visit));
    };
    let decision = finished.outcome.data.as_map().and_then(|data| data.get("decision")?.as_str());
    server.store().commit(Batch::new().delete::<Logout>(logout.id.as_str(), Expect::Any)).await?;
    if decision == Some("yes") {
        return sign_out(server, visit, logout, session).await;
    }
    let page = ErrorPage {
        status: StatusCode::OK,
        title: "You are still signed in".to_owned(),
        message: "Nothing was changed. You can close this page.".to_owned(),
        hint: None,
        reference: None,
        action: None,
    };
    Ok(server.web().error_page(visit, page))
}

/// Ends the session; its tokens die with it, but for those that were granted `offline_access`.
async fn sign_out(
    server: &AuthServer,
    visit: &Visit,
    logout: &Logout,
    session: &Session,
) -> Result<Response, OauthError> {
    server.identity().sessions.end(session).await?;
    tracing::info!(event = "session.ended", session = %session.id, client = logout.client);
    let mut response = done(server, visit, logout);
    response.headers_mut().append(header::SET_COOKIE, server.web().clear_cookie(Cookie::Session));
    Ok(response)
}

/// Back to the relying party, or a page that says so.
fn done(server: &AuthServer, visit: &Visit, logout: &Logout) -> Response {
    if let Some(uri) = &logout.redirect_uri {
        let mut url = uri.clone();
        if let Some(state) = &logout.state {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
            url.push(if uri.contains('?') { '&' } else { '?' });
            url.push_str(&query);
        }
        return see_other(&url);
    }
    let page = ErrorPage {
        status: StatusCode::OK,
        title: "You are signed out".to_owned(),
        message: "You can close this page.".to_owned(),
        hint: None,
        reference: None,
        action: None,
    };
    server.web().error_page(visit, page)
}

fn refuse(server: &AuthServer, visit: &Visit, error: &OauthError) -> Response {
    let status = match error.code {
        Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    if status.is_server_error() {
        return server.web().failure_page(visit, status);
    }
    let page = ErrorPage {
        status,
        title: "This sign-out link does not work".to_owned(),
        message:
            "The application sent a request that this server can't answer. You are still signed in here."
                .to_owned(),
        hint: Some(format!("For its developer: {}: {}.", error.code.name(), error.description)),
        reference: None,
        action: Some(("Sign out here".to_owned(), "/logout".to_owned())),
    };
    server.web().error_page(visit, page)
}
