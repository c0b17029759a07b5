//! A way on which nobody is proved, walked with what is known on that way alone, so that it is one that can be gone.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Analysis;
use super::state::State;
use crate::check::cfg::NodeId;
use crate::check::route::Way;

/// Different states with which one node is visited.
const MOST_STATES: usize = 32;
/// Visits in all.
const MOST_VISITS: usize = 4_000;

/// One visit: where, with what is known, and the visit before with the side it was left on.
struct Visit {
    node: NodeId,
    state: State,
    before: Option<(usize, bool)>,
}

/// What a search found.
pub(super) enum Found {
    /// The shortest way.
    Way(Way),
    /// There is none.
    None,
    /// There are too many ways to look at all.
    Unknown,
}

impl Analysis<'_, '_> {
    /// Looks for the shortest ways to nodes that `reports` with nobody proved.
    pub(super) fn unproved_ways(
        &mut self,
        targets: &[NodeId],
        reports: impl Fn(&Self, NodeId, &State) -> bool,
    ) -> HashMap<NodeId, Found> {
        let wanted: HashSet<NodeId> = targets.iter().copied().collect();
        let mut found: HashMap<NodeId, Found> = HashMap::new();
        let mut seen: HashMap<NodeId, Vec<usize>> = HashMap::new();
        let mut visits = vec![Visit { node: self.cfg.start(), state: self.first(), before: None }];
        let mut queue = VecDeque::from([0]);
        let mut all = true;
        while let Some(at) = queue.pop_front() {
            let Some(Visit { node, state, .. }) = visits.get(at) else { continue };
            let (node, mut state) = (*node, state.clone());
            if wanted.contains(&node) && !found.contains_key(&node) && reports(self, node, &state) {
                found.insert(node, Found::Way(way(&visits, at)));
                if found.len() == wanted.len() {
                    return found;
                }
            }
            self.transfer(node, &mut state);
            for (to, yes) in self.cfg.follow(node) {
                let mut next = state.clone();
                if !self.open(node, yes, &next) {
                    continue;
                }
                self.along(node, yes, &mut next);
                let known = seen.entry(to).or_default();
                let old = known.iter().any(|at| visits.get(*at).is_some_and(|visit| visit.state == next));
                if next.proved || old {
                    continue;
                }
                if known.len() >= MOST_STATES || visits.len() >= MOST_VISITS {
                    all = false;
                    continue;
                }
                known.push(visits.len());
                queue.push_back(visits.len());
                visits.push(Visit { node: to, state: next, before: Some((at, yes)) });
            }
        }
        for target in targets {
            found.entry(*target).or_insert(if all { Found::None } else { Found::Unknown });
        }
        found
    }
}

fn way(visits: &[Visit], mut at: usize) -> Way {
    let mut way = Vec::new();
    while let Some((before, yes)) = visits.get(at).and_then(|visit| visit.before) {
        if let Some(visit) = visits.get(before) {
            way.push((visit.node, yes));
        }
        at = before;
    }
    way.reverse();
    way
}
