//! What is in service: an immutable release behind an `ArcSwap`. A change is built as a whole and swapped in one step;
//! a broken one is refused while the old one serves.

mod adopt;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use agama_lang::diagnostic::{Code, Diagnostic};
use agama_lang::effect::Catalog as _;
use agama_lang::ir::Program;
use agama_lang::value::Map;
use agamid_core::Env;
use agamid_store::{AuditEvent, Batch, Expect, Store, StoreError};
use agamid_web::Web;
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::sync::watch;

use crate::ports::{Pins, RoutineSet, Routines};
use crate::project::{ProjectError, ProjectFiles};
use crate::records::{DeploymentRecord, ProjectRecord, ReleaseRecord, RevisionRecord};
use crate::revision::{OtherFlows, Revision, finding};

/// The name under which plugins that are not in service are reported.
const PLUGINS: &str = "plugins";
/// How often a deployment that met another node's is tried again.
const TRIES: usize = 5;
/// Releases that are kept in memory for runs that began with them.
const KEPT_RELEASES: usize = 32;

/// Revisions and plugins that belong together.
pub struct Release {
    pub(crate) id: String,
    pub(crate) revisions: BTreeMap<String, Arc<Revision>>,
    pub(crate) routines: Arc<dyn RoutineSet>,
}

impl Release {
    /// Changes whenever a flow, a template or a plugin does.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn new(revisions: BTreeMap<String, Arc<Revision>>, routines: Arc<dyn RoutineSet>) -> Self {
        let mut text = String::new();
        for (name, revision) in &revisions {
            text.push_str(&format!("{name} {}\n", revision.hash));
        }
        for (name, digest) in routines.pins() {
            text.push_str(&format!("plugin {name} {digest}\n"));
        }
        let id = agamid_core::secret::sha256_hex(text.as_bytes());
        Self { id, revisions, routines }
    }

    /// The revision that has a flow.
    pub(crate) fn revision_of(&self, flow: &str) -> Option<&Arc<Revision>> {
        self.revisions.values().find(|revision| revision.programs.contains_key(flow))
    }

    fn record(&self) -> ReleaseRecord {
        let revisions = self.revisions.iter().map(|(name, revision)| (name.clone(), revision.hash.clone()));
        ReleaseRecord { id: self.id.clone(), revisions: revisions.collect(), pins: self.routines.pins() }
    }

    /// The flows of a project with their inputs.
    fn flows_of(&self, project: &str) -> OtherFlows {
        let programs = self.revisions.get(project).into_iter().flat_map(|revision| &revision.programs);
        programs.map(|(name, program)| (name.clone(), program.inputs().to_vec())).collect()
    }

    fn flows_besides(&self, project: &str) -> OtherFlows {
        let others = self.revisions.iter().filter(|(name, _)| *name != project);
        let programs = others.flat_map(|(_, revision)| revision.programs.iter());
        programs.map(|(name, program)| (name.clone(), program.inputs().to_vec())).collect()
    }
}

impl agama_lang::effect::Catalog for Release {
    fn program(&self, flow: &str) -> Option<Arc<Program>> {
        self.revision_of(flow)?.programs.get(flow).cloned()
    }

    fn config(&self, flow: &str) -> Map {
        self.revision_of(flow).map(|revision| revision.project.config(flow)).unwrap_or_default()
    }
}

/// Why a deployment did not happen. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The project has errors.
    #[error("{project} has errors and was not deployed")]
    Refused {
        /// Its name.
        project: String,
        /// All findings.
        findings: Vec<Diagnostic>,
    },
    /// The files are no project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A project in service, for lists.
#[derive(Debug, Clone, Serialize)]
pub struct ProjectStatus {
    /// Its name.
    pub name: String,
    /// Its version, from `project.json`.
    pub version: String,
    /// SHA-256 of the files in service.
    pub revision: String,
    /// Its flows.
    pub flows: Vec<String>,
    /// Flows that callers may start, with the inputs that they may set.
    pub launchable: BTreeMap<String, Vec<String>>,
    /// Findings in service that are no errors.
    pub warnings: Vec<Diagnostic>,
    /// Findings of the last version that was refused, if it is newer than the one in service.
    pub refused: Vec<Diagnostic>,
}

/// What changed last, for those who watch.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Change {
    /// How many changes came before it.
    pub serial: u64,
    /// Which project; empty at the start.
    pub project: String,
    /// Whether the change is live.
    pub clean: bool,
    /// Why not.
    pub findings: Vec<Diagnostic>,
}

