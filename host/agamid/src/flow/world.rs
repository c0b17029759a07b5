//! What the checks are told of templates, flows and routines.

use std::collections::BTreeMap;
use std::path::Path;

use agama_lang::ast::Flow;
use agama_lang::check::facts::{Facts, FlowFacts, RoutineFacts};
use agamid_flow_engine::project::ProjectFiles;
use agamid_plugin_host::Signatures;

use crate::compose;

/// Routines and flows that are there whatever is checked: those that ship, and those of a folder of plugins.
pub(crate) struct Known {
    routines: Signatures,
    flows: BTreeMap<String, Vec<String>>,
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
        let mut known = Self { routines, flows: BTreeMap::new() };
        for project in compose::shipped(true)? {
            for (name, path, content) in project.flows() {
                let source = String::from_utf8_lossy(content);
                known.add_flow(name, agama_lang::parse::parse(&source, path).0.as_ref());
            }
        }
        Ok(known)
    }

    /// Tells of a flow; one that can't be read is known by name only.
    pub(crate) fn add_flow(&mut self, name: &str, flow: Option<&Flow>) {
        let inputs = flow.map(|flow| flow.inputs.iter().map(|input| input.node.clone()).collect());
        self.flows.insert(name.to_owned(), inputs.unwrap_or_default());
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
            Some(inputs) => Some(FlowFacts { inputs: inputs.clone() }),
            None if self.project.is_none() => Some(FlowFacts { inputs: Vec::new() }),
            None => None,
        }
    }

    fn routine(&self, package: &str, function: &str) -> RoutineFacts {
        self.known.routines.facts(package, function)
    }
}
