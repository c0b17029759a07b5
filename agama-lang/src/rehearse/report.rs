//! What came of a rehearsal, in the form that `agamid flow run --json` prints.

use serde::Serialize;
use serde_json::Value as Json;

use super::Waiting;
use crate::effect::{Call, CallError, Crash, Level, LogSource, Outcome, Page};
use crate::value::Value;

/// Everything that happened. At most one of `outcome`, `crash` and `waiting` is there.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Report {
    /// How the flow finished.
    pub outcome: Option<OutcomeReport>,
    /// How the flow crashed.
    pub crash: Option<CrashReport>,
    /// What the flow waits for, when the answers ran out.
    pub waiting: Option<WaitingReport>,
    /// Pages in the order in which they were shown.
    pub pages: Vec<PageReport>,
    /// URLs the browser was sent to.
    pub redirects: Vec<String>,
    /// All log lines, of all levels.
    pub log: Vec<LogReport>,
    /// Calls with their results.
    pub calls: Vec<CallReport>,
    /// Answers that nothing asked for.
    pub unused_answers: Vec<Json>,
}

/// The result of a flow that finished.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeReport {
    /// Whether the journey succeeded.
    pub success: bool,
    /// What the flow handed over.
    pub data: Json,
    /// The flow's own error value.
    pub error: Json,
    /// Whether the person gave up.
    pub aborted: bool,
    /// The page on which they gave up.
    pub url: Option<String>,
}

/// The end of a flow that crashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrashReport {
    /// What went wrong.
    pub message: String,
    /// 1-based line; 0 when the flow did not start.
    pub line: u32,
    /// In which flow.
    pub flow: String,
}

/// What a flow waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum WaitingReport {
    /// The form of a page.
    Page {
        /// Its path below `web/`.
        template: String,
    },
    /// The callback after a redirect.
    Callback {
        /// Where the browser was sent.
        url: String,
    },
}

/// A page that was shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageReport {
    /// Its path below `web/`, after overrides.
    pub template: String,
    /// The data it got.
    pub model: Json,
}

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// How bad it is.
    pub level: Level,
    /// The line.
    pub message: String,
    /// Flow author or machine.
    pub source: LogSource,
    /// The flow that wrote it.
    pub flow: String,
}

/// A call with what it answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallReport {
    /// `ns.pkg.iface#function`, or `#method`.
    pub routine: String,
    /// What it was given.
    pub args: Vec<Json>,
    /// What it gave back; null when it raised an error.
    pub result: Json,
    /// The error that it raised.
    pub error: Option<ErrorReport>,
    /// Where it was called.
    pub line: u32,
    /// In which flow.
    pub flow: String,
}

/// An error that a call raised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorReport {
    /// For people.
    pub message: String,
    /// A stable word.
    pub code: String,
    /// The routine's own error value.
    pub data: Json,
}

impl OutcomeReport {
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self {
            success: outcome.success,
            data: outcome.data.to_json(),
            error: outcome.error.to_json(),
            aborted: outcome.aborted,
            url: outcome.url.clone(),
        }
    }
}

impl CrashReport {
    pub(super) fn of(crash: &Crash) -> Self {
        Self { message: crash.message.clone(), line: crash.at.line, flow: crash.at.flow.clone() }
    }
}

impl WaitingReport {
    pub(super) fn of(waiting: &Waiting) -> Self {
        match waiting {
            Waiting::Page(page) => Self::Page { template: page.template.clone() },
            Waiting::Callback { url, .. } => Self::Callback { url: url.clone() },
        }
    }
}

impl PageReport {
    pub(super) fn of(page: &Page) -> Self {
        Self { template: page.template.clone(), model: Value::Map(page.model.clone()).to_json() }
    }
}

impl CallReport {
    pub(super) fn of(call: &Call, result: &Result<Value, CallError>) -> Self {
        let error = result.as_ref().err().map(|error| ErrorReport {
            message: error.message.clone(),
            code: error.code.clone(),
            data: error.data.to_json(),
        });
        Self {
            routine: call.routine.to_string(),
            args: call.args.iter().map(Value::to_json).collect(),
            result: result.as_ref().map(Value::to_json).unwrap_or_default(),
            error,
            line: call.at.line,
            flow: call.at.flow.clone(),
        }
    }

    /// About how many bytes it has.
    pub(super) fn weight(&self) -> usize {
        let args = self.args.iter().chain([&self.result]).map(|json| json.to_string().len());
        args.sum::<usize>() + self.routine.len()
    }
}