/// The deployed projects.
pub struct Catalog {
    env: Env,
    store: Store,
    web: Web,
    routines: Arc<dyn Routines>,
    live: ArcSwap<Release>,
    recent: Mutex<HashMap<String, Arc<Release>>>,
    refused: Mutex<BTreeMap<String, Vec<Diagnostic>>>,
    changes: watch::Sender<Change>,
    /// One deployment at a time.
    deploying: tokio::sync::Mutex<()>,
    /// What was looked at last, so that what can't be adopted is not compiled again at every look.
    seen: Mutex<Option<adopt::Seen>>,
}

impl Catalog {
    /// Loads what is deployed.
    pub(crate) async fn open(
        env: Env,
        store: Store,
        web: Web,
        routines: Arc<dyn Routines>,
    ) -> Result<Self, DeployError> {
        let mut revisions = BTreeMap::new();
        for (name, hash) in adopt::deployed(&store).await? {
            match load_revision(&store, &web, &hash).await {
                Ok(revision) => drop(revisions.insert(name, Arc::new(revision))),
                Err(DeployError::Store(error)) => return Err(error.into()),
                // Of a newer server, perhaps: the other projects serve all the same.
                Err(error) => tracing::error!(event = "project.not_adopted", project = name, %error),
            }
        }
        let release = Arc::new(Release::new(revisions, routines.current()));
        store.commit(Batch::new().put(&release.record(), Expect::Any)).await?;
        let recent = HashMap::from([(release.id.clone(), Arc::clone(&release))]);
        Ok(Self {
            env,
            store,
            web,
            routines,
            live: ArcSwap::new(release),
            recent: Mutex::new(recent),
            refused: Mutex::default(),
            changes: watch::channel(Change::default()).0,
            deploying: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        })
    }

    /// What new runs begin with.
    pub fn live(&self) -> Arc<Release> {
        self.live.load_full()
    }

    /// Ticks at every deployment, refused ones too; holds the last one.
    pub(crate) fn changes(&self) -> watch::Receiver<Change> {
        self.changes.subscribe()
    }

    /// The release that a run began with.
    pub(crate) async fn release(&self, id: &str) -> Result<Arc<Release>, DeployError> {
        let known = self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(release) = known {
            return Ok(release);
        }
        let record = self.store.get::<ReleaseRecord>(id).await?;
        let record = record.ok_or_else(|| gone("release", id))?.record;
        let mut revisions = BTreeMap::new();
        for (name, hash) in record.revisions {
            revisions.insert(name, Arc::new(load_revision(&self.store, &self.web, &hash).await?));
        }
        let routines = self.pinned(&record.pins).await?;
        let release = Arc::new(Release::new(revisions, routines));
        self.remember(&release);
        Ok(release)
    }

    async fn pinned(&self, pins: &Pins) -> Result<Arc<dyn RoutineSet>, DeployError> {
        self.routines
            .pinned(pins)
            .await
            .map_err(|error| DeployError::Store(StoreError::Unavailable(error.message)))
    }

    fn remember(&self, release: &Arc<Release>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= KEPT_RELEASES {
            let live = self.live.load().id.clone();
            recent.retain(|id, _| *id == live);
        }
        recent.insert(release.id.clone(), Arc::clone(release));
    }

    /// Compiles, checks and puts a project into service, in one step.
    pub async fn deploy(&self, project: ProjectFiles, actor: &str) -> Result<ProjectStatus, DeployError> {
        let name = project.manifest.project_name.clone();
        let result = self.try_deploy(project, actor).await;
        match &result {
            Ok(_) => {
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                tracing::info!(event = "project.deployed", project = name);
                self.tell(&name, Vec::new());
            }
            Err(error) => self.report(&name, error),
        }
        result
    }

    /// Remembers and tells why a project's newest version is not in service.
    pub(crate) fn report(&self, name: &str, error: &DeployError) {
        let findings = match error {
            DeployError::Refused { findings, .. } => findings.clone(),
            DeployError::Project(error) => {
                let line = match error {
                    ProjectError::Manifest { line, .. } => u32::try_from(*line).unwrap_or(1).max(1),
                    _ => 1,
                };
                let file = format!("{name}/project.json");
                vec![finding(Code::BadProject, file, line, error.to_string(), "see docs/flows.md")]
            }
            other @ DeployError::Store(_) => {
                tracing::error!(event = "project.failed", project = name, error = %other);
                return;
            }
        };
        self.remember_refused(name, findings);
    }

