//! The only place that acts on what a flow asks for: one enum, one match.

use std::net::IpAddr;
use std::sync::Arc;

use agama_lang::effect::{Crash, Effect, Level, LogSource, Outcome, Page, Place, Resume};
use agama_lang::state::State;
use agama_lang::value::Text;
use agama_lang::vm;
use agamid_store::StoreError;
use tracing::Level as LogLevel;

use crate::catalog::Release;
use crate::engine::{Engine, Step};
use crate::ports::{CallContext, Proof};
use crate::records::RunRecord;

/// Effects that one request may cause; a loop of calls would never end otherwise.
const MAX_EFFECTS: usize = 2_000;

/// Where a run stands when it needs the browser again, or is over.
pub(crate) enum Stop {
    Page(State, Page),
    Away(State, Text),
    Finished(Outcome),
    Crashed(Crash),
    /// Another request was faster; nothing was done.
    Busy,
}

impl Engine {
    /// Performs effects until the run stops. Proofs go to the ledger. The step is claimed before the first call.
    #[expect(
        clippy::too_many_arguments,
        reason = "the run, its step and its ledger change apart from each other"
    )]
    pub(crate) async fn perform(
        &self,
        release: &Arc<Release>,
        run: &mut RunRecord,
        step: &mut Step,
        address: IpAddr,
        ledger: &mut Vec<Proof>,
        mut state: State,
        mut effect: Effect,
    ) -> Result<Stop, StoreError> {
        for _ in 0..MAX_EFFECTS {
            let answer = match effect {
                Effect::Render(page) => return Ok(Stop::Page(state, page)),
                Effect::Redirect { url, .. } => return Ok(Stop::Away(state, url)),
                Effect::Finished(outcome) => return Ok(Stop::Finished(outcome)),
                Effect::Crashed(crash) => return Ok(Stop::Crashed(crash)),
                Effect::Log { level, message, source, at } => {
                    log(run, level, &message, source, &at);
                    Resume::Continue
                }
                Effect::Call(call) => {
                    if !self.claim(run, step).await? {
                        return Ok(Stop::Busy);
                    }
                    let mut context = CallContext::new(self.env().clone(), call.at.flow.clone());
                    context.run = Some(run.id.clone());
                    context.organisation = run.organisation.clone();
                    context.locales = run.locales.clone();
                    context.address = Some(address);
                    context.browser = Some(run.browser.clone());
                    context.attempts = self.attempts();
                    context.ledger = ledger.clone();
                    let called = release.routines.call(&context, &call);
                    let Some(result) = self.working(run, step, called).await else { return Ok(Stop::Busy) };
                    match &result {
                        Ok(_) => ledger.extend(context.take_proofs()),
                        Err(error) => tracing::warn!(
                            event = "flow.call_failed", run = %run.id, flow = call.at.flow, line = call.at.line,
                            routine = %call.routine, code = error.code, error = error.message, caught = call.caught,
                        ),
                    }
                    Resume::Returned(result)
                }
            };
            (state, effect) = vm::resume(&**release, state, answer, &self.settings().limits);
        }
        let at = Place { flow: run.flow.clone(), line: 0 };
        Ok(Stop::Crashed(Crash {
            message: format!("the flow made more than {MAX_EFFECTS} calls without a pause"),
            at,
        }))
    }
}

fn log(run: &RunRecord, level: Level, message: &str, source: LogSource, at: &Place) {
    let source = match source {
        LogSource::Flow => "flow",
        LogSource::Engine => "engine",
    };
    macro_rules! line {
        ($level:expr) => {
            tracing::event!($level, event = "flow.log", run = %run.id, flow = at.flow, line = at.line, source, message)
        };
    }
    match level {
        Level::Error => line!(LogLevel::ERROR),
        Level::Warn => line!(LogLevel::WARN),
        Level::Info => line!(LogLevel::INFO),
        Level::Debug => line!(LogLevel::DEBUG),
        Level::Trace => line!(LogLevel::TRACE),
    }
}
