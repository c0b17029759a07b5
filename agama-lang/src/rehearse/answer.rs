//! Answers to pages, as scripts write them.

use serde_json::{Value as Json, json};

use crate::value::{Map, Value};

/// What a person, or the callback, answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// `{…}`: the form of a page; values keep their JSON types.
    Form(Map),
    /// `{"_callback": {…}}`: the callback with these parameters.
    Callback(Map),
    /// `{"_abort": true, …}`: the person gave up; the other fields are the form.
    Abort(Map),
}

/// A script's answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// The script is no list.
    #[error("the answers must be a JSON list, one object a page: [{{\"field\": \"value\"}}]")]
    NoList,
    /// An answer is no object.
    #[error(
        "answer {number} is {kind}, but must be an object: {{\"field\": \"value\"}}, {{\"_callback\": {{…}}}} or {{\"_abort\": true}}"
    )]
    NoObject {
        /// 1-based.
        number: usize,
        /// What it is instead.
        kind: &'static str,
    },
    /// The parameters of a callback are no object.
    #[error(
        "answer {number}: the value of _callback is {kind}, but must be an object with the callback's parameters"
    )]
    BadCallback {
        /// 1-based.
        number: usize,
        /// What it is instead.
        kind: &'static str,
    },
}

impl Answer {
    /// Reads a script: a list of answers.
    pub fn script(json: Json) -> Result<Vec<Self>, BadAnswer> {
        let Json::Array(all) = json else { return Err(BadAnswer::NoList) };
        all.into_iter().enumerate().map(|(at, json)| Self::read(json, at + 1)).collect()
    }

    /// Reads one answer; `number` is its 1-based place, for the message.
    pub fn read(json: Json, number: usize) -> Result<Self, BadAnswer> {
        let mut form = match Value::from_json(json) {
            Value::Map(form) => form,
            other => return Err(BadAnswer::NoObject { number, kind: other.kind() }),
        };
        if let (1, Some(parameters)) = (form.len(), form.get("_callback")) {
            return match parameters {
                Value::Map(parameters) => Ok(Answer::Callback(parameters.clone())),
                other => Err(BadAnswer::BadCallback { number, kind: other.kind() }),
            };
        }
        match form.shift_remove("_abort") {
            // As the server: the field's presence counts, but a script may say that it is not there.
            None | Some(Value::Bool(false) | Value::Null) => Ok(Answer::Form(form)),
            Some(_) => Ok(Answer::Abort(form)),
        }
    }

    /// As a script writes it.
    pub fn to_json(&self) -> Json {
        let object = |map: &Map| Value::Map(map.clone()).to_json();
        match self {
            Answer::Form(form) => object(form),
            Answer::Callback(parameters) => json!({ "_callback": object(parameters) }),
            Answer::Abort(form) => {
                let mut all = Map::from_iter([("_abort".to_owned(), Value::Bool(true))]);
                all.extend(form.clone());
                object(&all)
            }
        }
    }
}
