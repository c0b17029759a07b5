//! Runs a flow without a server: pages get scripted answers, calls get stubs. Pure, as all of this crate.
//!
//! [`Flows`] holds the programs and their properties, [`Rehearsal`] is one run: it goes on by itself until it needs an
//! answer to a page or a callback. [`rehearse`] plays a whole script. The [`Report`] is what `agamid flow run --json`
//! prints.
//!
//! | file | what |
//! | --- | --- |
//! | `answer.rs` | answers to pages |
//! | `stubs.rs` | answers to calls |
//! | `report.rs` | what came of it |

mod answer;
mod report;
mod stubs;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use answer::{Answer, BadAnswer};
pub use report::{
    CallReport, CrashReport, ErrorReport, LogReport, OutcomeReport, PageReport, Report, WaitingReport,
};
pub use stubs::{BadStubs, Routines, Stubs, no_stub};

use crate::diagnostic::Diagnostic;
use crate::effect::{Catalog, Crash, Effect, Page, Place, Resume};
use crate::ir::Program;
use crate::state::State;
use crate::value::{Map, Value};
use crate::vm::{self, Limits};
use crate::{lower, parse};

/// Calls and log lines of one run; a flow that goes on is stopped.
pub const MAX_EFFECTS: usize = 100_000;
/// Bytes of calls and log lines in one report; a flow that goes on is stopped.
pub const MAX_REPORT: usize = 16 * 1024 * 1024;

/// Flows that a rehearsal may use, with their properties.
#[derive(Debug, Clone, Default)]
pub struct Flows {
    programs: BTreeMap<String, Arc<Program>>,
    configs: BTreeMap<String, Map>,
}

impl Flows {
    /// Adds a flow under the name in its header, and answers that name. Only what can't be read is refused: a flow with
    /// other findings can be rehearsed. `file` is what findings call it.
    pub fn add(&mut self, source: &str, file: &str) -> Result<String, Vec<Diagnostic>> {
        let (flow, found) = parse::parse(source, file);
        let flow = flow.ok_or(found)?;
        let program = lower::lower(&flow, source);
        let name = program.name().to_owned();
        self.programs.insert(name.clone(), Arc::new(program));
        Ok(name)
    }

    /// Sets the properties of a flow.
    pub fn configure(&mut self, flow: &str, config: Map) {
        self.configs.insert(flow.to_owned(), config);
    }

    /// The names of all flows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.programs.keys().map(String::as_str)
    }
}

impl Catalog for Flows {
    fn program(&self, flow: &str) -> Option<Arc<Program>> {
        self.programs.get(flow).cloned()
    }

    fn config(&self, flow: &str) -> Map {
        self.configs.get(flow).cloned().unwrap_or_default()
    }
}

/// What a rehearsal waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Waiting {
    /// The form of a page.
    Page(Page),
    /// The callback, after a redirect to this URL.
    Callback {
        /// Where the browser was sent.
        url: String,
        /// Where in the source.
        at: Place,
    },
}

/// One run.
pub struct Rehearsal<'a> {
    flows: &'a Flows,
    routines: &'a mut dyn Routines,
    limits: Limits,
    /// There while the run is not over.
    state: Option<State>,
    waiting: Option<Waiting>,
    /// Answers given so far.
    answered: usize,
    /// Calls and log lines so far, and their bytes.
    effects: usize,
    bytes: usize,
    report: Report,
}

impl<'a> Rehearsal<'a> {
    /// Starts a flow, and goes on to the first page, redirect or end.
    pub fn start(flows: &'a Flows, flow: &str, inputs: Map, routines: &'a mut dyn Routines) -> Self {
        let limits = Limits::default();
        let (state, effect) = vm::start(flows, flow, inputs, &limits);
        let mut run = Self {
            flows,
            routines,
            limits,
            state: Some(state),
            waiting: None,
            answered: 0,
            effects: 0,
            bytes: 0,
            report: Report::default(),
        };
        run.go_on(Some(effect));
        run
    }

