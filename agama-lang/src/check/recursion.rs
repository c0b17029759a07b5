//! A flow that comes back to itself by way of the flows it Triggers.

use std::collections::{HashMap, VecDeque};

use super::facts::Facts;
use crate::ast::{Flow, Ident};
use crate::diagnostic::{Code, Sink};

/// Flows looked at from one Trigger.
const MOST: usize = 1_000;

pub(super) fn check(flow: &Flow, first: &Ident, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let home = flow.name.node.as_str();
    let mut before: HashMap<String, String> = HashMap::new();
    let mut queue = VecDeque::from([first.node.clone()]);
    while let Some(at) = queue.pop_front() {
        for next in facts.triggers(&at) {
            if next == home {
                let mut way = vec![home.to_owned(), at.clone()];
                while let Some(earlier) = way.last().and_then(|last| before.get(last)) {
                    way.push(earlier.clone());
                }
                way.push(home.to_owned());
                way.reverse();
                let message =
                    format!("the flow Triggers itself by way of {}: {}", first.node, way.join(" → "));
                let hint = "a run may go only so deep and then crashes; use Repeat for doing something again";
                sink.warning(Code::Recursion, first.span, message, hint);
                return;
            }
            if next != first.node && !before.contains_key(&next) && before.len() < MOST {
                before.insert(next.clone(), at.clone());
                queue.push_back(next);
            }
        }
    }
}
