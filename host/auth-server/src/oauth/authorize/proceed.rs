//! The way of a transaction: login, account selection, consent, code. Each step is claimed in the store, so that a
//! replayed one can't fork it.

use std::time::Duration;

use agamid_core::id::{FamilyId, PersonId, RunId, SessionId};
use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_flow_engine::agama_lang::value::{Map, Value};
use agamid_flow_engine::{EngineError, Finished, LaunchError, Next, Owner, OwnerKind, Start};
use agamid_identity::lockout::Origin;
use agamid_identity::session::{Device, NewSession};
use agamid_identity::{OrgScope, Session};
use agamid_store::{AuditEvent, Batch, Expect, OneTime, Purpose, StoreError, Versioned};
use agamid_web::{Cookie, ErrorPage, Visit};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::Refusal;
use super::check_redirect_uri::check_redirect_uri;
use super::decide::{Facts, Need, decide};
use super::request::{AuthorizationRequest, Prompt};
use super::respond::{origin_of, see_other};
use crate::AuthServer;
use crate::client::Client;
use crate::error::{Code, OauthError};
use crate::oauth::issue::Grant;
use crate::transaction::Transaction;

/// The flows that ship for what is no login.
const CONSENT_FLOW: &str = "agamid.consent";
const SELECT_FLOW: &str = "agamid.select";

/// A flow to log in with.
struct Launch {
    flow: String,
    /// Inputs from the request, where the request (or its client) chose the flow.
    inputs: Option<Map>,
    /// ACR values that satisfy the request; none are asked for where this is empty.
    acceptable: Vec<String>,
}

/// A flow to run for a transaction.
struct Flow {
    kind: OwnerKind,
    name: String,
    /// What the server offers.
    inputs: Map,
    /// What a caller set, where a caller chose the flow.
    launch: Option<Map>,
}

impl Launch {
    /// Whether a session of this ACR is good enough.
    fn fits(&self, acr: &str) -> bool {
        self.acceptable.is_empty() || self.acceptable.iter().any(|known| known == acr)
    }
}

/// What a finished run brought, to be written together with what comes next: all of it, or nothing.
#[derive(Default)]
pub(crate) struct Pending {
    batch: Batch,
    /// The session that was made or chosen: it is in the batch, not yet in the store.
    session: Option<Session>,
    /// Its cookie.
    cookie: Option<HeaderValue>,
}

/// Where the request begins anew.
fn restart(request: &AuthorizationRequest) -> Option<String> {
    let original = Some(request.original.as_str()).filter(|original| !original.is_empty());
    original.map(|original| format!("/oauth2/authorize?{original}"))
}

/// What the store must hold for a transaction to be written; one that was just begun is not there yet.
fn expect_of(version: u64) -> Expect {
    if version == 0 { Expect::Absent } else { Expect::Version(version) }
}

impl AuthServer {
    /// Does what the transaction needs next.
    pub(crate) async fn proceed(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        found: Versioned<Transaction>,
        pending: Pending,
    ) -> Response {
        self.try_proceed(visit, headers, found, pending).await.unwrap_or_else(|| self.over(visit))
    }

