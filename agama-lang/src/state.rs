//! The whole state of a run, as plain data.
//!
//! Stored form: version byte, postcard, CRC-32. The engine seals it; the checksum tells corruption from tampering.
//! Nothing in it is nested, so that reading it needs no more stack for one input than for another.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::effect::{Page, Place};
use crate::ir::{Digest, Program};
use crate::value::{Map, Text, Value};
use crate::vm::heap::{Heap, Val};

/// The version that is written; others are refused.
const VERSION: u8 = 2;
/// A value handed out has at most this many bytes, whatever the limits say.
pub(crate) const LARGEST_VALUE: usize = 16 * 1024 * 1024;

/// A run between two effects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Active flows, the started one first.
    pub(crate) frames: Vec<Frame>,
    pub(crate) heap: Heap,
    pub(crate) waiting: Waiting,
    /// Log lines of the machine not handed out yet.
    pub(crate) notes: Vec<Note>,
    /// Fuel burnt since the last pause.
    pub(crate) burnt: u64,
}

/// One active flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) flow: Arc<str>,
    /// Content hash of its program.
    pub(crate) program: Digest,
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
    /// The keys of a map, as they were at the start.
    Keys(Vec<Arc<str>>),
    /// A string, and the byte at which its next character begins.
    Chars {
        text: Text,
        next: u32,
    },
}

/// A line of the machine about the flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) line: u32,
    pub(crate) text: String,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Waiting {
    Page(SavedPage),
    Callback,
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
    pub(crate) template: String,
    /// The map shown. Nothing changes it while the run waits.
    pub(crate) model: Option<Val>,
    pub(crate) callback: bool,
    pub(crate) line: u32,
}

/// Stored bytes are no state that this machine can go on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Too short, or the checksum differs.
    #[error("the saved state is damaged")]
    Damaged,
    /// Written by another version.
    #[error(
        "the saved state has version {found}, this server reads version {VERSION}: the run must start again"
    )]
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
        let bytes = postcard::to_extend(&compact, vec![VERSION]);
        let mut bytes = bytes.unwrap_or_default();
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
        let (state, rest): (Self, _) = postcard::take_from_bytes(body).map_err(|_| StateError::Damaged)?;
        if !rest.is_empty() {
            return Err(StateError::Damaged);
        }
        if state.frames.is_empty() && state.waiting != Waiting::Ended || !state.heap_is_sound() {
            return Err(StateError::Inconsistent);
        }
        Ok(state)
    }

    /// The page that is waiting to be sent, if the run is at one.
    pub fn page(&self) -> Option<Page> {
        let Waiting::Page(page) = &self.waiting else { return None };
        let mut budget = LARGEST_VALUE;
        let model = match &page.model {
            None => Map::new(),
            Some(model) => match self.heap.export(model, &mut budget) {
                Ok(Value::Map(map)) => map,
                _ => return None,
            },
        };
        let flow = self.frames.last().map_or(String::new(), |frame| frame.flow.as_ref().to_owned());
        let at = Place { flow, line: page.line };
        Some(Page { template: page.template.clone(), model, callback: page.callback, at })
    }

    /// Whether the callback may resume the run.
    pub fn waits_for_callback(&self) -> bool {
        match &self.waiting {
            Waiting::Page(page) => page.callback,
            Waiting::Callback => true,
            _ => false,
        }
    }

    /// The qualified names of the active flows, the started one first.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().map(|frame| frame.flow.as_ref())
    }

    /// The variables of the flow at work that are not null, by name in the order of the flow, for tools that show a run.
    /// `program` is that flow's; the last of [`State::flows`].
    pub fn variables(&self, program: &Program) -> Vec<(String, Value)> {
        let Some(frame) = self.frames.last() else { return Vec::new() };
        let named = program.body().variables.iter().zip(&frame.slots);
        let shown = named.filter_map(|(name, value)| {
            let value = self.heap.export(value, &mut LARGEST_VALUE.clone()).ok()?;
            (value != Value::Null).then(|| (name.clone(), value))
        });
        shown.collect()
    }

    fn heap_is_sound(&self) -> bool {
        let page = match &self.waiting {
            Waiting::Page(SavedPage { model: Some(model), .. }) => self.heap.holds(model),
            _ => true,
        };
        page && self.heap.is_sound()
            && self.frames.iter().all(|frame| {
                frame.slots.iter().all(|value| self.heap.holds(value))
                    && frame.loops.iter().all(|open| match open.over {
                        Over::List(at) => self.heap.holds(&Val::List(at)),
                        _ => true,
                    })
            })
    }
}
