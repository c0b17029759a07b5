//! Values as they cross the border of a flow: arguments and results of calls, page models, form answers,
//! outcomes. Inside the machine lists and maps are shared references (`vm/heap.rs`); here they are plain trees.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// An Agama value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An IEEE double; integers are exact to 2^53.
    Number(f64),
    /// Text, possibly marked.
    String(Text),
    /// An ordered list.
    List(Vec<Value>),
    /// A map in insertion order.
    Map(Map),
}

/// A map in insertion order.
pub type Map = IndexMap<String, Value>;

/// Text with the marks that travel with it. Equality looks at the characters only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Text {
    chars: Arc<str>,
    marks: Marks,
}

/// What the server knows about a piece of text. A program can neither read nor set marks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks {
    /// Never shown in logs, traces and error pages.
    pub secret: bool,
    /// The id of the person whose credential this is. Lost as soon as the text is cut or joined.
    pub owner: Option<Arc<str>>,
}

impl Text {
    /// Unmarked text.
    pub fn new(chars: impl Into<Arc<str>>) -> Self {
        Self { chars: chars.into(), marks: Marks::default() }
    }

    /// Text with marks.
    pub fn marked(chars: impl Into<Arc<str>>, marks: Marks) -> Self {
        Self { chars: chars.into(), marks }
    }

    /// The characters, secret or not. Whoever shows them to people uses `Display` instead.
    pub fn as_str(&self) -> &str {
        &self.chars
    }

    /// The characters, shared.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.chars)
    }

    /// The marks.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Text made from a part of this one: stays secret, no longer belongs to anybody.
    pub fn derived(&self, chars: impl Into<Arc<str>>) -> Self {
        Self { chars: chars.into(), marks: Marks { secret: self.marks.secret, owner: None } }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.chars == other.chars
    }
}

/// Shown in place of secret text.
pub const REDACTED: &str = "•••";

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.marks.secret { REDACTED } else { &self.chars })
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.marks.secret { f.write_str(REDACTED) } else { write!(f, "{:?}", &*self.chars) }
    }
}

impl Value {
    /// A plain string value.
    pub fn string(chars: impl Into<Arc<str>>) -> Self {
        Value::String(Text::new(chars))
    }

    /// A string that logs and traces must not show.
    pub fn secret(chars: impl Into<Arc<str>>) -> Self {
        Value::String(Text::marked(chars, Marks { secret: true, owner: None }))
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The kind, as messages name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// From JSON; nothing is marked.
    pub fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => Value::Number(n.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(s) => Value::string(s),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Value::from_json).collect()),
            serde_json::Value::Object(entries) => {
                Value::Map(entries.into_iter().map(|(k, v)| (k, Value::from_json(v))).collect())
            }
        }
    }

    /// To JSON with secrets in clear: for page models and outcomes, never for logs (see [`Value::redacted`]).
    /// Integral numbers have no fraction; NaN and infinities become null.
    pub fn to_json(&self) -> serde_json::Value {
        self.json(&|text| text.as_str().to_owned())
    }

    /// To JSON for logs and traces: secrets read [`REDACTED`].
    pub fn redacted(&self) -> serde_json::Value {
        self.json(&|text| text.to_string())
    }

    fn json(&self, show: &impl Fn(&Text) -> String) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) => number_to_json(*n),
            Value::String(text) => show(text).into(),
            Value::List(items) => items.iter().map(|v| v.json(show)).collect(),
            Value::Map(map) => {
                serde_json::Value::Object(map.iter().map(|(k, v)| (k.clone(), v.json(show))).collect())
            }
        }
    }
}

/// The largest integer up to which every double is exact: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "guarded: integral and within 2^53")]
fn number_to_json(n: f64) -> serde_json::Value {
    if n.fract() == 0.0 && n.abs() <= EXACT {
        (n as i64).into()
    } else {
        serde_json::Number::from_f64(n).map_or(serde_json::Value::Null, serde_json::Value::Number)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::string(s)
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::string(s)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}
impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Value::Number(n)
    }
}
impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Value::Map(map)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Value::Null, Into::into)
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}
