//! One version of a project, compiled: programs, templates, assets together. Immutable, named by its content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agama_lang::ast::Flow;
use agama_lang::check;
use agama_lang::check::facts::{Facts, FlowFacts, NoFacts, Proof, RoutineFacts, TemplateFacts};
use agama_lang::compile::compile_parsed;
use agama_lang::diagnostic::{Code, Diagnostic, has_errors};
use agama_lang::ir::Program;
use agama_lang::parse::parse;
use agamid_web::Web;

use crate::ports::RoutineSet;
use crate::project::ProjectFiles;
use crate::template_facts;

/// A compiled version of a project.
pub struct Revision {
    /// The files.
    pub project: ProjectFiles,
    /// SHA-256 of the files.
    pub hash: String,
    /// The programs by qualified name.
    pub programs: BTreeMap<String, Arc<Program>>,
    /// The shared templates and the project's own.
    pub environment: minijinja::Environment<'static>,
    /// Findings that are no errors.
    pub warnings: Vec<Diagnostic>,
}

/// Flows of other projects: qualified name to inputs.
pub type OtherFlows = BTreeMap<String, Vec<String>>;

struct World<'a> {
    project: &'a ProjectFiles,
    own: OtherFlows,
    others: &'a OtherFlows,
    routines: &'a dyn RoutineSet,
    /// The flows that each of the project's flows Triggers.
    triggers: BTreeMap<String, Vec<String>>,
    /// Those of the project's flows that prove whom they name.
    proving: BTreeSet<String>,
}

impl Facts for World<'_> {
    fn template(&self, path: &str) -> bool {
        self.project.files.contains_key(&format!("web/{path}"))
    }

    fn flow(&self, qname: &str) -> Option<FlowFacts> {
        let inputs = self.own.get(qname).or_else(|| self.others.get(qname))?;
        Some(FlowFacts { inputs: inputs.clone() })
    }

    fn routine(&self, package: &str, function: &str) -> RoutineFacts {
        self.routines.facts(package, function)
    }

    fn proves(&self, package: &str, function: &str) -> Proof {
        self.routines.proves(package, function)
    }

    fn template_facts(&self, path: &str) -> Option<TemplateFacts> {
        let file = format!("web/{path}");
        let text = std::str::from_utf8(self.project.files.get(&file)?).ok()?;
        path.ends_with(".html").then(|| template_facts::of(text))
    }

    fn launchable(&self, qname: &str) -> Option<bool> {
        self.own.contains_key(qname).then(|| self.project.manifest.launchable.contains_key(qname))
    }

    fn flow_proves(&self, qname: &str) -> Option<bool> {
        self.own.contains_key(qname).then(|| self.proving.contains(qname))
    }

    fn triggers(&self, qname: &str) -> Vec<String> {
        self.triggers.get(qname).cloned().unwrap_or_default()
    }
}

