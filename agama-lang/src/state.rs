//! The whole state of a run, as plain data.
//!
//! Stored form: version byte, postcard, CRC-32. The engine seals it; the checksum tells corruption from tampering.

use serde::{Deserialize, Serialize};

use crate::effect::{Page, Place};
use crate::value::{Map, Value};
use crate::vm::heap::{Heap, Val};

/// The version that is written; others are refused.
const VERSION: u8 = 1;

/// A run between two effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Active flows, the started one first.
    pub(crate) frames: Vec<Frame>,
    pub(crate) heap: Heap,
    pub(crate) waiting: Waiting,
    /// Log lines of the machine not handed out yet.
    pub(crate) notes: Vec<String>,
}

/// One active flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) flow: String,
    /// Content hash of its program.
    pub(crate) hash: String,
    /// The instruction at work; it stays there while the run waits for its answer.
    pub(crate) at: u32,
    pub(crate) slots: Vec<Val>,
    pub(crate) loops: Vec<Loop>,
}

/// One active loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loop {
    /// Complete rounds, which is also the number of the round at work.
    pub(crate) rounds: u64,
    pub(crate) over: Over,
}

/// What a loop runs over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Over {
    Count(f64),
    /// A live list.
    List(u32),
    /// Keys of a map, or characters of a string, as they were at the start; whether they stay secret.
    Texts(Vec<String>, bool),
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Waiting {
    Page(SavedPage),
    Callback(Place),
    Call,
    /// After a `Log` statement.
    Log,
    /// After a line of the machine's own.
    Note,
    Ended,
}

/// A page as shown, so that it can be shown again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedPage {
    template: String,
    model: Vec<(String, Value)>,
    callback: bool,
    at: Place,
}

impl SavedPage {
    pub(crate) fn of(page: &Page) -> Self {
        Self {
            template: page.template.clone(),
            model: page.model.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            callback: page.callback,
            at: page.at.clone(),
        }
    }

    pub(crate) fn page(&self) -> Page {
        Page {
            template: self.template.clone(),
            model: self.model.iter().cloned().collect::<Map>(),
            callback: self.callback,
            at: self.at.clone(),
        }
    }

    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    pub(crate) fn callback(&self) -> bool {
        self.callback
    }
}

/// Stored bytes are no state that this machine can go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Too short, or the checksum differs.
    #[error("the saved state is damaged")]
    Damaged,
    /// Written by another version.
    #[error("the saved state has version {found}, this server reads version {VERSION}")]
    Version {
        /// As stored.
        found: u8,
    },
    /// Readable, but inconsistent.
    #[error("the saved state is inconsistent")]
    Inconsistent,
}

impl State {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut compact = self.clone();
        crate::vm::heap::collect(&mut compact);
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(&compact).unwrap_or_default());
        let sum = crc32fast::hash(&bytes);
        bytes.extend(sum.to_be_bytes());
        bytes
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(StateError::Damaged)?;
        if crc32fast::hash(body).to_be_bytes() != *sum {
            return Err(StateError::Damaged);
        }
        let (version, body) = body.split_first().ok_or(StateError::Damaged)?;
        if *version != VERSION {
            return Err(StateError::Version { found: *version });
        }
        let state: Self = postcard::from_bytes(body).map_err(|_| StateError::Damaged)?;
        if state.frames.is_empty() && state.waiting != Waiting::Ended || !state.heap_is_sound() {
            return Err(StateError::Inconsistent);
        }
        Ok(state)
    }

    /// The page that is waiting to be sent, if the run is at one.
    pub fn page(&self) -> Option<Page> {
        match &self.waiting {
            Waiting::Page(page) => Some(page.page()),
            _ => None,
        }
    }

    /// Whether the callback may resume the run.
    pub fn waits_for_callback(&self) -> bool {
        match &self.waiting {
            Waiting::Page(page) => page.callback(),
            Waiting::Callback(_) => true,
            _ => false,
        }
    }

    /// The qualified names of the active flows, the started one first.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().map(|frame| frame.flow.as_str())
    }

    fn heap_is_sound(&self) -> bool {
        self.heap.is_sound()
            && self.frames.iter().all(|frame| {
                frame.slots.iter().all(|value| self.heap.holds(value))
                    && frame.loops.iter().all(|open| match open.over {
                        Over::List(at) => self.heap.holds(&Val::List(at)),
                        _ => true,
                    })
            })
    }
}
