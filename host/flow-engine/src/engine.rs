//! The engine: starts runs, takes answers, hands outcomes to their owners.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use agama_lang::effect::{Outcome, Resume};
use agama_lang::value::{Map, Value};
use agama_lang::vm;
use agamid_core::Env;
use agamid_core::id::RunId;
use agamid_core::seal::Sealer;
use agamid_core::secret::sha256_hex;
use agamid_store::{
    AuditEvent, Batch, Consume, Consumption, Expect, OneTime, Peeked, Purpose, Store, StoreError, Versioned,
};
use agamid_web::{Visit, Web};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::catalog::{Catalog, DeployError, Release};
use crate::owner::{Finished, Next, OwnerKind, Start};
use crate::perform::Stop;
use crate::ports::{Attempts, Routines};
use crate::records::{RunRecord, Status};
use crate::run::{self, Paused, PausedError};
use crate::settings::FlowSettings;

/// How long a request may work on a run before it counts as dead.
const LEASE: Duration = Duration::from_secs(10);
/// How long an over or timed out run is remembered, so that people are told.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// How long an owner may wait before it fetches an outcome.
const OUTCOME_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// The longest input that a caller may set, in bytes.
const MAX_LAUNCH: usize = 4 * 1024;

/// What the engine is made of.
pub struct EngineParts {
    /// Time and randomness.
    pub env: Env,
    /// Where runs and projects live.
    pub store: Store,
    /// Seals paused runs.
    pub sealer: Sealer,
    /// Pages.
    pub web: Web,
    /// What `Call` reaches.
    pub routines: Arc<dyn Routines>,
    /// Counts attempts to prove something; without it they are unlimited.
    pub attempts: Option<Arc<dyn Attempts>>,
    /// Section `flows`.
    pub settings: FlowSettings,
}

/// Runs flows. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    env: Env,
    store: Store,
    sealer: Sealer,
    web: Web,
    routines: Arc<dyn Routines>,
    attempts: Option<Arc<dyn Attempts>>,
    settings: FlowSettings,
    catalog: Catalog,
    /// Turns true when the server stops: streams end then.
    stopping: tokio::sync::watch::Sender<bool>,
}

/// Why a flow could not be launched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Not of the form `agama_<qualified name>[-<base64url of a JSON object>]`.
    #[error("the ACR value names no flow")]
    NoFlow,
    /// No such flow.
    #[error("there is no flow {0}")]
    Unknown(String),
    /// Its project does not let callers start it.
    #[error("the flow {0} can't be started directly")]
    NotLaunchable(String),
    /// Its project does not let callers set the input.
    #[error("the flow {flow} takes no input {input} from callers")]
    Input {
        /// Which flow.
        flow: String,
        /// Which input.
        input: String,
    },
    /// The inputs are no base64url of a JSON object, or too long.
    #[error("the inputs behind the flow's name can't be read")]
    Unreadable,
}

/// Why the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The flow may not be started so.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The run crashed at its start; the reference is in the log.
    #[error("the flow crashed (reference {reference})")]
    Crashed {
        /// The number under which the log has the cause.
        reference: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A project can't be loaded.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// Sealing failed, or a sealed value was altered.
    #[error("a run can't be saved or read: {0}")]
    Saved(String),
}

impl From<PausedError> for EngineError {
    fn from(error: PausedError) -> Self {
        EngineError::Saved(error.to_string())
    }
}

/// A step of a run, as a request holds it.
pub(crate) struct Step {
    /// What must be true of the stored run for this request to write it.
    expect: Expect,
    /// Whether nobody else can work on it any more.
    claimed: bool,
    /// What the run's owner has written with the first commit.
    batch: Batch,
}

/// What came of an answer.
pub(crate) enum Moved {
    /// The browser goes there.
    To(String),
    /// The run crashed.
    Crashed { reference: String, restart: String },
    /// Another request is at work on the step, or was faster.
    Busy,
}