impl Revision {
    /// Compiles and checks a project; all findings come back when one is an error.
    pub fn build(
        project: ProjectFiles,
        others: &OtherFlows,
        routines: &dyn RoutineSet,
        web: &Web,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let (environment, mut broken) = templates(&project, web);
        found.append(&mut broken);
        let mut parsed = Vec::new();
        let mut own = OtherFlows::new();
        let mut triggers = BTreeMap::new();
        for (name, path, content) in project.flows() {
            let file = format!("{}/{path}", project.manifest.project_name);
            match std::str::from_utf8(content) {
                Ok(source) => {
                    let tree = parse(source, &file);
                    let inputs =
                        tree.0.as_ref().map(|flow| flow.inputs.iter().map(|i| i.node.clone()).collect());
                    own.insert(name.to_owned(), inputs.unwrap_or_default());
                    triggers.extend(tree.0.as_ref().map(|flow| (name.to_owned(), check::triggers(flow))));
                    parsed.push((name, file, source, tree));
                }
                Err(error) => {
                    let reason = format!("the file is not UTF-8 (byte {})", error.valid_up_to());
                    found.push(finding(Code::BadCharacter, file, 1, reason, "save it as UTF-8"));
                }
            }
        }
        let mut world =
            World { project: &project, own, others, routines, triggers, proving: BTreeSet::new() };
        let flows: Vec<&Flow> = parsed.iter().filter_map(|(_, _, _, tree)| tree.0.as_ref()).collect();
        world.proving = check::proving_flows(&flows, &world).into_iter().map(str::to_owned).collect();
        let mut programs = BTreeMap::new();
        for (name, file, source, tree) in parsed {
            let compiled = compile_parsed(tree, source, &file, Some(name), &world);
            found.extend(compiled.diagnostics);
            programs.extend(compiled.program.map(|program| (name.to_owned(), program)));
        }
        for name in project.manifest.launchable.keys().filter(|name| !world.own.contains_key(*name)) {
            let file = format!("{}/project.json", project.manifest.project_name);
            let reason = format!("launchable names {name}, which is no flow of this project");
            found.push(finding(Code::BadProject, file, 1, reason, "correct the name, or delete the entry"));
        }
        if has_errors(&found) {
            return Err(found);
        }
        let hash = project.hash();
        Ok(Self { project, hash, programs, environment, warnings: found })
    }

    /// Compiles a project that was checked when it was deployed.
    pub(crate) fn rebuild(project: ProjectFiles, web: &Web) -> Result<Self, Vec<Diagnostic>> {
        let (environment, broken) = templates(&project, web);
        if has_errors(&broken) {
            return Err(broken);
        }
        let mut programs = BTreeMap::new();
        for (name, path, content) in project.flows() {
            let source = String::from_utf8_lossy(content);
            let compiled = compile_parsed(parse(&source, path), &source, path, None, &NoFacts);
            match compiled.program {
                Some(program) => programs.insert(name.to_owned(), program),
                None => return Err(compiled.diagnostics),
            };
        }
        let hash = project.hash();
        Ok(Self { project, hash, programs, environment, warnings: Vec::new() })
    }

    /// An asset: a file below `web/` that is no template and no label file.
    pub(crate) fn asset(&self, path: &str) -> Option<&[u8]> {
        let hidden = [".html", ".ftl", ".ftlh", ".txt"].iter().any(|ending| path.ends_with(ending));
        if hidden { None } else { self.project.files.get(&format!("web/{path}")).map(Vec::as_slice) }
    }
}

fn templates(project: &ProjectFiles, web: &Web) -> (minijinja::Environment<'static>, Vec<Diagnostic>) {
    let mut environment = web.environment();
    let mut found = Vec::new();
    for (path, content) in &project.files {
        let Some(name) = path.strip_prefix("web/") else { continue };
        let file = format!("{}/{path}", project.manifest.project_name);
        if name.ends_with(".ftl") || name.ends_with(".ftlh") {
            let hint = "write it as .html, in Jinja syntax";
            found.push(finding(
                Code::BadTemplate,
                file,
                1,
                "FreeMarker templates can't be read".to_owned(),
                hint,
            ));
        } else if name.ends_with(".html") {
            let Ok(text) = std::str::from_utf8(content) else {
                found.push(finding(
                    Code::BadTemplate,
                    file,
                    1,
                    "the file is not UTF-8".to_owned(),
                    "save it as UTF-8",
                ));
                continue;
            };
            if let Err(error) = environment.add_template_owned(name.to_owned(), text.to_owned()) {
                let error = agamid_web::page::describe(name, &error);
                let line = error.line.and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
                found.push(finding(
                    Code::BadTemplate,
                    file,
                    line,
                    error.reason,
                    "templates use Jinja syntax",
                ));
            }
        }
    }
    (environment, found)
}

pub(crate) fn finding(code: Code, file: String, line: u32, message: String, hint: &str) -> Diagnostic {
    Diagnostic::of_file(code, file, line, message, hint)
}
