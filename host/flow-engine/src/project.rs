//! A flow project as files: `project.json`, `code/*.flow`, `web/…`; from a folder or a `.gama` archive.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use agama_lang::value::{Map, Value};
use serde::{Deserialize, Serialize};

/// All files of a project together, unpacked.
pub const MAX_PROJECT: usize = 16 * 1024 * 1024;
/// Files of a project.
pub const MAX_FILES: usize = 2_000;

/// `project.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manifest {
    /// The project's name.
    pub project_name: String,
    /// Its version.
    pub version: String,
    /// Who made it.
    pub author: Option<String>,
    /// Under which terms.
    pub license: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Properties of flows, by qualified name.
    pub configs: BTreeMap<String, serde_json::Value>,
    /// Flows that callers may never start, though `launchable` names them.
    pub no_direct_launch: Vec<String>,
    /// Flows that callers may start, each with the inputs that they may set.
    pub launchable: BTreeMap<String, Vec<String>>,
}

/// A project's files, and what `project.json` says.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectFiles {
    /// The manifest.
    pub manifest: Manifest,
    /// Every file by its path below the project's folder, with `/` between parts.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Why files are no project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// A file or folder can't be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// `project.json` is missing or wrong.
    #[error("project.json{}: {reason}", if *line == 0 { String::new() } else { format!(", line {line}") })]
    Manifest {
        /// 1-based; 0 where the file as a whole is meant.
        line: usize,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// The archive is no ZIP, or holds what it may not.
    #[error("the archive can't be used: {0}")]
    Archive(String),
    /// Too many files, or too large.
    #[error("the project has {0}; at most {MAX_FILES} files and {MAX_PROJECT} bytes are allowed")]
    TooLarge(String),
}

impl ProjectFiles {
    /// Reads a folder. Hidden files are left out.
    pub fn from_folder(folder: &Path) -> Result<Self, ProjectError> {
        let mut files = BTreeMap::new();
        walk(folder, "", &mut files)?;
        Self::from_files(files)
    }

    /// Reads a ZIP archive: `project.json` at its top, or in its only folder.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, ProjectError> {
        let refuse = |reason: String| ProjectError::Archive(reason);
        let mut archive =
            zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(|error| refuse(error.to_string()))?;
        if archive.len() > MAX_FILES {
            return Err(ProjectError::TooLarge(format!("{} files", archive.len())));
        }
        let mut files = BTreeMap::new();
        let mut room = MAX_PROJECT;
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(|error| refuse(error.to_string()))?;
            if entry.is_dir() {
                continue;
            }
            let name = entry.name().map_err(|error| refuse(error.to_string()))?.into_owned();
            let safe = !entry.is_symlink()
                && !name.contains(['\\', '\0'])
                && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
            if !safe {
                return Err(refuse(format!("the entry {name:?} is no plain path inside the archive")));
            }
            let mut content = Vec::new();
            let limit = u64::try_from(room).unwrap_or(u64::MAX) + 1;
            entry
                .take(limit)
                .read_to_end(&mut content)
                .map_err(|error| refuse(format!("{name}: {error}")))?;
            room = room
                .checked_sub(content.len())
                .ok_or_else(|| ProjectError::TooLarge("more bytes".to_owned()))?;
            files.insert(name, content);
        }
        Self::from_files(without_top_folder(files))
    }

    /// A project from files by path.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, ProjectError> {
        let text = files.get("project.json").ok_or_else(|| ProjectError::Manifest {
            line: 0,
            reason: "the file is missing; it needs at least {\"projectName\": \"…\", \"version\": \"…\"}"
                .to_owned(),
        })?;
        let manifest: Manifest = serde_json::from_slice(text)
            .map_err(|error| ProjectError::Manifest { line: error.line(), reason: error.to_string() })?;
        let name = &manifest.project_name;
        let fits = !name.is_empty()
            && name.len() <= 100
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !fits {
            let reason = format!("projectName is {name:?}; use letters, digits, and - _ .");
            return Err(ProjectError::Manifest { line: 0, reason });
        }
        Ok(Self { manifest, files })
    }

    /// The flows: qualified name (from the file's name), path, source.
    pub fn flows(&self) -> impl Iterator<Item = (&str, &str, &[u8])> {
        self.files.iter().filter_map(|(path, content)| {
            let file = path.strip_prefix("code/")?.rsplit('/').next()?;
            Some((file.strip_suffix(".flow")?, path.as_str(), content.as_slice()))
        })
    }

    /// The properties of a flow.
    pub fn config(&self, flow: &str) -> Map {
        match self.manifest.configs.get(flow).cloned().map(Value::from_json) {
            Some(Value::Map(map)) => map,
            _ => Map::new(),
        }
    }

    /// SHA-256 over all paths and contents, hex.
    pub fn hash(&self) -> String {
        let mut all = Vec::new();
        for (path, content) in &self.files {
            all.extend_from_slice(agamid_core::secret::sha256_hex(path.as_bytes()).as_bytes());
            all.extend_from_slice(agamid_core::secret::sha256_hex(content).as_bytes());
        }
        agamid_core::secret::sha256_hex(&all)
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), ProjectError> {
    let unreadable = |path: &Path, cause: std::io::Error| ProjectError::Unreadable {
        path: path.display().to_string(),
        cause: cause.to_string(),
    };
    for entry in std::fs::read_dir(folder).map_err(|cause| unreadable(folder, cause))? {
        let entry = entry.map_err(|cause| unreadable(folder, cause))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let kind = entry.file_type().map_err(|cause| unreadable(&entry.path(), cause))?;
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let content = std::fs::read(entry.path()).map_err(|cause| unreadable(&entry.path(), cause))?;
            files.insert(path, content);
        }
        let size: usize = files.values().map(Vec::len).sum();
        if files.len() > MAX_FILES || size > MAX_PROJECT {
            return Err(ProjectError::TooLarge(format!("{} files of {size} bytes", files.len())));
        }
    }
    Ok(())
}

fn without_top_folder(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    if files.contains_key("project.json") {
        return files;
    }
    let top = files.keys().next().and_then(|path| path.split_once('/')).map(|(top, _)| format!("{top}/"));
    match top {
        Some(top) if files.keys().all(|path| path.starts_with(&top)) => files
            .into_iter()
            .map(|(path, content)| (path.trim_start_matches(&top).to_owned(), content))
            .collect(),
        _ => files,
    }
}

/// Whether a version (semantic versioning 2.0) comes after another; what is no version comes before all.
pub fn is_newer(version: &str, than: &str) -> bool {
    let parse = |text: &str| semver::Version::parse(text).ok();
    parse(version) > parse(than)
}
