//! The projects of the workspace: which flows and templates there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use agama_lang::ast::Flow;
use agama_lang::check::facts::{Facts, FlowFacts, RoutineFacts};
use agama_lang::parse::parse_partial;

use crate::files::Files;
use crate::settings::Routines;

/// Folders below a root are searched this deep.
const DEEPEST: usize = 12;
/// At most so many files are looked at.
const MOST: usize = 20_000;
/// Folders that hold no flows of one's own.
const SKIPPED: [&str; 2] = ["node_modules", "target"];

/// A flow of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlowEntry {
    /// Its file; none for one that ships with the server.
    pub(crate) path: Option<PathBuf>,
    /// The folder of its project, if it belongs to one.
    pub(crate) project: Option<PathBuf>,
    /// Its inputs, in order.
    pub(crate) inputs: Vec<String>,
    /// The comment at its start.
    pub(crate) about: String,
    /// The flows that it Triggers by name.
    triggers: Vec<String>,
}

impl FlowEntry {
    fn of(source: &str, path: Option<PathBuf>, project: Option<PathBuf>) -> Self {
        let flow = parse_partial(header(source), "").0;
        let inputs = flow.map(|flow| flow.inputs.into_iter().map(|input| input.node).collect());
        Self {
            path,
            project,
            inputs: inputs.unwrap_or_default(),
            about: leading_comment(source),
            triggers: triggers(source),
        }
    }
}

/// The projects and flows below the roots.
#[derive(Default)]
pub(crate) struct Workspace {
    roots: Vec<PathBuf>,
    /// By folder: the files below `web/`, with `/` between parts.
    projects: BTreeMap<PathBuf, BTreeSet<String>>,
    /// By qualified name, which is the file's name.
    flows: BTreeMap<String, Vec<FlowEntry>>,
    /// Those that every server has, as far as the workspace has none of that name.
    shipped: BTreeMap<String, FlowEntry>,
}

impl Workspace {
    /// A workspace without folders; `shipped` are flows that every server has, by name and source.
    pub(crate) fn new(shipped: &[(String, String)]) -> Self {
        let entry = |(name, source): &(String, String)| (name.clone(), FlowEntry::of(source, None, None));
        Self { shipped: shipped.iter().map(entry).collect(), ..Self::default() }
    }

    /// Adds a folder to search. Whoever adds one calls [`Self::refresh`] afterwards.
    pub(crate) fn add_root(&mut self, root: PathBuf) {
        if !self.roots.iter().any(|known| root.starts_with(known)) {
            self.roots.push(root);
        }
    }

    pub(crate) fn remove_root(&mut self, root: &Path) {
        self.roots.retain(|known| known != root);
    }

    /// Makes sure that the project of a file is searched, even when no root holds it.
    pub(crate) fn cover(&mut self, file: &Path, files: &dyn Files) -> bool {
        let project = file.ancestors().skip(1).find(|folder| is_project(folder, files));
        let root = project.or_else(|| file.parent());
        let Some(root) = root.filter(|root| !self.roots.iter().any(|known| root.starts_with(known))) else {
            return false;
        };
        if project.is_none() {
            // A single file: nothing beside it belongs to it.
            return false;
        }
        self.add_root(root.to_owned());
        true
    }

    /// Looks at the folders again. `open` answers the text of a file that an editor holds.
    pub(crate) fn refresh(&mut self, files: &dyn Files, open: &dyn Fn(&Path) -> Option<String>) {
        self.projects.clear();
        self.flows.clear();
        let mut search = Search { files, open, left: MOST };
        for root in self.roots.clone() {
            search.folder(&root, None, 0, self);
        }
    }

    /// Notes a changed text. Answers whether what other flows see of it is another than before.
    pub(crate) fn update(&mut self, path: &Path, source: &str, flow: Option<&Flow>) -> bool {
        let Some(name) = flow_name(path) else { return false };
        let (Some(entries), Some(flow)) = (self.flows.get_mut(&name), flow) else { return false };
        let Some(entry) = entries.iter_mut().find(|entry| entry.path.as_deref() == Some(path)) else {
            return false;
        };
        let inputs: Vec<String> = flow.inputs.iter().map(|input| input.node.clone()).collect();
        let project = entry.project.take();
        let new = FlowEntry { inputs, ..FlowEntry::of(source, Some(path.to_owned()), project) };
        let seen = entry.inputs != new.inputs || entry.triggers != new.triggers;
        *entry = new;
        seen
    }

    /// The folder of the project that a file belongs to.
    pub(crate) fn project_of(&self, file: &Path) -> Option<&Path> {
        let known = |folder| self.projects.get_key_value(folder).map(|(folder, _)| folder.as_path());
        file.ancestors().skip(1).find_map(known)
    }

    /// The files below a project's `web/`.
    pub(crate) fn web_files(&self, project: &Path) -> impl Iterator<Item = &str> {
        self.projects.get(project).into_iter().flatten().map(String::as_str)
    }

    /// The file of a template that a flow in `from` shows, if it is there.
    pub(crate) fn template(&self, from: &Path, path: &str) -> Option<PathBuf> {
        let project = self.project_of(from)?;
        self.projects.get(project)?.contains(path).then(|| project.join("web").join(path))
    }

    /// A flow as seen from a file: its own project's flow of that name before those of others.
    pub(crate) fn flow(&self, from: Option<&Path>, name: &str) -> Option<&FlowEntry> {
        let Some(entries) = self.flows.get(name) else { return self.shipped.get(name) };
        let own = from.and_then(|from| self.project_of(from));
        entries
            .iter()
            .find(|entry| own.is_some() && entry.project.as_deref() == own)
            .or_else(|| entries.first())
    }

