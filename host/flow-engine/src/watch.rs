//! Hot reload: a folder of projects whose changes go live at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agamid_store::Record as _;
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::catalog::DeployError;
use crate::engine::Engine;
use crate::project::ProjectFiles;
use crate::records::ProjectRecord;

/// Editors write a file in several steps; this long after the last one the project is read.
const QUIET: Duration = Duration::from_millis(30);

impl Engine {
    /// Deploys every project of a folder. Projects that need each other are tried until no more can be deployed;
    /// what fails then is reported and answered.
    pub async fn load_folder(&self, folder: &Path) -> Vec<(String, DeployError)> {
        let mut waiting = match project_folders(folder) {
            Ok(folders) => folders,
            Err(cause) => {
                let error = crate::project::ProjectError::Unreadable {
                    path: folder.display().to_string(),
                    cause: cause.to_string(),
                };
                return vec![(folder.display().to_string(), error.into())];
            }
        };
        loop {
            let mut failed = Vec::new();
            let before = waiting.len();
            for path in waiting {
                if let Err(error) = self.load_project(&path).await {
                    failed.push((path, error));
                }
            }
            if failed.is_empty() || failed.len() == before {
                return failed.into_iter().map(|(path, error)| (path.display().to_string(), error)).collect();
            }
            waiting = failed.into_iter().map(|(path, _)| path).collect();
        }
    }

    async fn load_project(&self, folder: &Path) -> Result<(), DeployError> {
        let path = folder.to_owned();
        let read = tokio::task::spawn_blocking(move || ProjectFiles::from_folder(&path)).await;
        let project = read.map_err(|error| agamid_store::StoreError::Unavailable(error.to_string()))??;
        let name = project.manifest.project_name.clone();
        if self
            .catalog()
            .project(&name)
            .is_some_and(|live| live.revision == project.hash() && live.refused.is_empty())
        {
            return Ok(());
        }
        self.catalog().deploy(project, "folder").await.map(|_| ())
    }

    /// Watches a folder of projects until the watcher is dropped.
    pub fn watch(&self, folder: &Path) -> notify::Result<notify::RecommendedWatcher> {
        let (send, receive) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && !event.kind.is_access()
            {
                for path in event.paths {
                    // The receiver is gone when the server stops.
                    let _ = send.send(path);
                }
            }
        })?;
        let folder = folder.canonicalize()?;
        watcher.watch(&folder, RecursiveMode::Recursive)?;
        tokio::spawn(follow(self.clone(), folder, receive));
        Ok(watcher)
    }

    /// Puts into service what other nodes deploy, plugins first, for good.
    pub fn follow_store(&self) {
        let (engine, store) = (self.clone(), self.store().clone());
        tokio::spawn(async move {
            let mut changes = store.changes();
            let mut failed = String::new();
            let kinds = [ProjectRecord::KIND, engine.routines().record()];
            while changes.of_any(&kinds, store.patience()).await {
                let error = engine.adopt().await.err().unwrap_or_default();
                // One line for each reason: the same one comes again at every look.
                if error != failed && !error.is_empty() {
                    tracing::error!(event = "deployment.not_adopted", error);
                }
                failed = error;
            }
        });
    }

    async fn adopt(&self) -> Result<(), String> {
        self.routines().adopt().await.map_err(|error| error.message)?;
        match self.catalog().adopt().await {
            // Plugins that don't fit are reported with their findings, when they change.
            Ok(()) | Err(DeployError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Puts changed plugins into service as they come.
    pub fn follow_plugins(&self) {
        let engine = self.clone();
        let mut changes = engine.routines().changes();
        // What was refused before this began is told too.
        changes.mark_changed();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                let adopted = engine.catalog().adopt().await;
                engine.catalog().report_plugins(adopted);
            }
        });
    }
}

async fn follow(engine: Engine, folder: PathBuf, mut changed: mpsc::UnboundedReceiver<PathBuf>) {
    while let Some(first) = changed.recv().await {
        let mut projects: BTreeSet<PathBuf> = project_of(&folder, &first).into_iter().collect();
        while let Ok(Some(path)) = tokio::time::timeout(QUIET, changed.recv()).await {
            projects.extend(project_of(&folder, &path));
        }
        for project in projects {
            if project.join("project.json").exists()
                && let Err(error) = engine.load_project(&project).await
            {
                // Findings were reported by the catalog; what stops the reading itself is told here.
                if let DeployError::Project(_) = error {
                    let name = project.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    engine.catalog().report(&name, &error);
                }
            }
        }
    }
}

fn project_of(folder: &Path, path: &Path) -> Option<PathBuf> {
    let first = path.strip_prefix(folder).ok()?.components().next()?;
    Some(folder.join(first))
}

fn project_folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("project.json").exists() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