impl Engine {
    /// Loads what is deployed.
    pub async fn new(parts: EngineParts) -> Result<Self, EngineError> {
        let EngineParts { env, store, sealer, web, routines, attempts, settings } = parts;
        let catalog = Catalog::open(env.clone(), store.clone(), web.clone(), Arc::clone(&routines)).await?;
        Ok(Self(Arc::new(Inner {
            env,
            store,
            sealer,
            web,
            routines,
            attempts,
            settings,
            catalog,
            stopping: tokio::sync::watch::channel(false).0,
        })))
    }

    /// Projects: deploy, list.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Ends what would never end by itself: the streams of development pages.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    pub(crate) fn stopping(&self) -> tokio::sync::watch::Receiver<bool> {
        self.0.stopping.subscribe()
    }

    /// Section `flows` of the settings.
    pub fn settings(&self) -> &FlowSettings {
        &self.0.settings
    }

    pub(crate) fn env(&self) -> &Env {
        &self.0.env
    }

    pub(crate) fn web(&self) -> &Web {
        &self.0.web
    }

    pub(crate) fn routines(&self) -> &Arc<dyn Routines> {
        &self.0.routines
    }

    pub(crate) fn attempts(&self) -> Option<Arc<dyn Attempts>> {
        self.0.attempts.clone()
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Reads an ACR value: `agama_<qualified name>`, with inputs `agama_<qualified name>-<base64url of a JSON object>`.
    pub fn launch_from_acr(&self, acr: &str) -> Result<(String, Map), LaunchError> {
        let named = acr.strip_prefix("agama_").ok_or(LaunchError::NoFlow)?;
        if named.len() > MAX_LAUNCH {
            return Err(LaunchError::Unreadable);
        }
        let (flow, inputs) = match named.split_once('-') {
            None => (named, Map::new()),
            Some((flow, encoded)) => {
                let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| LaunchError::Unreadable)?;
                match serde_json::from_slice(&bytes).map(Value::from_json) {
                    Ok(Value::Map(inputs)) => (flow, inputs),
                    _ => return Err(LaunchError::Unreadable),
                }
            }
        };
        if !self.catalog().knows(flow) {
            return Err(LaunchError::Unknown(flow.to_owned()));
        }
        let allowed =
            self.catalog().launchable(flow).ok_or_else(|| LaunchError::NotLaunchable(flow.to_owned()))?;
        match inputs.keys().find(|input| !allowed.contains(input)) {
            Some(input) => Err(LaunchError::Input { flow: flow.to_owned(), input: input.clone() }),
            None => Ok((flow.to_owned(), inputs)),
        }
    }

    /// Starts a run; answers where the browser goes.
    pub async fn start(&self, start: Start) -> Result<Next, EngineError> {
        let release = self.catalog().live();
        let program = agama_lang::effect::Catalog::program(&*release, &start.flow)
            .ok_or_else(|| LaunchError::Unknown(start.flow.clone()))?;
        let now = self.env().now();
        let most = Duration::from_secs(self.settings().run_lifetime_seconds);
        let lifetime = program.timeout().map_or(most, |timeout| timeout.min(most));
        let deadline = now.plus(lifetime);
        let mut run = RunRecord {
            id: start.run,
            flow: start.flow.clone(),
            browser: start.browser,
            owner: start.owner,
            release: release.id.clone(),
            organisation: start.organisation,
            locales: start.locales,
            shown: Value::Map(start.shown).to_json(),
            form_action: start.form_action,
            step: 0,
            status: Status::Over { next: String::new() },
            sealed: String::new(),
            started_at: now,
            deadline,
            expires_at: deadline.plus(REMEMBERED),
        };
        let mut inputs = start.inputs;
        inputs.extend(start.launch.unwrap_or_default());
        metrics::counter!("flow_runs_started_total").increment(1);
        tracing::info!(event = "flow.started", run = %run.id, flow = run.flow, owner = run.owner.id);
        let mut ledger = Vec::new();
        let (state, effect) = vm::start(&*release, &start.flow, inputs, &self.settings().limits);
        let mut step = Step { expect: Expect::Absent, claimed: false, batch: start.batch };
        let stop =
            self.perform(&release, &mut run, &mut step, start.address, &mut ledger, state, effect).await?;
        match self.settle(&release, &mut run, ledger, stop, step).await? {
            Moved::To(url) => Ok(Next::Redirect(url)),
            Moved::Crashed { reference, .. } => Err(EngineError::Crashed { reference }),
            Moved::Busy => Ok(Next::Raced),
        }
    }

    /// Goes on with the answer, and saves what came of it. The step is claimed before anything is called: an answer that
    /// calls nothing has its claim in that one commit.
    pub(crate) async fn advance(
        &self,
        found: Versioned<RunRecord>,
        address: IpAddr,
        answer: impl FnOnce(&Paused) -> Resume,
    ) -> Result<Moved, EngineError> {
        let Versioned { record: mut run, version } = found;
        let release = self.catalog().release(&run.release).await?;
        let (state, paused) = run::open(self.sealer(), &run)?;
        let mut ledger = paused.ledger.clone();
        let (state, effect) = vm::resume(&*release, state, answer(&paused), &self.settings().limits);
        let mut step = Step { expect: Expect::Version(version), claimed: false, batch: Batch::new() };
        let stop = self.perform(&release, &mut run, &mut step, address, &mut ledger, state, effect).await?;
        run.step += 1;
        self.settle(&release, &mut run, ledger, stop, step).await
    }

    /// Makes sure that nobody else works on the step; says whether that is so.
    pub(crate) async fn claim(&self, run: &mut RunRecord, step: &mut Step) -> Result<bool, StoreError> {
        if step.claimed {
            return Ok(true);
        }
        let is_new = step.expect == Expect::Absent;
        let before = (!is_new).then(|| Box::new(run.status.clone()));
        run.status = Status::Acting { until: self.env().now().plus(LEASE), before };
        step.claimed = self.hold(run, step).await?;
        Ok(step.claimed)
    }

    /// Writes the claim; says whether it is this request's.
    async fn hold(&self, run: &RunRecord, step: &mut Step) -> Result<bool, StoreError> {
        let batch = std::mem::take(&mut step.batch).put(run, step.expect);
        match self.store().commit(batch).await {
            Ok(committed) if committed.accepted() => {}
            Ok(_) | Err(StoreError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        step.expect = match step.expect {
            Expect::Version(version) => Expect::Version(version + 1),
            Expect::Absent | Expect::Any => Expect::Version(1),
        };
        Ok(true)
    }

    /// Works on a claimed step, saying now and then that it goes on. Nothing comes of it when the claim was lost: the
    /// server stood still for so long that somebody else has begun the step again.
    pub(crate) async fn working<T>(
        &self,
        run: &mut RunRecord,
        step: &mut Step,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(LEASE / 3, &mut work).await {
                return Some(done);
            }
            if let Status::Acting { until, .. } = &mut run.status {
                *until = self.env().now().plus(LEASE);
            }
            match self.hold(run, step).await {
                Ok(true) => {}
                Ok(false) => return None,
                // Whoever finds the claim run out begins again; the commit at the end decides.
                Err(error) => tracing::warn!(event = "flow.claim_not_renewed", run = %run.id, %error),
            }
        }
    }

    /// Saves a run where it stopped.
    async fn settle(
        &self,
        release: &Arc<Release>,
        run: &mut RunRecord,
        ledger: Vec<crate::ports::Proof>,
        stop: Stop,
        step: Step,
    ) -> Result<Moved, EngineError> {
        let Step { mut batch, expect, .. } = step;
        let moved = match stop {
            Stop::Page(state, page) => match self.try_page(release, run, &page) {
                Ok(html) => {
                    run.status = Status::Page { path: page.template.clone(), callback: page.callback };
                    let secret_fields = run::secret_fields(&html);
                    let paused = Paused { state: state.encode(), ledger, secret_fields };
                    run.sealed = run::seal(self.sealer(), run, &paused)?;
                    Moved::To(format!("/flow/{}/{}", run.id, page.template))
                }
                Err(cause) => self.crash(run, &cause, &page.at.flow, page.at.line),
            },
            Stop::Away(state, url) => match outside_url(url.as_str()) {
                Some(url) => {
                    run.status = Status::Away { url };
                    let paused = Paused { state: state.encode(), ledger, secret_fields: Vec::new() };
                    run.sealed = run::seal(self.sealer(), run, &paused)?;
                    Moved::To(format!("/flow/{}/", run.id))
                }
                None => self.crash(
                    run,
                    "RFAC was given something that is no http or https URL",
                    &run.flow.clone(),
                    0,
                ),
            },
            Stop::Finished(outcome) => {
                let (next, one_time) = self.outcome(run, outcome, ledger)?;
                batch =
                    batch.issue(one_time).audit(AuditEvent::new("flow.finished", "server", run.id.as_str()));
                run.status = Status::Over { next: next.clone() };
                Moved::To(next)
            }
            Stop::Crashed(crash) => self.crash(run, &crash.message, &crash.at.flow, crash.at.line),
            Stop::Busy => return Ok(Moved::Busy),
        };
        if matches!(run.status, Status::Over { .. }) {
            run.sealed.clear();
            run.expires_at = self.env().now().plus(REMEMBERED);
        }
        match self.store().commit(batch.put(run, expect)).await {
            Ok(committed) if committed.accepted() => Ok(moved),
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(Moved::Busy),
            Err(error) => Err(error.into()),
        }
    }

    fn crash(&self, run: &mut RunRecord, cause: &str, flow: &str, line: u32) -> Moved {
        let reference = agamid_core::id::new_ulid(self.env());
        metrics::counter!("flow_runs_finished_total", "outcome" => "crashed").increment(1);
        tracing::error!(event = "flow.crashed", reference, run = %run.id, flow, line, cause);
        run.status = Status::Over { next: run.owner.restart.clone() };
        Moved::Crashed { reference, restart: run.owner.restart.clone() }
    }

    /// The outcome as a one-time record that only the owner can fetch, in the same browser.
    fn outcome(
        &self,
        run: &RunRecord,
        outcome: Outcome,
        proofs: Vec<crate::ports::Proof>,
    ) -> Result<(String, OneTime), EngineError> {
        let word = match (outcome.success, outcome.aborted) {
            (true, _) => "success",
            (_, true) => "aborted",
            _ => "failed",
        };
        metrics::counter!("flow_runs_finished_total", "outcome" => word).increment(1);
        tracing::info!(event = "flow.finished", run = %run.id, flow = run.flow, outcome = word);
        let finished = Finished { run: run.id.clone(), flow: run.flow.clone(), outcome, proofs };
        let bytes = postcard::to_stdvec(&finished).map_err(|error| EngineError::Saved(error.to_string()))?;
        let sealed = self
            .sealer()
            .seal("outcome", run.id.as_str().as_bytes(), &bytes)
            .map_err(|error| EngineError::Saved(error.to_string()))?;
        let one_time = OneTime {
            purpose: Purpose::FlowOutcome,
            hash: sha256_hex(run.id.as_str().as_bytes()),
            client: None,
            person: None,
            session: Some(run.browser.clone()),
            run: Some(run.id.to_string()),
            address: Some(address(run.owner.kind, &run.owner.id)),
            family: None,
            payload: STANDARD.encode(sealed).into(),
            expires_at: self.env().now().plus(OUTCOME_LIFETIME),
        };
        let joint = if run.owner.return_to.contains('?') { '&' } else { '?' };
        Ok((format!("{}{joint}run={}", run.owner.return_to, run.id), one_time))
    }

    /// Shows a finished run to its owner, in the browser that it ran in only, with the consumption that makes it theirs:
    /// the owner acts on it in the very commit that uses it up.
    pub async fn outcome_of(
        &self,
        run: &RunId,
        kind: OwnerKind,
        owner_id: &str,
        browser: &str,
    ) -> Result<Option<(Finished, Consume)>, EngineError> {
        let mut consume = Consume::new(Purpose::FlowOutcome, sha256_hex(run.as_str().as_bytes()));
        consume.session = Some(browser.to_owned());
        consume.run = Some(run.to_string());
        consume.address = Some(address(kind, owner_id));
        let Peeked::Live(one_time) = self.store().peek(consume.purpose, &consume.hash).await? else {
            return Ok(None);
        };
        if let Some(field) = one_time.mismatch(&consume) {
            tracing::warn!(event = "flow.outcome_refused", run = %run, field);
            // A stranger's try uses it up.
            self.store().consume(consume).await?;
            return Ok(None);
        }
        let saved = |cause: String| EngineError::Saved(cause);
        let sealed = STANDARD
            .decode(one_time.payload.as_str().unwrap_or_default())
            .map_err(|e| saved(e.to_string()))?;
        let bytes = self
            .sealer()
            .open("outcome", run.as_str().as_bytes(), &sealed)
            .map_err(|e| saved(e.to_string()))?;
        let finished = postcard::from_bytes(&bytes).map_err(|error| saved(error.to_string()))?;
        Ok(Some((finished, consume)))
    }

    /// Hands a finished run to its owner, once.
    pub async fn take(
        &self,
        run: &RunId,
        kind: OwnerKind,
        owner_id: &str,
        browser: &str,
    ) -> Result<Option<Finished>, EngineError> {
        let Some((finished, consume)) = self.outcome_of(run, kind, owner_id, browser).await? else {
            return Ok(None);
        };
        let taken = matches!(self.store().consume(consume).await?, Consumption::Consumed(_));
        Ok(taken.then_some(finished))
    }

    /// A run, if this browser may see it.
    pub(crate) async fn find(
        &self,
        id: &str,
        browser: Option<&str>,
    ) -> Result<Option<Versioned<RunRecord>>, StoreError> {
        let (Some(id), Some(browser)) = (RunId::parse(id), browser) else { return Ok(None) };
        let found = self.store().get::<RunRecord>(id.as_str()).await?;
        let Some(mut found) = found.filter(|found| found.record.browser == browser) else { return Ok(None) };
        let status = found.record.status.clone().at(self.env().now());
        if status != found.record.status {
            tracing::warn!(event = "flow.claim_died", run = %id, "the step is shown again");
            found.record.status = status;
        }
        Ok(Some(found))
    }

    /// The run of this browser that waits for its callback; the newest, if there are several.
    pub(crate) async fn find_callback(
        &self,
        browser: &str,
    ) -> Result<Option<Versioned<RunRecord>>, StoreError> {
        let found = self.store().find::<RunRecord>("callback", browser).await?;
        Ok(found.into_iter().max_by_key(|found| found.record.started_at))
    }

    fn try_page(
        &self,
        release: &Release,
        run: &RunRecord,
        page: &agama_lang::effect::Page,
    ) -> Result<String, String> {
        let visit = Visit {
            request_id: String::new(),
            address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            nonce: String::new(),
            locales: run.locales.clone(),
        };
        let (revision, context) = self.page_parts(release, run, page)?;
        let page = agamid_web::Page {
            environment: &revision.environment,
            template: &page.template,
            context,
            status: axum::http::StatusCode::OK,
            form_action: &[],
            overlay: None,
        };
        self.web().render(&visit, &page).map_err(|error| error.to_string())
    }
}

fn address(kind: OwnerKind, id: &str) -> String {
    let kind = match kind {
        OwnerKind::Login => "login",
        OwnerKind::Consent => "consent",
        OwnerKind::AccountSelection => "select",
        OwnerKind::Logout => "logout",
    };
    format!("{kind}:{id}")
}

/// An absolute http or https URL, as given.
fn outside_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| text.to_owned())
}