    /// The response; none where another request was faster, and nothing was written.
    async fn try_proceed(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        found: Versioned<Transaction>,
        mut pending: Pending,
    ) -> Option<Response> {
        let transaction = found.record.clone();
        let client = match self.standing_client(&transaction.request).await {
            Ok(client) => client,
            // Nobody is sent to where the client may no longer be.
            Err(error) => return Some(self.refuse(visit, Refusal::Page(error))),
        };
        let cookie = pending.cookie.take();
        match self.next_step(visit, headers, &client, found, pending).await {
            Ok(response) => response.map(|mut response| {
                if let Some(cookie) = cookie {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
                response
            }),
            Err(error) => Some(self.error_to_client(visit, &transaction, &error)),
        }
    }

    /// The client of a request as it is now, if the redirect URI is still its own.
    async fn standing_client(&self, request: &AuthorizationRequest) -> Result<Client, OauthError> {
        let gone = || OauthError::new(Code::InvalidRequest, "the client, or its redirect_uri, is gone");
        let client = self.clients().get(&request.client_id).await?.ok_or_else(gone)?;
        if check_redirect_uri(&client.redirect_uris, &request.redirect_uri) {
            Ok(client)
        } else {
            Err(gone())
        }
    }

    async fn next_step(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        client: &Client,
        found: Versioned<Transaction>,
        pending: Pending,
    ) -> Result<Option<Response>, OauthError> {
        let request = &found.record.request;
        let browser = found.record.browser.clone().unwrap_or_default();
        let Pending { batch, session, .. } = pending;
        let session = self.session_for(visit, headers, &found.record, &browser, session).await?;
        let may_choose = !found.record.selected && !found.record.logged_in;
        let accounts = if request.asks(Prompt::SelectAccount) && may_choose {
            self.accounts(visit, headers, &browser).await?
        } else {
            Vec::new()
        };
        let launch = self.launch(client, &found.record)?;
        let wrong_person = self.is_wrong_person(client, request, session.as_ref());
        if wrong_person && found.record.logged_in {
            let reason = "another person logged in than the one that was named";
            return Err(OauthError::new(Code::LoginRequired, reason));
        }
        let acr_fits = session.as_ref().is_none_or(|session| launch.fits(&session.acr));
        let consent_given = match &session {
            Some(session) if client.require_consent && !found.record.consented => {
                let schema = self.identity().attributes.schema().await?;
                let items = request.consent_items(&schema);
                self.identity().consents.covers(&session.person, &client.client_id, &items).await?
            }
            _ => true,
        };
        let need = decide(&Facts {
            request,
            session: session.as_ref(),
            accounts: accounts.len(),
            wrong_person,
            acr_fits,
            consent_given,
            logged_in: found.record.logged_in,
            selected: found.record.selected,
            other_account: found.record.other_account,
            consented: found.record.consented,
            now: self.env().now(),
        });
        if request.asks(Prompt::None) {
            let error = match need {
                Need::Nothing => None,
                Need::Login => Some((Code::LoginRequired, "somebody must log in")),
                Need::Consent => Some((Code::ConsentRequired, "the person must be asked")),
                Need::SelectAccount => Some((Code::AccountSelectionRequired, "an account must be chosen")),
            };
            if let Some((code, description)) = error {
                return Err(OauthError::new(code, description));
            }
        }
        match (need, session) {
            (Need::Nothing, Some(session)) => {
                if client.require_consent {
                    self.identity().consents.touch(&session.person, &client.client_id).await?;
                }
                self.answer(visit, found, &session, batch).await
            }
            (Need::Consent, Some(session)) => self.ask_consent(visit, found, client, session, batch).await,
            (Need::SelectAccount, _) => self.ask_account(visit, found, client, &accounts, batch).await,
            _ => self.log_in(visit, found, client, launch, batch).await,
        }
    }

    /// Whether a request names a person, and the session is somebody else's.
    fn is_wrong_person(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        session: Option<&Session>,
    ) -> bool {
        let (Some(wanted), Some(session)) = (&request.wanted_subject, session) else { return false };
        self.subjects().of(client, &session.person) != *wanted
    }

    /// The flow to log in with: the first usable ACR value of the request, then of the client, then the server's own.
    /// A value that names a flow which callers may not start so is an error; values that name no flow are ignored.
    fn launch(&self, client: &Client, transaction: &Transaction) -> Result<Launch, OauthError> {
        let mut first = None;
        let mut acceptable = Vec::new();
        for acr in transaction.request.acr_values.iter().chain(&client.default_acr_values) {
            match self.engine().launch_from_acr(acr) {
                Ok((flow, inputs)) => {
                    acceptable.push(format!("agama_{flow}"));
                    first.get_or_insert((flow, inputs));
                }
                Err(LaunchError::NoFlow | LaunchError::Unknown(_)) => {}
                Err(error) => {
                    return Err(OauthError::new(Code::InvalidRequest, format!("acr_values: {error}")));
                }
            }
        }
        if let Some((flow, inputs)) = first {
            return Ok(Launch { flow, inputs: Some(inputs), acceptable });
        }
        if transaction.request.claims.acr_is_essential {
            let reason = "none of the acr values can be met";
            return Err(OauthError::new(Code::UnmetAuthenticationRequirements, reason));
        }
        let default = &self.engine().settings().default_acr;
        let flow = default.strip_prefix("agama_").filter(|flow| !flow.is_empty());
        let flow = flow.ok_or_else(|| OauthError::server("flows.default_acr names no flow"))?;
        Ok(Launch { flow: flow.to_owned(), inputs: None, acceptable: Vec::new() })
    }

    async fn log_in(
        &self,
        visit: &Visit,
        found: Versioned<Transaction>,
        client: &Client,
        launch: Launch,
        batch: Batch,
    ) -> Result<Option<Response>, OauthError> {
        let hint = found.record.request.login_hint.clone();
        let inputs = Map::from([("loginHint".to_owned(), Value::from(hint))]);
        let flow = Flow { kind: OwnerKind::Login, name: launch.flow, inputs, launch: launch.inputs };
        self.run(visit, found, client, flow, batch).await
    }

    async fn ask_consent(
        &self,
        visit: &Visit,
        mut found: Versioned<Transaction>,
        client: &Client,
        session: Session,
        batch: Batch,
    ) -> Result<Option<Response>, OauthError> {
        let scope = OrgScope::One(session.organisation.clone());
        let person = self.identity().persons.get(&scope, &session.person).await?;
        let name = person.map(|person| person.display_name()).unwrap_or_default();
        let schema = self.identity().attributes.schema().await?;
        let items = found.record.request.consent_items(&schema);
        let scopes: Vec<Value> =
            items.iter().map(|item| Value::from_json(crate::scope::shown(&schema, item))).collect();
        let inputs = Map::from([
            ("clientName".to_owned(), client.display_name().into()),
            ("clientUri".to_owned(), client.client_uri.clone().into()),
            ("scopes".to_owned(), Value::List(scopes)),
            ("personName".to_owned(), name.into()),
        ]);
        found.record.session = Some(session.id);
        let flow = Flow { kind: OwnerKind::Consent, name: CONSENT_FLOW.to_owned(), inputs, launch: None };
        self.run(visit, found, client, flow, batch).await
    }

    async fn ask_account(
        &self,
        visit: &Visit,
        found: Versioned<Transaction>,
        client: &Client,
        accounts: &[Session],
        batch: Batch,
    ) -> Result<Option<Response>, OauthError> {
        let mut shown = Vec::new();
        for session in accounts {
            let scope = OrgScope::One(session.organisation.clone());
            if let Some(person) = self.identity().persons.get(&scope, &session.person).await? {
                shown.push(Value::Map(Map::from([
                    ("id".to_owned(), session.id.as_str().into()),
                    ("name".to_owned(), person.display_name().into()),
                    ("username".to_owned(), person.username.as_str().into()),
                ])));
            }
        }
        let inputs = Map::from([("accounts".to_owned(), Value::List(shown))]);
        let flow =
            Flow { kind: OwnerKind::AccountSelection, name: SELECT_FLOW.to_owned(), inputs, launch: None };
        self.run(visit, found, client, flow, batch).await
    }

    async fn run(
        &self,
        visit: &Visit,
        found: Versioned<Transaction>,
        client: &Client,
        flow: Flow,
        batch: Batch,
    ) -> Result<Option<Response>, OauthError> {
        let Versioned { record: mut transaction, version } = found;
        let run = RunId::generate(self.env());
        transaction.waiting = Some((flow.kind, run.clone()));
        let batch = batch.put(&transaction, expect_of(version));
        let request = &transaction.request;
        let locales = request.ui_locales.iter().chain(&visit.locales).cloned().collect();
        let started = self
            .engine()
            .start(Start {
                batch,
                run,
                flow: flow.name,
                inputs: flow.inputs,
                launch: flow.launch,
                owner: Owner {
                    kind: flow.kind,
                    id: transaction.id.to_string(),
                    return_to: format!("/oauth2/authorize/resume?transaction={}", transaction.id),
                    restart: restart(request).unwrap_or_default(),
                },
                shown: Map::from([("client_name".to_owned(), client.display_name().into())]),
                browser: transaction.browser.clone().unwrap_or_default(),
                address: visit.address,
                organisation: Some(self.organisation().clone()),
                locales,
                form_action: origin_of(&request.redirect_uri).into_iter().collect(),
            })
            .await;
        match started {
            Ok(Next::Redirect(url)) => Ok(Some(see_other(&url))),
            Ok(Next::Raced) => Ok(None),
            Err(EngineError::Crashed { reference }) => Ok(Some(self.web().error_page(
                visit,
                ErrorPage {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    title: "This login stopped".to_owned(),
                    message: "Something went wrong on our side. Nothing was changed.".to_owned(),
                    hint: Some("If it happens once more, tell the operator the reference.".to_owned()),
                    reference: Some(reference),
                    action: restart(request).map(|again| ("Start again".to_owned(), again)),
                },
            ))),
            Err(EngineError::Store(error)) => Err(error.into()),
            Err(error) => Err(OauthError::server(error)),
        }
    }

    /// Takes what a run brought, and goes on. Where another tab of the same browser changed something in the meantime (its
    /// sessions, say) it is done once more on what is there now: nothing was used up.
    pub(crate) async fn after_run(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        found: Versioned<Transaction>,
        run: &RunId,
    ) -> Response {
        let id = found.record.id.clone();
        if let Some(response) = self.take_run(visit, headers, found, run).await {
            return response;
        }
        match self.store().get::<Transaction>(id.as_str()).await {
            Ok(Some(found)) => {
                self.take_run(visit, headers, found, run).await.unwrap_or_else(|| self.over(visit))
            }
            Ok(None) => self.over(visit),
            Err(error) => self.refuse(visit, Refusal::Page(error.into())),
        }
    }

    /// The response; none where another request was faster, and nothing was written.
    async fn take_run(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        found: Versioned<Transaction>,
        run: &RunId,
    ) -> Option<Response> {
        let mut transaction = found.record.clone();
        // The very run that this transaction waits for: an older one was for another state of it.
        let Some((kind, _)) = transaction.waiting.take().filter(|(_, waited)| waited == run) else {
            return Some(self.over(visit));
        };
        let browser = transaction.browser.clone().unwrap_or_default();
        let finished = self.engine().outcome_of(run, kind, transaction.id.as_str(), &browser).await;
        let (finished, consume) = match finished {
            Ok(Some(finished)) => finished,
            Ok(None) => return Some(self.over(visit)),
            Err(error) => {
                return Some(self.error_to_client(visit, &transaction, &OauthError::server(error)));
            }
        };
        let batch = Batch::new().consume(consume);
        match self.accept(visit, headers, found, kind, finished, batch).await {
            Ok((found, pending)) => self.try_proceed(visit, headers, found, pending).await,
            Err(error) => Some(self.error_to_client(visit, &transaction, &error)),
        }
    }

    /// What the finished run means for the transaction, and what is to be written for it.
    async fn accept(
        &self,
        visit: &Visit,
        headers: &HeaderMap,
        found: Versioned<Transaction>,
        kind: OwnerKind,
        finished: Finished,
        batch: Batch,
    ) -> Result<(Versioned<Transaction>, Pending), OauthError> {
        let Versioned { record: mut transaction, version } = found;
        let denied = |description: &str| OauthError::new(Code::AccessDenied, description);
        if finished.outcome.aborted || !finished.outcome.success {
            return Err(denied("the person did not finish"));
        }
        let browser = transaction.browser.clone().unwrap_or_default();
        let field = |name: &str| finished.outcome.data.as_map().and_then(|data| data.get(name)?.as_str());
        let mut pending = Pending { batch, ..Pending::default() };
        match kind {
            OwnerKind::Login => {
                let (person, organisation, amr) = self.proved(&finished).await?;
                let origin = Origin { address: Some(visit.address), browser: Some(browser.clone()) };
                let batch = self.identity().lockout.succeeded(&person, &origin, pending.batch).await?;
                let same_sitting = self.cookie_session(visit, headers, &browser).await?.is_some();
                let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
                let device = Device::of(user_agent, Some(visit.address));
                let new = NewSession { person, organisation, browser, amr, acr: finished.acr(), device };
                let (session, value, batch) =
                    self.identity().sessions.start(new, same_sitting, batch).await?;
                transaction.session = Some(session.id.clone());
                transaction.logged_in = true;
                // A yes was somebody's yes.
                transaction.consented = false;
                pending = self.with_session(session, value.expose(), batch);
            }
            OwnerKind::Consent => {
                let session = match &transaction.session {
                    Some(id) => self.identity().sessions.get(id).await?,
                    None => None,
                };
                let session = session.ok_or_else(|| denied("the session ended"))?;
                if field("decision") != Some("allow") {
                    return Err(denied("the person said no"));
                }
                let schema = self.identity().attributes.schema().await?;
                let request = &transaction.request;
                let (client, items) = (&request.client_id, request.consent_items(&schema));
                let consents = &self.identity().consents;
                pending.batch = consents.grant(&session.person, client, &items, pending.batch).await?;
                transaction.consented = true;
            }
            OwnerKind::Logout => return Err(denied("that run was for a logout")),
            OwnerKind::AccountSelection => {
                transaction.selected = true;
                transaction.consented = false;
                match field("choice").and_then(SessionId::parse) {
                    None => transaction.other_account = true,
                    Some(id) => {
                        let offered = self.accounts(visit, headers, &browser).await?;
                        if !offered.iter().any(|session| session.id == id) {
                            return Err(denied("the chosen session is none of those that were offered"));
                        }
                        let switched = self.identity().sessions.switch(&id, &browser, pending.batch).await?;
                        let (session, value, batch) =
                            switched.ok_or_else(|| denied("the chosen session ended"))?;
                        transaction.session = Some(session.id.clone());
                        pending = self.with_session(session, value.expose(), batch);
                    }
                }
            }
        }
        transaction.waiting = None;
        Ok((Versioned { record: transaction, version }, pending))
    }

    fn with_session(&self, session: Session, value: &str, batch: Batch) -> Pending {
        let cookie = self.web().set_cookie(Cookie::Session, value, None);
        Pending { batch, session: Some(session), cookie: Some(cookie) }
    }

    /// The person whom the flow names, if the ledger proves that very person.
    async fn proved(
        &self,
        finished: &Finished,
    ) -> Result<(PersonId, agamid_core::id::OrgId, Vec<String>), OauthError> {
        let refuse = |reason: &str| {
            tracing::error!(event = "login.refused", run = %finished.run, flow = finished.flow, reason);
            OauthError::new(Code::AccessDenied, "the login did not identify anybody")
        };
        let id = finished.user_id().ok_or_else(|| refuse("the flow finished without data.userId"))?;
        let id = PersonId::parse(id).ok_or_else(|| refuse("data.userId is no person's id"))?;
        let scope = OrgScope::One(self.organisation().clone());
        let person = self.identity().persons.get(&scope, &id).await?;
        let person = person.ok_or_else(|| refuse("data.userId is nobody in this organisation"))?;
        if !person.may_log_in(self.env().now()) {
            return Err(refuse("the person may not log in"));
        }
        let methods = finished.methods(&person.id);
        if methods.is_empty() {
            return Err(refuse("no proof of this person is in the run's ledger"));
        }
        Ok((person.id, person.organisation, methods))
    }

    /// Ends the transaction with a code.
    async fn answer(
        &self,
        visit: &Visit,
        found: Versioned<Transaction>,
        session: &Session,
        batch: Batch,
    ) -> Result<Option<Response>, OauthError> {
        let Versioned { record: transaction, version } = found;
        let request = &transaction.request;
        let code = OpaqueToken::generate(TokenKind::Code, self.env());
        let grant = Grant {
            person: session.person.clone(),
            organisation: session.organisation.clone(),
            session: session.id.clone(),
            scopes: request.scopes.clone(),
            claims: request.claims.clone(),
            nonce: request.nonce.clone(),
            authenticated_at: session.authenticated_at,
            amr: session.amr.clone(),
            acr: session.acr.clone(),
            code_challenge: request.code_challenge.clone(),
        };
        let lifetime = Duration::from_secs(self.settings().code_lifetime);
        let one_time = OneTime {
            purpose: Purpose::Code,
            hash: code.hash,
            client: Some(request.client_id.clone()),
            person: Some(session.person.to_string()),
            session: Some(session.id.to_string()),
            run: None,
            address: Some(request.redirect_uri.clone()),
            family: Some(FamilyId::generate(self.env()).to_string()),
            payload: serde_json::to_value(&grant).map_err(OauthError::server)?,
            expires_at: self.env().now().plus(lifetime),
        };
        let audit = AuditEvent::new("code.issued", session.person.as_str(), &request.client_id);
        let mut batch = batch.issue(one_time).audit(audit);
        if version > 0 {
            batch = batch.delete::<Transaction>(transaction.id.as_str(), Expect::Version(version));
        }
        match self.store().commit(batch).await {
            Ok(committed) if committed.accepted() => {}
            Ok(_) | Err(StoreError::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let mut answer = vec![("code", code.text.expose())];
        answer.extend(request.state.as_deref().map(|state| ("state", state)));
        Ok(Some(self.send_answer(visit, &request.redirect_uri, request.response_mode, &answer)))
    }
}