    /// What the run waits for; nothing when it is over.
    pub fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_ref()
    }

    /// What happened so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Gives the answer that the run waits for. One that does not fit what is waited for ends the run, as a crash that
    /// says so; after the end answers are ignored.
    pub fn answer(&mut self, answer: Answer) {
        let Some(waiting) = self.waiting.take() else { return };
        self.answered += 1;
        match fitting(answer, &waiting) {
            Ok(resume) => {
                let effect = self.resume(resume);
                self.go_on(effect);
            }
            Err(reason) => {
                let at = match waiting {
                    Waiting::Page(page) => page.at,
                    Waiting::Callback { at, .. } => at,
                };
                let message = format!("answer {} {reason}", self.answered);
                self.report.crash = Some(CrashReport::of(&Crash { message, at }));
            }
        }
    }

    /// The variables of the flow at work that are not null, while the run waits.
    pub fn variables(&self) -> Vec<(String, Value)> {
        let program =
            self.state.as_ref().and_then(|state| Some((state, self.flows.program(state.flows().last()?)?)));
        program.map(|(state, program)| state.variables(&program)).unwrap_or_default()
    }

    /// Ends the rehearsal where it stands.
    pub fn finish(mut self) -> Report {
        self.report.waiting = self.waiting.as_ref().map(WaitingReport::of);
        self.report
    }

    fn resume(&mut self, answer: Resume) -> Option<Effect> {
        let (state, effect) = vm::resume(self.flows, self.state.take()?, answer, &self.limits);
        self.state = Some(state);
        Some(effect)
    }

    fn go_on(&mut self, first: Option<Effect>) {
        let mut next = first;
        while let Some(effect) = next {
            next = match effect {
                Effect::Log { level, message, source, at } => {
                    self.count(message.len(), &at);
                    let line = LogReport { level, message, source, flow: at.flow };
                    self.routines.log(&line);
                    self.report.log.push(line);
                    self.resume(Resume::Continue)
                }
                Effect::Call(call) => {
                    let result = self.routines.call(&call);
                    let told = CallReport::of(&call, &result);
                    self.count(told.weight(), &call.at);
                    self.report.calls.push(told);
                    self.resume(Resume::Returned(result))
                }
                Effect::Render(page) => {
                    let shown = PageReport::of(&page);
                    self.routines.page(&shown);
                    self.report.pages.push(shown);
                    self.waiting = Some(Waiting::Page(page));
                    return;
                }
                Effect::Redirect { url, at } => {
                    self.report.redirects.push(url.as_str().to_owned());
                    self.waiting = Some(Waiting::Callback { url: url.as_str().to_owned(), at });
                    return;
                }
                Effect::Finished(outcome) => {
                    self.report.outcome = Some(OutcomeReport::of(&outcome));
                    return;
                }
                Effect::Crashed(crash) => {
                    self.report.crash = Some(CrashReport::of(&crash));
                    return;
                }
            };
        }
    }

    /// Counts a call or log line, and stops a run that has too many.
    fn count(&mut self, bytes: usize, at: &Place) {
        self.effects += 1;
        self.bytes += bytes;
        if self.effects > MAX_EFFECTS || self.bytes > MAX_REPORT {
            let message = format!(
                "the run was stopped: it has more than {MAX_EFFECTS} calls and log lines, or they have more than {} MiB; does a loop never end?",
                MAX_REPORT / (1024 * 1024)
            );
            self.report.crash = Some(CrashReport::of(&Crash { message, at: at.clone() }));
            self.state = None;
        }
    }
}

fn fitting(answer: Answer, waiting: &Waiting) -> Result<Resume, &'static str> {
    Ok(match (answer, waiting) {
        (Answer::Form(form), Waiting::Page(_)) => Resume::Form(form),
        (Answer::Abort(form), Waiting::Page(page)) => Resume::Abort { form, url: page.template.clone() },
        (Answer::Callback(parameters), Waiting::Callback { .. }) => Resume::Callback(parameters),
        (Answer::Callback(parameters), Waiting::Page(page)) if page.callback => Resume::Callback(parameters),
        (Answer::Callback(_), Waiting::Page(_)) => {
            return Err(
                "is a callback, but this page waits for its form only: RRF \"…\" model true opens the callback too",
            );
        }
        (Answer::Form(_) | Answer::Abort(_), Waiting::Callback { .. }) => {
            return Err(
                "is a form, but after RFAC the flow waits for the callback: write {\"_callback\": {…}}",
            );
        }
    })
}

/// Plays a whole script. When the answers run out the report says what the flow waits for; answers left over when the
/// flow ended are listed.
pub fn rehearse(
    flows: &Flows,
    flow: &str,
    inputs: Map,
    answers: Vec<Answer>,
    routines: &mut dyn Routines,
) -> Report {
    let mut run = Rehearsal::start(flows, flow, inputs, routines);
    let mut rest = answers.into_iter();
    while run.waiting().is_some() {
        let Some(answer) = rest.next() else { break };
        run.answer(answer);
    }
    let mut report = run.finish();
    report.unused_answers = rest.map(|answer| answer.to_json()).collect();
    report
}