    /// Remembers and tells which plugins are not in service: those that can't be loaded, and those that a project does
    /// not fit.
    pub(crate) fn report_plugins(&self, adopted: Result<(), DeployError>) {
        let hint = "the version before it stays in service";
        let refused = self.routines.refused();
        let mut findings: Vec<Diagnostic> = refused
            .into_iter()
            .map(|(file, reason)| finding(Code::BadPlugin, file, 1, reason, hint))
            .collect();
        match adopted {
            Ok(()) => {}
            Err(DeployError::Refused { findings: found, .. }) => findings.extend(found),
            Err(error) => tracing::error!(event = "plugins.failed", %error),
        }
        let known = self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(PLUGINS);
        match (known, findings.is_empty()) {
            (None, true) => {}
            (Some(_), true) => self.tell(PLUGINS, Vec::new()),
            (_, false) => self.remember_refused(PLUGINS, findings),
        }
    }

    fn remember_refused(&self, name: &str, findings: Vec<Diagnostic>) {
        for finding in &findings {
            tracing::warn!(
                event = "project.refused",
                project = name,
                code = %finding.code,
                place = format!("{}:{}:{}", finding.file, finding.line, finding.column),
                message = finding.message,
                hint = finding.hint,
            );
        }
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), findings.clone());
        self.tell(name, findings);
    }

    /// Tells those who watch; a change with findings is not live.
    fn tell(&self, project: &str, findings: Vec<Diagnostic>) {
        self.changes.send_modify(|last| {
            *last = Change {
                serial: last.serial + 1,
                project: project.to_owned(),
                clean: findings.is_empty(),
                findings,
            };
        });
    }

    async fn try_deploy(&self, project: ProjectFiles, actor: &str) -> Result<ProjectStatus, DeployError> {
        let _one = self.deploying.lock().await;
        for _ in 0..TRIES {
            // Whether the plugins fit is not the question here.
            if let Err(error @ DeployError::Store(_)) = self.adopt_now().await {
                return Err(error);
            }
            match self.deploy_now(project.clone(), actor).await {
                // Another node deployed something meanwhile, which this was not checked with.
                Err(DeployError::Store(StoreError::Conflict { .. })) => {}
                done => return done,
            }
        }
        Err(StoreError::Unavailable("other nodes deploy all the time; try again".to_owned()).into())
    }

    async fn deploy_now(&self, project: ProjectFiles, actor: &str) -> Result<ProjectStatus, DeployError> {
        let turn = self.store.get::<DeploymentRecord>(DeploymentRecord::KEY).await?;
        let expect = turn.as_ref().map_or(Expect::Absent, |turn| Expect::Version(turn.version));
        let name = project.manifest.project_name.clone();
        let live = self.live();
        let routines = self.routines_for(&live, &project).await?;
        let others = live.flows_besides(&name);
        let (web, set) = (self.web.clone(), Arc::clone(&routines));
        let (built, taken) = compile(move || {
            let taken: Vec<String> = project
                .flows()
                .map(|(flow, _, _)| flow.to_owned())
                .filter(|flow| others.contains_key(flow))
                .collect();
            (Revision::build(project, &others, &*set, &web), taken)
        })
        .await?;
        let revision = built.map_err(|findings| DeployError::Refused { project: name.clone(), findings })?;
        if let Some(flow) = taken.first() {
            let reason = format!("the flow {flow} exists in another project already; rename it");
            return Err(ProjectError::Manifest { line: 0, reason }.into());
        }
        let mut revisions = live.revisions.clone();
        let revision = Arc::new(revision);
        revisions.insert(name.clone(), Arc::clone(&revision));
        let release = Arc::new(Release::new(revisions, routines));
        if release.flows_of(&name) != live.flows_of(&name) {
            self.check_others(&release, &name).await?;
        }
        let batch = Batch::new()
            .put(&DeploymentRecord { release: release.id.clone() }, expect)
            .put(&revision_record(&revision), Expect::Any)
            .put(&release.record(), Expect::Any)
            .put(
                &ProjectRecord {
                    name: name.clone(),
                    revision: revision.hash.clone(),
                    deployed_at: self.env.now(),
                },
                Expect::Any,
            )
            .audit(AuditEvent::new("project.deployed", actor, &name));
        self.store.commit(batch).await?;
        self.remember(&release);
        self.live.store(release);
        Ok(self.status_of(&name, &revision))
    }

    /// A flow that goes away, or takes other inputs, may be Triggered by other projects: they must still fit.
    async fn check_others(&self, release: &Arc<Release>, changed: &str) -> Result<(), DeployError> {
        for (name, revision) in release.revisions.iter().filter(|(name, _)| *name != changed) {
            let (project, others) = (revision.project.clone(), release.flows_besides(name));
            let (web, set) = (self.web.clone(), Arc::clone(&release.routines));
            let built = compile(move || Revision::build(project, &others, &*set, &web)).await?;
            if let Err(findings) = built {
                return Err(DeployError::Refused { project: changed.to_owned(), findings });
            }
        }
        Ok(())
    }

    /// The plugins that a deployment goes with: the newest, if every other project fits them and this one does; else
    /// those in service, so that plugins that were refused don't come in by another door.
    async fn routines_for(
        &self,
        live: &Arc<Release>,
        project: &ProjectFiles,
    ) -> Result<Arc<dyn RoutineSet>, DeployError> {
        let current = self.routines.current();
        if current.pins() == live.routines.pins() {
            return Ok(current);
        }
        let name = &project.manifest.project_name;
        let others = live.revisions.iter().filter(|(other, _)| *other != name);
        let projects = others.map(|(_, revision)| revision.project.clone()).chain([project.clone()]);
        for candidate in projects {
            let others = live.flows_besides(&candidate.manifest.project_name);
            let (web, set) = (self.web.clone(), Arc::clone(&current));
            if compile(move || Revision::build(candidate, &others, &*set, &web)).await?.is_err() {
                return Ok(Arc::clone(&live.routines));
            }
        }
        Ok(current)
    }

    /// All projects in service.
    pub fn projects(&self) -> Vec<ProjectStatus> {
        self.live().revisions.iter().map(|(name, revision)| self.status_of(name, revision)).collect()
    }

    /// One project in service.
    pub fn project(&self, name: &str) -> Option<ProjectStatus> {
        self.live().revisions.get(name).map(|revision| self.status_of(name, revision))
    }

    /// Why the newest version of the project with this flow, or of a plugin, is not in service.
    pub(crate) fn refused_for(&self, flow: &str) -> Option<(String, Vec<Diagnostic>)> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.live();
        let (name, _) = live.revisions.iter().find(|(_, revision)| revision.programs.contains_key(flow))?;
        let name = [name.as_str(), PLUGINS].into_iter().find(|name| refused.contains_key(*name))?;
        refused.get(name).map(|findings| (name.to_owned(), findings.clone()))
    }

    fn status_of(&self, name: &str, revision: &Revision) -> ProjectStatus {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        ProjectStatus {
            name: name.to_owned(),
            version: revision.project.manifest.version.clone(),
            revision: revision.hash.clone(),
            flows: revision.programs.keys().cloned().collect(),
            launchable: revision.project.manifest.launchable.clone(),
            warnings: revision.warnings.clone(),
            refused: refused.unwrap_or_default(),
        }
    }

    /// When a flow may be started by a caller: which inputs they may set.
    pub(crate) fn launchable(&self, flow: &str) -> Option<Vec<String>> {
        let live = self.live();
        let manifest = &live.revision_of(flow)?.project.manifest;
        if manifest.no_direct_launch.iter().any(|name| name == flow) {
            return None;
        }
        manifest.launchable.get(flow).cloned()
    }

    /// Whether a flow is in service.
    pub(crate) fn knows(&self, flow: &str) -> bool {
        self.live().program(flow).is_some()
    }
}

