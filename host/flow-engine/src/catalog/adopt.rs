//! Putting into service what other nodes deployed, and plugins that changed: flows and plugins together, or neither. A
//! node never runs a flow against plugins that it was not checked with.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use agama_lang::diagnostic::Diagnostic;
use agamid_store::{Batch, Expect, Scan, Store, StoreError};
use agamid_web::Web;

use super::{Catalog, DeployError, PLUGINS, Release, compile, load_project};
use crate::ports::{Pins, RoutineSet};
use crate::project::ProjectFiles;
use crate::records::ProjectRecord;
use crate::revision::{OtherFlows, Revision};

/// The revision of each project that is to be in service.
pub(super) type Wanted = BTreeMap<String, String>;

/// What the store says.
pub(super) async fn deployed(store: &Store) -> Result<Wanted, StoreError> {
    let mut found = BTreeMap::new();
    let mut after = None;
    loop {
        let page = store.scan::<ProjectRecord>(Scan { after, limit: 500, ..Scan::default() }).await?;
        found.extend(page.records.into_iter().map(|found| (found.record.name, found.record.revision)));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

impl Catalog {
    /// Brings this node to what the store and the plugins say, where they fit each other. Where the plugins don't fit,
    /// the ones in service stay, and the findings are answered.
    pub(crate) async fn adopt(&self) -> Result<(), DeployError> {
        let _one = self.deploying.lock().await;
        self.adopt_now().await
    }

    /// As [`Self::adopt`], for whoever has the turn.
    pub(super) async fn adopt_now(&self) -> Result<(), DeployError> {
        let live = self.live();
        let wanted = deployed(&self.store).await?;
        let current = self.routines.current();
        let same = wanted.len() == live.revisions.len()
            && wanted
                .iter()
                .all(|(name, hash)| live.revisions.get(name).is_some_and(|one| one.hash == *hash));
        if same && current.pins() == live.routines.pins() {
            return Ok(());
        }
        let seen = (wanted.clone(), current.pins());
        if self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&seen) {
            return Ok(());
        }
        let projects = self.projects_of(&live, &wanted).await?;
        let (first, web) = (Arc::clone(&current), self.web.clone());
        let tried = projects.clone();
        let built = compile(move || build_all(&tried, &*first, &web)).await?;
        let outcome = match built {
            Ok(revisions) => {
                self.swap_in(Release::new(revisions, current), &live).await?;
                Ok(())
            }
            Err((project, findings)) => {
                if !same {
                    self.adopt_with_old_plugins(projects, &live).await?;
                }
                Err(DeployError::Refused { project, findings })
            }
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        outcome
    }

    /// The plugins don't fit: perhaps those in service do.
    async fn adopt_with_old_plugins(
        &self,
        projects: Vec<ProjectFiles>,
        live: &Arc<Release>,
    ) -> Result<(), DeployError> {
        let (set, web) = (Arc::clone(&live.routines), self.web.clone());
        match compile(move || build_all(&projects, &*set, &web)).await? {
            Ok(revisions) => self.swap_in(Release::new(revisions, Arc::clone(&live.routines)), live).await,
            Err((project, findings)) => {
                tracing::error!(event = "project.not_adopted", project, findings = findings.len());
                Ok(())
            }
        }
    }

    /// The files of what is wanted. One that can't be read here keeps what is in service of it.
    async fn projects_of(&self, live: &Release, wanted: &Wanted) -> Result<Vec<ProjectFiles>, StoreError> {
        let mut projects = Vec::new();
        for (name, hash) in wanted {
            let old = live.revisions.get(name);
            if let Some(same) = old.filter(|old| old.hash == *hash) {
                projects.push(same.project.clone());
                continue;
            }
            match load_project(&self.store, hash).await {
                Ok(project) => projects.push(project),
                Err(DeployError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::error!(event = "project.not_adopted", project = name, %error);
                    projects.extend(old.map(|old| old.project.clone()));
                }
            }
        }
        Ok(projects)
    }

    async fn swap_in(&self, release: Release, before: &Release) -> Result<(), DeployError> {
        let release = Arc::new(release);
        self.store.commit(Batch::new().put(&release.record(), Expect::Any)).await?;
        self.remember(&release);
        self.live.store(Arc::clone(&release));
        if release.routines.pins() != before.routines.pins() {
            tracing::info!(event = "plugins.adopted");
            self.tell(PLUGINS, Vec::new());
        }
        for (name, revision) in &release.revisions {
            if before.revisions.get(name).is_none_or(|old| old.hash != revision.hash) {
                tracing::info!(event = "project.adopted", project = name);
                self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                self.tell(name, Vec::new());
            }
        }
        Ok(())
    }

    /// Whether all projects in service would fit a set of routines.
    pub async fn check_routines(&self, set: Arc<dyn RoutineSet>) -> Result<(), DeployError> {
        let live = self.live();
        let projects: Vec<ProjectFiles> =
            live.revisions.values().map(|revision| revision.project.clone()).collect();
        let web = self.web.clone();
        match compile(move || build_all(&projects, &*set, &web)).await? {
            Ok(_) => Ok(()),
            Err((project, findings)) => Err(DeployError::Refused { project, findings }),
        }
    }
}

/// Of what was looked at last: the projects and the plugins.
pub(super) type Seen = (Wanted, Pins);

type Built = Result<BTreeMap<String, Arc<Revision>>, (String, Vec<Diagnostic>)>;

/// Compiles and checks all projects against one another and a set of routines.
fn build_all(projects: &[ProjectFiles], set: &dyn RoutineSet, web: &Web) -> Built {
    let mut flows: BTreeMap<String, OtherFlows> = BTreeMap::new();
    for project in projects {
        let name = project.manifest.project_name.clone();
        let revision =
            Revision::rebuild(project.clone(), web).map_err(|findings| (name.clone(), findings))?;
        let programs = revision.programs.iter();
        flows.insert(
            name,
            programs.map(|(flow, program)| (flow.clone(), program.inputs().to_vec())).collect(),
        );
    }
    let mut revisions = BTreeMap::new();
    for project in projects {
        let name = project.manifest.project_name.clone();
        let others = flows.iter().filter(|(other, _)| **other != name);
        let others: OtherFlows = others.flat_map(|(_, flows)| flows.clone()).collect();
        let revision = Revision::build(project.clone(), &others, set, web);
        revisions.insert(name.clone(), Arc::new(revision.map_err(|findings| (name, findings))?));
    }
    Ok(revisions)
}
