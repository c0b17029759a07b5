//! Files, folders and archives with flows in them.

use std::path::{Path, PathBuf};

use agamid_flow_engine::project::{ProjectError, ProjectFiles};

use crate::Exit;

/// What a path on the command line leads to.
pub(crate) enum Source {
    /// A project, from its folder or archive.
    Project {
        /// The path as it was given.
        shown: String,
        /// Its files.
        files: Box<ProjectFiles>,
    },
    /// A flow of its own.
    File {
        /// The path as it was given.
        shown: String,
        /// Its bytes; not every file is UTF-8.
        content: Vec<u8>,
    },
}

/// Why a path leads to no source.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It can't be read; what the system said.
    Unreadable(String),
    /// It can be read, but is no project.
    Broken {
        /// `project.json`, or the archive.
        file: String,
        /// 1-based.
        line: u32,
        /// What is wrong.
        reason: String,
    },
}

impl Unusable {
    fn of(path: &Path, error: ProjectError) -> Self {
        let shown = path.display().to_string();
        match error {
            ProjectError::Unreadable { path, cause } => Self::Unreadable(format!("{path}: {cause}")),
            ProjectError::Manifest { line, reason } => {
                let file = format!("{}/project.json", shown.trim_end_matches('/'));
                Self::Broken { file, line: u32::try_from(line).unwrap_or(1).max(1), reason }
            }
            other => Self::Broken { file: shown, line: 1, reason: other.to_string() },
        }
    }

    /// For commands that can't go on without it.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Unreadable(reason) => Exit::Failed(reason),
            Self::Broken { file, line, reason } => {
                crate::out::error(&format!("{file}:{line}: {reason}"));
                Exit::Errors
            }
        }
    }
}

/// A flow in a source.
pub(crate) struct FlowFile<'a> {
    /// The name that its file demands; a file of its own demands none.
    pub(crate) name: Option<&'a str>,
    /// What findings call the file.
    pub(crate) file: String,
    /// Its bytes.
    pub(crate) content: &'a [u8],
}

impl Source {
    /// Everything at a path: one source, or those of a folder of projects or flows.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, Unusable> {
        if !path.is_dir() {
            return Ok(vec![Self::read_file(path)?]);
        }
        let shown = path.display().to_string();
        if path.join("project.json").exists() {
            let files = ProjectFiles::from_folder(path).map_err(|error| Unusable::of(path, error))?;
            return Ok(vec![Self::Project { shown, files: Box::new(files) }]);
        }
        let mut found = Vec::new();
        for entry in entries(path).map_err(Unusable::Unreadable)? {
            if entry.is_dir() && entry.join("project.json").exists() {
                found.extend(Self::read(&entry)?);
            }
        }
        if found.is_empty() {
            for file in flow_files(path).map_err(Unusable::Unreadable)? {
                found.push(Self::read_file(&file)?);
            }
        }
        if found.is_empty() {
            let reason = format!("{shown}: there is no project.json and no .flow file in this folder");
            return Err(Unusable::Unreadable(reason));
        }
        Ok(found)
    }

    fn read_file(path: &Path) -> Result<Self, Unusable> {
        let shown = path.display().to_string();
        let content =
            std::fs::read(path).map_err(|error| Unusable::Unreadable(format!("{shown}: {error}")))?;
        if is_flow(path) {
            return Ok(Self::File { shown, content });
        }
        let files = ProjectFiles::from_archive(&content).map_err(|error| Unusable::of(path, error))?;
        Ok(Self::Project { shown, files: Box::new(files) })
    }

    /// Its flows.
    pub(crate) fn flows(&self) -> Vec<FlowFile<'_>> {
        match self {
            Self::File { shown, content } => vec![FlowFile { name: None, file: shown.clone(), content }],
            Self::Project { shown, files } => files
                .flows()
                .map(|(name, path, content)| FlowFile {
                    name: Some(name),
                    file: format!("{}/{path}", shown.trim_end_matches('/')),
                    content,
                })
                .collect(),
        }
    }

    /// The project, if it is one.
    pub(crate) fn project(&self) -> Option<&ProjectFiles> {
        match self {
            Self::Project { files, .. } => Some(files),
            Self::File { .. } => None,
        }
    }
}

/// All `.flow` files below a folder, hidden ones aside.
pub(crate) fn flow_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in entries(folder)? {
        // A link to a folder may lead back here.
        if entry.is_dir() && !entry.is_symlink() {
            found.extend(flow_files(&entry)?);
        } else if is_flow(&entry) && entry.is_file() {
            found.push(entry);
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a path names a flow.
pub(crate) fn is_flow(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "flow")
}
