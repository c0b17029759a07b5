//! The machine: takes a state and what happened, runs until it needs something, hands out the state and the need.
//!
//! It does nothing itself, and it can't fail: every error of a flow is an [`Effect::Crashed`].
//!
//! | file | what |
//! | --- | --- |
//! | `machine.rs` | the loop over instructions, and how errors unwind |
//! | `resume.rs` | answers coming in |
//! | `subflow.rs` | `Trigger`, `Finish`, template overrides, cancellation |
//! | `access.rs` | reading and writing variables |
//! | `equality.rs`, `text.rs` | `is`; how values read in a log line |
//! | `heap.rs` | lists and maps |

mod access;
mod equality;
pub(crate) mod heap;
mod machine;
mod resume;
mod subflow;
mod text;

use serde::{Deserialize, Serialize};

use crate::effect::{Catalog, Crash, Effect, Place, Resume};
use crate::state::{State, Waiting};
use crate::value::Map;
use machine::Machine;

/// What a run may use up. Each breach is a crash that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Steps between two pauses: an instruction or an element touched is one, a log line a hundred, a call five hundred.
    pub fuel: u64,
    /// Bytes of variables, lists, maps and texts.
    pub heap_bytes: usize,
    /// Elements of one list or map.
    pub collection_size: usize,
    /// Active subflows.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: 1_000_000, heap_bytes: 1024 * 1024, collection_size: 10_000, depth: 64 }
    }
}

/// Starts a flow; inputs that it does not declare are ignored.
pub fn start(catalog: &dyn Catalog, flow: &str, inputs: Map, limits: &Limits) -> (State, Effect) {
    let state = State {
        frames: Vec::new(),
        heap: heap::Heap::default(),
        waiting: Waiting::Ended,
        notes: Vec::new(),
        burnt: 0,
    };
    let mut machine = Machine::new(catalog, state, limits);
    let effect = match machine.enter_first(flow, inputs) {
        Ok(()) => machine.run(),
        Err(fault) => {
            Effect::Crashed(Crash { message: fault.message, at: Place { flow: flow.to_owned(), line: 0 } })
        }
    };
    machine.finish(effect)
}

/// Goes on. An answer that does not fit what the state waits for is a crash.
pub fn resume(catalog: &dyn Catalog, state: State, answer: Resume, limits: &Limits) -> (State, Effect) {
    let mut machine = Machine::new(catalog, state, limits);
    let effect = machine.answer(answer);
    machine.finish(effect)
}