/// Compilation takes milliseconds of processor time: not on the threads that serve requests.
async fn compile<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DeployError> {
    let built = tokio::task::spawn_blocking(work).await;
    built.map_err(|error| StoreError::Unavailable(format!("compiling stopped: {error}")).into())
}

fn revision_record(revision: &Revision) -> RevisionRecord {
    let files = revision.project.files.iter().map(|(path, content)| (path.clone(), STANDARD.encode(content)));
    RevisionRecord { hash: revision.hash.clone(), files: files.collect() }
}

async fn load_project(store: &Store, hash: &str) -> Result<ProjectFiles, DeployError> {
    let record = store.get::<RevisionRecord>(hash).await?.ok_or_else(|| gone("revision", hash))?.record;
    let mut files = BTreeMap::new();
    for (path, content) in record.files {
        let content = STANDARD.decode(content).map_err(|error| StoreError::Corrupt {
            kind: "revision".to_owned(),
            key: hash.to_owned(),
            cause: error.to_string(),
        })?;
        files.insert(path, content);
    }
    Ok(ProjectFiles::from_files(files)?)
}

async fn load_revision(store: &Store, web: &Web, hash: &str) -> Result<Revision, DeployError> {
    let project = load_project(store, hash).await?;
    let name = project.manifest.project_name.clone();
    Revision::rebuild(project, web).map_err(|findings| DeployError::Refused { project: name, findings })
}

fn gone(kind: &str, key: &str) -> DeployError {
    DeployError::Store(StoreError::Corrupt {
        kind: kind.to_owned(),
        key: key.to_owned(),
        cause: "it is referred to, but not there".to_owned(),
    })
}
