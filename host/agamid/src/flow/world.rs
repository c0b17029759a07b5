//! What the checks are told of templates, flows and routines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use agama_lang::ast::Flow;
use agama_lang::check::facts::{Facts, FlowFacts, Proof, RoutineFacts, TemplateFacts};
use agama_lang::check::{proving_flows, triggers};
use agamid_flow_engine::project::ProjectFiles;
use agamid_plugin_host::Signatures;

use crate::compose;

/// Routines and flows that are there whatever is checked: those that ship, and those of a folder of plugins.
pub(crate) struct Known {
    routines: Signatures,
    flows: BTreeMap<String, Flowing>,
    /// Flows that prove whom they name.
    proving: BTreeSet<String>,
}

/// What others must know of a flow.
#[derive(Default)]
struct Flowing {
    inputs: Vec<String>,
    triggers: Vec<String>,
}

impl Known {
    /// What ships with this server, and the plugins of a folder.
    pub(crate) fn load(plugins: Option<&Path>) -> Result<Self, String> {
        let mut routines = Signatures::default();
        for wit in agamid_host_modules::WITS {
            routines.add_module(wit)?;
        }
        for component in compose::shipped_plugins() {
            routines.add_component(&component)?;
        }
        if let Some(folder) = plugins {
            let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
            for entry in std::fs::read_dir(folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                if path.extension().is_some_and(|extension| extension == "wasm") {
                    let named = |reason: String| format!("{}: {reason}", path.display());
                    let bytes = std::fs::read(&path).map_err(|error| named(error.to_string()))?;
                    routines.add_component(&bytes).map_err(named)?;
                }
            }
        }
        let mut known = Self { routines, flows: BTreeMap::new(), proving: BTreeSet::new() };
        let mut trees = Vec::new();
        for project in compose::shipped(true)? {
            for (name, path, content) in project.flows() {
                let source = String::from_utf8_lossy(content);
                let tree = agama_lang::parse::parse(&source, path).0;
                known.add_flow(name, tree.as_ref());
                trees.extend(tree);
            }
        }
        known.find_proving(&trees.iter().collect::<Vec<_>>());
        Ok(known)
    }

    /// Tells of a flow; one that can't be read is known by name only.
    pub(crate) fn add_flow(&mut self, name: &str, flow: Option<&Flow>) {
        let flowing = flow.map(|flow| Flowing {
            inputs: flow.inputs.iter().map(|input| input.node.clone()).collect(),
            triggers: triggers(flow),
        });
        self.flows.insert(name.to_owned(), flowing.unwrap_or_default());
    }

    /// Finds out which of these flows prove whom they name.
    pub(crate) fn find_proving(&mut self, flows: &[&Flow]) {
        let world = self.around(None);
        let found: Vec<String> = proving_flows(flows, &world).into_iter().map(str::to_owned).collect();
        self.proving.extend(found);
    }

    /// The world of one source.
    pub(crate) fn around<'a>(&'a self, project: Option<&'a ProjectFiles>) -> World<'a> {
        World { known: self, project }
    }
}

/// The world of a project, or of a file of its own: there, what is not known is taken to exist.
pub(crate) struct World<'a> {
    known: &'a Known,
    project: Option<&'a ProjectFiles>,
}

impl Facts for World<'_> {
    fn template(&self, path: &str) -> bool {
        self.project.is_none_or(|project| project.files.contains_key(&format!("web/{path}")))
    }

    fn flow(&self, qname: &str) -> Option<FlowFacts> {
        match self.known.flows.get(qname) {
            Some(flow) => Some(FlowFacts { inputs: flow.inputs.clone() }),
            None if self.project.is_none() => Some(FlowFacts { inputs: Vec::new() }),
            None => None,
        }
    }

    fn routine(&self, package: &str, function: &str) -> RoutineFacts {
        self.known.routines.facts(package, function)
    }

    fn proves(&self, package: &str, function: &str) -> Proof {
        if package.starts_with("agamid.") {
            return agamid_host_modules::proves(package, function);
        }
        self.known.routines.proves(package, function)
    }

    fn template_facts(&self, path: &str) -> Option<TemplateFacts> {
        let text = self.project?.files.get(&format!("web/{path}"))?;
        let text = std::str::from_utf8(text).ok()?;
        path.ends_with(".html").then(|| agamid_flow_engine::template_facts::of(text))
    }

    fn flow_proves(&self, qname: &str) -> Option<bool> {
        self.known.flows.contains_key(qname).then(|| self.known.proving.contains(qname))
    }

    fn launchable(&self, qname: &str) -> Option<bool> {
        let project = self.project.filter(|project| project.flows().any(|(name, ..)| name == qname))?;
        Some(project.manifest.launchable.contains_key(qname))
    }

    fn triggers(&self, qname: &str) -> Vec<String> {
        self.known.flows.get(qname).map(|flow| flow.triggers.clone()).unwrap_or_default()
    }
}
