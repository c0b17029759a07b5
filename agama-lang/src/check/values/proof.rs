//! Which results of which calls prove that a person is there.

use super::sets::{SetId, Sets};
use super::state::State;
use super::{Analysis, CallResult};
use crate::check::cfg::NodeId;
use crate::check::wit::Wit;

impl Analysis<'_, '_> {
    /// The calls have proved somebody.
    pub(super) fn prove(&self, state: &mut State, calls: SetId) {
        if calls == Sets::EMPTY {
            return;
        }
        state.proved = true;
        for call in self.sets.get(calls) {
            state.persons |= self.persons_of.get(call).copied().unwrap_or_default();
        }
    }

    /// Whether each of the results is null when nothing was proved, and not only then false.
    pub(super) fn null_means_failure(&self, calls: SetId) -> bool {
        let set = self.sets.get(calls);
        let fails_with_null =
            |call| self.calls.get(call).is_some_and(|called| !self.gives_bool(called.result));
        calls == Sets::SURE || !set.is_empty() && set.iter().all(fails_with_null)
    }

    /// Whether each of the results is true or false: a subflow's `success`, or a routine's boolean.
    pub(super) fn is_bool(&self, calls: SetId) -> bool {
        calls != Sets::IF_TRUE
            && self.sets.get(calls).iter().all(|call| {
                self.calls.get(call).is_none_or(|called| match called.result {
                    CallResult::Typed(ty) => matches!(self.types.get(ty), Wit::Bool),
                    CallResult::Unknown | CallResult::Nothing => false,
                })
            })
    }

    /// Whether each call that raised no error has proved somebody.
    pub(super) fn error_means_failure(&self, calls: SetId) -> bool {
        !self.sets.get(calls).is_empty()
            && self.sets.get(calls).iter().all(|call| self.cannot_fail_quietly(*call))
    }

    /// Whether a proving call that comes back has proved somebody: its result can be neither null nor false.
    pub(super) fn cannot_fail_quietly(&self, call: NodeId) -> bool {
        self.persons_of.contains_key(&call)
            && self.calls.get(&call).is_some_and(|called| match called.result {
                CallResult::Unknown => false,
                CallResult::Nothing => true,
                CallResult::Typed(ty) => {
                    let (inner, optional) = self.types.unwrap(ty);
                    !optional && !matches!(self.types.get(inner), Wit::Bool | Wit::Unknown)
                }
            })
    }

    fn gives_bool(&self, result: CallResult) -> bool {
        match result {
            CallResult::Typed(ty) => matches!(self.types.get(self.types.unwrap(ty).0), Wit::Bool),
            CallResult::Unknown | CallResult::Nothing => false,
        }
    }
}
