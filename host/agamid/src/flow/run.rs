//! `agamid flow run`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use agama_lang::compile::compile;
use agama_lang::diagnostic::render;
use agama_lang::effect::{Call, CallError};
use agama_lang::rehearse::{
    Answer, Flows, LogReport, PageReport, Rehearsal, Report, Routines, Stubs, Waiting, no_stub, rehearse,
};
use agama_lang::value::{Map, Value};
use agamid_flow_engine::project::ProjectFiles;
use serde_json::{Value as Json, json};

use super::command::RunOptions;
use super::graph::chosen;
use super::prompt::{Terminal, fields};
use super::sources::{FlowFile, Source, Unusable};
use super::world::Known;
use crate::{Exit, out};

/// Runs a flow, with the script that was given, or asking.
pub(crate) fn run(options: &RunOptions) -> Result<(), Exit> {
    let stage = Stage::set(options)?;
    let inputs = object(options.inputs.as_deref(), "--inputs")?.unwrap_or_default();
    let stubs = match &options.stubs {
        Some(file) => Stubs::read(json_file(file)?).map_err(|error| wrong(file, &error.to_string()))?,
        None => Stubs::default(),
    };
    let report = match &options.answers {
        Some(file) => {
            let script = Answer::script(json_file(file)?).map_err(|error| wrong(file, &error.to_string()))?;
            let terminal = (!options.json).then(|| Rc::new(RefCell::new(Terminal::new(false))));
            let mut cast = Cast { stubs, terminal, ask: false };
            stage.play(inputs, script, &mut cast)
        }
        None => {
            let terminal = Rc::new(RefCell::new(Terminal::new(options.json)));
            let mut cast = Cast { stubs, terminal: Some(Rc::clone(&terminal)), ask: true };
            stage.ask(inputs, &terminal, &mut cast)?
        }
    };
    if options.json {
        out::line(&serde_json::to_string(&report).map_err(|error| Exit::Failed(error.to_string()))?);
    } else {
        tell(&report);
    }
    if report.crash.is_some() { Err(Exit::Errors) } else { Ok(()) }
}

/// The flows that may run, and which one is started.
struct Stage {
    flows: Flows,
    start: String,
    project: Option<ProjectFiles>,
}

impl Stage {
    /// Reads everything; only a started flow that can't be read is refused.
    fn set(options: &RunOptions) -> Result<Self, Exit> {
        let mut sources = Source::read(&options.path).map_err(Unusable::exit)?;
        let single = matches!(sources.as_slice(), [Source::File { .. }]);
        let around = if single { project_around(&options.path) } else { None };
        if let Some(folder) = &around {
            sources.extend(Source::read(folder).unwrap_or_default());
        }
        let all: Vec<FlowFile<'_>> = sources.iter().flat_map(Source::flows).collect();
        let project = sources.iter().find_map(Source::project).cloned();
        let default = project.as_ref().filter(|_| !single).and_then(only_launchable);
        let started = match all.first() {
            Some(file) if single => file,
            _ => chosen(&all, options.flow.as_deref().or(default.as_deref()))?,
        };
        let mut flows = Flows::default();
        for flow in all.iter().filter(|flow| flow.file != started.file) {
            // A flow that can't be read is missing where it is Triggered.
            let _ = flows.add(&String::from_utf8_lossy(flow.content), &flow.file);
        }
        if let Some(project) = &project {
            for name in project.manifest.configs.keys() {
                flows.configure(name, project.config(name));
            }
        }
        let source = String::from_utf8_lossy(started.content);
        let start = flows.add(&source, &started.file).map_err(|findings| {
            if options.json {
                out::line(&json!({ "files": 1, "diagnostics": findings }).to_string());
            }
            findings.iter().for_each(|finding| out::error(&render(finding, &source)));
            Exit::Errors
        })?;
        show_findings(started, &source, project.as_ref().filter(|_| !single), &all)?;
        if let Some(config) = object(options.config.as_deref(), "--config")? {
            flows.configure(&start, config);
        }
        Ok(Self { flows, start, project })
    }

    /// With a script.
    fn play(&self, inputs: Map, script: Vec<Answer>, cast: &mut Cast) -> Report {
        rehearse(&self.flows, &self.start, inputs, script, cast)
    }