    /// Every flow by name.
    pub(crate) fn flows(&self) -> impl Iterator<Item = (&str, &FlowEntry)> {
        let own = self
            .flows
            .iter()
            .flat_map(|(name, entries)| entries.iter().map(move |entry| (name.as_str(), entry)));
        let shipped = self.shipped.iter().filter(|(name, _)| !self.flows.contains_key(*name));
        own.chain(shipped.map(|(name, entry)| (name.as_str(), entry)))
    }

    /// The files of all flows.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.flows.values().flatten().filter_map(|entry| entry.path.as_deref())
    }
}

/// The walk over the folders.
struct Search<'a> {
    files: &'a dyn Files,
    open: &'a dyn Fn(&Path) -> Option<String>,
    left: usize,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, project: Option<&Path>, depth: usize, into: &mut Workspace) {
        let project = if is_project(folder, self.files) { Some(folder) } else { project };
        if project == Some(folder) {
            into.projects.entry(folder.to_owned()).or_default();
        }
        for entry in self.files.list(folder) {
            if self.left == 0 || entry.name.starts_with('.') {
                continue;
            }
            self.left -= 1;
            let path = folder.join(&entry.name);
            if entry.folder && depth < DEEPEST && !SKIPPED.contains(&entry.name.as_str()) {
                self.folder(&path, project, depth + 1, into);
            } else if !entry.folder {
                self.file(path, project, into);
            }
        }
    }

    fn file(&mut self, path: PathBuf, project: Option<&Path>, into: &mut Workspace) {
        if let Some(project) = project
            && let Ok(below) = path.strip_prefix(project.join("web"))
        {
            let below = below.to_string_lossy().replace('\\', "/");
            into.projects.entry(project.to_owned()).or_default().insert(below);
            return;
        }
        let Some(name) = flow_name(&path) else { return };
        let source = (self.open)(&path).or_else(|| self.files.read(&path)).unwrap_or_default();
        let entry = FlowEntry::of(&source, Some(path), project.map(Path::to_owned));
        into.flows.entry(name).or_default().push(entry);
    }
}

/// A folder with `project.json` and `code/` is a project; one of them is enough, beside `web/`.
fn is_project(folder: &Path, files: &dyn Files) -> bool {
    files.exists(&folder.join("project.json"))
        && files
            .list(folder)
            .iter()
            .any(|entry| entry.folder && (entry.name == "code" || entry.name == "web"))
}

/// The name that a flow must have in this file.
pub(crate) fn flow_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".flow")?;
    Some(name.to_owned())
}

/// The part of a source before its statements: all that other flows see of it.
fn header(source: &str) -> &str {
    let mut end = 0;
    let mut begun = false;
    for line in source.split_inclusive('\n') {
        let text = line.trim_start_matches('\u{feff}');
        let code = text.trim();
        let top = !text.starts_with([' ', '\t']) && !code.is_empty() && !code.starts_with("//");
        if top && begun {
            break;
        }
        begun |= top;
        end += line.len();
    }
    source.get(..end).unwrap_or(source)
}

/// The names behind `Trigger`, from the words alone: all flows of the workspace are read at each look.
fn triggers(source: &str) -> Vec<String> {
    let lines = source.lines().filter(|line| line.contains("Trigger"));
    lines
        .filter_map(|line| {
            let code = crate::scan::without_comment(line);
            let (_, rest) = code.split_once("Trigger ")?;
            let name = rest.split_whitespace().next()?;
            (!name.starts_with('$')).then(|| name.to_owned())
        })
        .collect()
}

/// The first comment of a flow: before its header, or between header and statements.
fn leading_comment(source: &str) -> String {
    let mut found = Vec::new();
    for line in source.lines() {
        let text = line.trim();
        if let Some(comment) = text.strip_prefix("//") {
            found.push(comment.trim());
        } else if !found.is_empty() || !(text.is_empty() || in_header(line)) {
            break;
        }
    }
    found.join("\n")
}

fn in_header(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    matches!(first, "Flow" | "Basepath" | "Timeout" | "Configs" | "Inputs")
}

/// What the checks of one file are told.
pub(crate) struct World<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) routines: &'a Routines,
    pub(crate) file: Option<&'a Path>,
}

impl Facts for World<'_> {
    fn template(&self, path: &str) -> bool {
        // A single file has no templates that could be missing.
        self.file.is_none_or(|file| {
            self.workspace.project_of(file).is_none() || self.workspace.template(file, path).is_some()
        })
    }

    fn flow(&self, qname: &str) -> Option<FlowFacts> {
        let found = self.workspace.flow(self.file, qname);
        match found {
            Some(entry) => Some(FlowFacts { inputs: entry.inputs.clone() }),
            None if self.file.is_some_and(|file| self.workspace.project_of(file).is_some()) => None,
            None => Some(FlowFacts { inputs: Vec::new() }),
        }
    }

    fn routine(&self, package: &str, function: &str) -> RoutineFacts {
        self.routines.facts(package, function)
    }

    fn knows_inputs(&self) -> bool {
        self.file.is_some_and(|file| self.workspace.project_of(file).is_some())
    }

    fn triggers(&self, qname: &str) -> Vec<String> {
        self.workspace.flow(self.file, qname).map(|entry| entry.triggers.clone()).unwrap_or_default()
    }
}
