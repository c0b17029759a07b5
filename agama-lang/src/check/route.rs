//! A way through the graph from the start to a node, and how it is told to people.

use super::cfg::{Cfg, Kind, NodeId, index, span_of};
use crate::ast::{Span, StmtKind};
use crate::diagnostic::{Diagnostic, Sink};

/// Steps shown of a long way: the first, and the last.
const SHOWN: usize = 8;
/// Nodes of a way that are looked at, from its end.
const LONGEST: usize = 1_000;

/// A way: each node on it, with the side it is left on.
pub(super) type Way = Vec<(NodeId, bool)>;

/// The shortest ways from the start to all nodes.
pub(super) struct Routes {
    /// The node before each, and whether it was left on its `yes` side.
    before: Vec<Option<(NodeId, bool)>>,
    start: NodeId,
}

impl Routes {
    pub(super) fn find(cfg: &Cfg<'_>) -> Self {
        let start = cfg.start();
        let mut before = vec![None; cfg.len()];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(from) = queue.pop_front() {
            for (to, yes) in cfg.follow(from) {
                let known = to == start || before.get(index(to)).is_none_or(Option::is_some);
                if !known {
                    if let Some(place) = before.get_mut(index(to)) {
                        *place = Some((from, yes));
                    }
                    queue.push_back(to);
                }
            }
        }
        Self { before, start }
    }

    /// The way to a node; none when no way leads there.
    pub(super) fn to(&self, target: NodeId) -> Option<Way> {
        let mut way = Vec::new();
        let mut at = target;
        while at != self.start && way.len() < LONGEST {
            let (from, yes) = self.before.get(index(at)).copied().flatten()?;
            way.push((from, yes));
            at = from;
        }
        way.reverse();
        Some(way)
    }
}

/// One step as it is told: where, and what happens there.
pub(super) struct Told {
    pub(super) span: Span,
    /// What is compared with the label of a `Match`.
    subject: Option<Span>,
    /// For the drawing: `this does not hold`.
    pub(super) what: &'static str,
    /// For the text: `form.code is otp does not hold`.
    verb: &'static str,
}

/// The steps of a way that a person must know to follow it: decisions, pages, subflows and calls.
pub(super) fn told(cfg: &Cfg<'_>, way: &[(NodeId, bool)]) -> Vec<Told> {
    let mut steps: Vec<Told> = Vec::new();
    for (id, yes) in way {
        let Some(node) = cfg.node(*id) else { continue };
        let (span, what, verb) = match (node.kind, yes) {
            (Kind::Test { .. }, true) => (node.span, "this holds", " holds"),
            (Kind::Test { .. }, false) => (node.span, "this does not hold", " does not hold"),
            (Kind::Round(_), true) => (node.span, "another round", " goes on"),
            (Kind::Round(_), false) => (node.span, "the rounds are used up", " is over"),
            (Kind::Plain(statement), _) => match statement.kind {
                StmtKind::Rrf { .. } => (node.span, "a page is shown", ""),
                StmtKind::Rfac { .. } => (node.span, "the browser goes away and comes back", ""),
                StmtKind::Trigger { .. } => (node.span, "a subflow runs", ""),
                StmtKind::Call { .. } => (node.span, "a routine is called", ""),
                _ => continue,
            },
            _ => continue,
        };
        let subject = match node.kind {
            Kind::Test { left, right, .. } if node.span == span_of(right) => Some(span_of(left)),
            _ => None,
        };
        steps.push(Told { span, subject, what, verb });
    }
    if steps.len() > SHOWN {
        steps.drain(1..=steps.len() - SHOWN);
    }
    steps
}

/// The steps as text: `line 5: form = RRF "x.html" → line 6: form.code is otp holds`.
pub(super) fn as_text(steps: &[Told], sink: &Sink<'_>) -> String {
    let parts: Vec<String> = steps
        .iter()
        .map(|step| {
            let line = sink.lines().line_column(step.span.start).0;
            let subject = step.subject.map(|span| format!("{} is ", sink.lines().excerpt(span)));
            let subject = subject.unwrap_or_default();
            format!("line {line}: {subject}{}{}", sink.lines().excerpt(step.span), step.verb)
        })
        .collect();
    parts.join(" → ")
}

/// Draws the steps beside the source.
pub(super) fn draw(steps: &[Told], finding: &mut Diagnostic) {
    for (number, step) in (1..).zip(steps) {
        finding.relate(step.span, format!("{number}: {}", step.what));
    }
}
