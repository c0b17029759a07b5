//! What passes between a running flow and whoever runs it: effects come out, resumptions go in.
//! The machine itself does nothing; an effect is a request, as data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ir::Program;
use crate::value::{Map, Text, Value};

/// The compiled flows a run may use. A run sees one immutable catalog from start to end.
pub trait Catalog {
    /// The program of a flow, by qualified name.
    fn program(&self, flow: &str) -> Option<Arc<Program>>;
    /// The flow's properties (its `Configs` variable); empty when there are none.
    fn config(&self, flow: &str) -> Map;
}

/// How a run goes on.
#[derive(Debug, Clone)]
pub enum Resume {
    /// The answer to [`Effect::Log`].
    Continue,
    /// The answer to [`Effect::Call`].
    Returned(Result<Value, CallError>),
    /// A page's form was sent ([`Effect::Render`]).
    Form(Map),
    /// The callback was reached ([`Effect::Redirect`], or a page with `callback`).
    Callback(Map),
    /// The person gave up a subflow's page (a form with `_abort`): the form, and the page's URL below `/flow/{run}/`.
    Abort {
        /// The form as sent.
        form: Map,
        /// The page that was shown, relative to the templates root.
        url: String,
    },
}

/// What the flow wants done next.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Show a page and wait for its form. The state is saved here.
    Render(Page),
    /// Send the browser elsewhere and wait for the callback. The state is saved here.
    Redirect {
        /// Exactly as the flow gave it.
        url: Text,
        /// Where in the source.
        at: Place,
    },
    /// Call a routine; go on with [`Resume::Returned`].
    Call(Call),
    /// Write a log line; go on with [`Resume::Continue`].
    Log {
        /// Severity.
        level: Level,
        /// The finished line; secrets already redacted.
        message: String,
        /// Flow author or machine.
        source: LogSource,
        /// Where in the source.
        at: Place,
    },
    /// The run is over, by `Finish`.
    Finished(Outcome),
    /// The run is over, by an error.
    Crashed(Crash),
}

/// A page to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Path below the templates root: base path, template and overrides resolved, no leading slash.
    pub template: String,
    /// The data shown; empty without a model.
    pub model: Map,
    /// Whether the callback may resume the run too.
    pub callback: bool,
    /// Where in the source.
    pub at: Place,
}

/// A routine to call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which routine.
    pub routine: Routine,
    /// Its arguments.
    pub args: Vec<Value>,
    /// Whether the flow catches an error (`| E`).
    pub caught: bool,
    /// Where in the source.
    pub at: Place,
}

/// The routine of a `Call`, as the flow writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Routine {
    /// `ns.pkg.iface#function`
    Static {
        /// Before the `#`.
        package: String,
        /// After the `#`.
        function: String,
    },
    /// `object method`
    Method {
        /// The object's value.
        object: Value,
        /// The method.
        method: String,
    },
}

impl std::fmt::Display for Routine {
    /// `ns.pkg.iface#function`, or `#method`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Routine::Static { package, function } => write!(f, "{package}#{function}"),
            Routine::Method { method, .. } => write!(f, "#{method}"),
        }
    }
}

/// A place in a flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Qualified name of the flow.
    pub flow: String,
    /// 1-based line.
    pub line: u32,
}

/// Why a call failed: an Agama error, which `| E` catches as `E.message`, `E.code`, `E.data`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// A stable word: `failed`, `trap`, `timeout`, `out_of_memory`, `denied`, `unavailable`, `no_such_routine`,
    /// `bad_argument`, or the routine's own.
    pub code: String,
    /// For people; without secrets.
    pub message: String,
    /// The routine's own error value.
    pub data: Value,
}

impl CallError {
    /// An error without data.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), data: Value::Null }
    }
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `@error`
    Error,
    /// `@warn`
    Warn,
    /// `@info`, the default
    Info,
    /// `@debug`
    Debug,
    /// `@trace`
    Trace,
}

/// Who wrote a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// A `Log` statement.
    Flow,
    /// The machine, about the flow.
    Engine,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether the journey succeeded.
    pub success: bool,
    /// What the flow handed over; `userId` names the person.
    pub data: Value,
    /// The flow's own error value.
    pub error: Value,
    /// Whether the person gave up.
    pub aborted: bool,
    /// The page on which they gave up.
    pub url: Option<String>,
}

/// A run that ended by an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({}, line {})", at.flow, at.line)]
pub struct Crash {
    /// What went wrong, without secrets; names variable and value kind.
    pub message: String,
    /// Where.
    pub at: Place,
}
