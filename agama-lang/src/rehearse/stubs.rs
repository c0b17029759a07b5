//! Answers to calls, as stub files write them.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

use super::{LogReport, PageReport};
use crate::effect::{Call, CallError, Routine};
use crate::value::Value;

/// Whoever answers the calls of a rehearsal.
pub trait Routines {
    /// Answers one call.
    fn call(&mut self, call: &Call) -> Result<Value, CallError>;

    /// Hears of a log line as it is written, for showing it between the calls.
    fn log(&mut self, _line: &LogReport) {}

    /// Hears of a page as it is shown.
    fn page(&mut self, _page: &PageReport) {}
}

/// Scripted answers: `{"ns.pkg.iface#fn": value}`, or `#method` for a method on an object.
///
/// A list is used up in order, its last element repeating. `{"error": "text"}` or `{"error": {message, code, data}}`
/// raises; `{"value": …}` gives any value literally.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stubs(BTreeMap<String, VecDeque<Json>>);

/// A stub file is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStubs {
    /// It is no object.
    #[error("the stubs must be a JSON object: {{\"ns.pkg.iface#fn\": value}}")]
    NoObject,
    /// A key names no routine.
    #[error(
        "the stub {key:?} names no routine: write \"ns.pkg.iface#fn\" as the flow calls it, or \"#method\" for a method on an object"
    )]
    BadKey {
        /// As written.
        key: String,
    },
    /// A list without elements answers nothing.
    #[error(
        "the stub {key:?} is an empty list, which answers nothing: write {{\"value\": []}} for an empty list as the result"
    )]
    Empty {
        /// As written.
        key: String,
    },
}

impl Stubs {
    /// Reads a stub file.
    pub fn read(json: Json) -> Result<Self, BadStubs> {
        let Json::Object(entries) = json else { return Err(BadStubs::NoObject) };
        let mut stubs = BTreeMap::new();
        for (key, value) in entries {
            if key.split('#').count() != 2 || key.ends_with('#') {
                return Err(BadStubs::BadKey { key });
            }
            let answers = match value {
                Json::Array(items) if items.is_empty() => return Err(BadStubs::Empty { key }),
                Json::Array(items) => items.into(),
                single => VecDeque::from([single]),
            };
            stubs.insert(key, answers);
        }
        Ok(Self(stubs))
    }

    /// The answer to a call; nothing when no stub is for it.
    pub fn answer(&mut self, routine: &Routine) -> Option<Result<Value, CallError>> {
        let answers = self.0.get_mut(&routine.to_string())?;
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.map(result)
    }
}

impl Routines for Stubs {
    fn call(&mut self, call: &Call) -> Result<Value, CallError> {
        self.answer(&call.routine).unwrap_or_else(|| Err(no_stub(&call.routine)))
    }
}

/// The error of a routine that nobody answers for: it says how to stub it.
pub fn no_stub(routine: &Routine) -> CallError {
    let what = match routine {
        Routine::Static { .. } => "the routine",
        Routine::Method { .. } => "the method",
    };
    let message = format!("{what} {routine} has no stub: add \"{routine}\": <its result> to the stubs");
    CallError::new("no_such_routine", message)
}

/// `{"error": …}` and `{"value": …}` say what they are; anything else is the result itself.
fn result(json: Json) -> Result<Value, CallError> {
    let Json::Object(entries) = &json else { return Ok(Value::from_json(json)) };
    if entries.len() == 1 {
        if let Some(value) = entries.get("value") {
            return Ok(Value::from_json(value.clone()));
        }
        if let Some(error) = entries.get("error") {
            return Err(raised(error));
        }
    }
    Ok(Value::from_json(json))
}

fn raised(error: &Json) -> CallError {
    let text = |key: &str| error.get(key).and_then(Json::as_str).map(str::to_owned);
    let message = match error {
        Json::String(message) => message.clone(),
        Json::Object(_) => text("message").unwrap_or_default(),
        other => other.to_string(),
    };
    let data = error.get("data").cloned().map(Value::from_json).unwrap_or_default();
    CallError { code: text("code").unwrap_or_else(|| "failed".to_owned()), message, data }
}