    /// Asking for each page.
    fn ask(&self, inputs: Map, terminal: &RefCell<Terminal>, cast: &mut Cast) -> Result<Report, Exit> {
        let mut run = Rehearsal::start(&self.flows, &self.start, inputs, cast);
        while let Some(waiting) = run.waiting() {
            terminal.borrow().stands(waiting, &run.variables());
            let answer = match waiting {
                Waiting::Page(page) => {
                    let path = format!("web/{}", page.template);
                    let template = self.project.as_ref().and_then(|project| project.files.get(&path));
                    let fields =
                        template.map(|text| fields(&String::from_utf8_lossy(text))).unwrap_or_default();
                    terminal.borrow_mut().form(&fields)
                }
                Waiting::Callback { url, .. } => terminal.borrow_mut().callback(url),
            };
            match answer.map_err(|error| Exit::Failed(format!("standard input: {error}")))? {
                Some(answer) => run.answer(answer),
                None => break,
            }
        }
        Ok(run.finish())
    }
}

/// Findings are shown, but don't keep the flow from running.
fn show_findings(
    started: &FlowFile<'_>,
    source: &str,
    project: Option<&ProjectFiles>,
    all: &[FlowFile<'_>],
) -> Result<(), Exit> {
    let mut known = Known::load(None).map_err(Exit::Failed)?;
    for flow in all {
        let text = String::from_utf8_lossy(flow.content);
        let tree = agama_lang::parse::parse(&text, &flow.file).0;
        if let Some(name) = flow.name.map(str::to_owned).or(tree.as_ref().map(|tree| tree.name.node.clone()))
        {
            known.add_flow(&name, tree.as_ref());
        }
    }
    for finding in compile(source, &started.file, &known.around(project)).diagnostics {
        out::error(&render(&finding, source));
    }
    Ok(())
}

/// The project that a flow lies in: `…/code/…/x.flow` beside a `project.json`.
fn project_around(file: &Path) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    let code = file.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "code"))?;
    let project = code.parent()?;
    project.join("project.json").exists().then(|| project.to_path_buf())
}

fn only_launchable(project: &ProjectFiles) -> Option<String> {
    let mut names = project.manifest.launchable.keys();
    names.next().filter(|_| names.next().is_none()).cloned()
}

/// Answers calls: from stubs, else by asking whoever sits at the terminal.
struct Cast {
    stubs: Stubs,
    terminal: Option<Rc<RefCell<Terminal>>>,
    ask: bool,
}

impl Routines for Cast {
    fn call(&mut self, call: &Call) -> Result<Value, CallError> {
        let stubbed = self.stubs.answer(&call.routine);
        let Some(terminal) = &self.terminal else {
            return stubbed.unwrap_or_else(|| Err(no_stub(&call.routine)));
        };
        let terminal = terminal.borrow();
        if let (None, true) = (&stubbed, self.ask) {
            return terminal.result(call).unwrap_or_else(|| Err(no_stub(&call.routine)));
        }
        let result = stubbed.unwrap_or_else(|| Err(no_stub(&call.routine)));
        terminal.called(call, &result);
        result
    }

    fn page(&mut self, page: &PageReport) {
        if let Some(terminal) = &self.terminal {
            terminal.borrow().shown(page);
        }
    }

    fn log(&mut self, line: &LogReport) {
        if let Some(terminal) = &self.terminal {
            terminal.borrow().log(line);
        }
    }
}

/// The end, for people.
fn tell(report: &Report) {
    if let Some(outcome) = &report.outcome {
        let word = match (outcome.aborted, outcome.success) {
            (true, _) => "given up",
            (false, true) => "finished with success",
            (false, false) => "finished without success",
        };
        let more = [("data", &outcome.data), ("error", &outcome.error)];
        let more: String = more
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!(", {name} {value}"))
            .collect();
        out::line(&format!("{word}{more}"));
    }
    if let Some(crash) = &report.crash {
        out::line(&format!("crashed: {} ({}, line {})", crash.message, crash.flow, crash.line));
    }
    if let Some(waiting) = &report.waiting {
        let text = serde_json::to_string(waiting).unwrap_or_default();
        out::line(&format!("waiting for an answer to {text}"));
    }
    for answer in &report.unused_answers {
        out::line(&format!("not used: {answer}"));
    }
}

fn object(text: Option<&str>, option: &str) -> Result<Option<Map>, Exit> {
    let Some(text) = text else { return Ok(None) };
    match serde_json::from_str(text).map(Value::from_json) {
        Ok(Value::Map(map)) => Ok(Some(map)),
        Ok(other) => Err(Exit::Usage(format!("{option} is {}, but must be a JSON object", other.kind()))),
        Err(error) => Err(Exit::Usage(format!("{option} is no JSON: {error}"))),
    }
}

fn json_file(file: &Path) -> Result<Json, Exit> {
    let text = std::fs::read(file).map_err(|error| Exit::Failed(format!("{}: {error}", file.display())))?;
    serde_json::from_slice(&text).map_err(|error| wrong(file, &format!("it is no JSON: {error}")))
}

fn wrong(file: &Path, reason: &str) -> Exit {
    Exit::Usage(format!("{}: {reason}", file.display()))
}
