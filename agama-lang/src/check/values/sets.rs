//! Small sets of nodes, each kept once, so that values stay small.

use std::collections::HashMap;

use crate::check::cfg::NodeId;
use crate::source::to_u32;

/// A set in [`Sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::check) struct SetId(u32);

/// Sets larger than this are given up, and count as empty.
const LARGEST: usize = 16;

/// All sets met.
#[derive(Default)]
pub(in crate::check) struct Sets {
    all: Vec<Vec<NodeId>>,
    ids: HashMap<Vec<NodeId>, SetId>,
}

impl Sets {
    pub(in crate::check) const EMPTY: SetId = SetId(u32::MAX);
    /// In place of proving calls: where the value is not null, somebody was proved.
    pub(in crate::check) const SURE: SetId = SetId(u32::MAX - 1);
    /// In place of proving calls: where the value is true, or a `Finish` with it names somebody, somebody was proved. So
    /// it is with false, and with a result without success.
    pub(in crate::check) const IF_TRUE: SetId = SetId(u32::MAX - 2);

    pub(in crate::check) fn of(&mut self, node: NodeId) -> SetId {
        self.intern(vec![node])
    }

    pub(in crate::check) fn get(&self, id: SetId) -> &[NodeId] {
        usize::try_from(id.0).ok().and_then(|at| self.all.get(at)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Both sets together; empty when one is: then not all is known.
    pub(super) fn join(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b || b == Self::SURE {
            return a;
        }
        if a == Self::SURE {
            return b;
        }
        if [a, b].iter().any(|id| matches!(*id, Self::EMPTY | Self::IF_TRUE)) {
            return Self::EMPTY;
        }
        let mut both = [self.get(a), self.get(b)].concat();
        both.sort_unstable();
        both.dedup();
        if both.len() > LARGEST { Self::EMPTY } else { self.intern(both) }
    }

    fn intern(&mut self, set: Vec<NodeId>) -> SetId {
        if let Some(id) = self.ids.get(&set) {
            return *id;
        }
        let id = SetId(to_u32(self.all.len()));
        self.all.push(set.clone());
        self.ids.insert(set, id);
        id
    }
}
