//! An error that is caught must be looked at, or the result it left untouched.

use std::collections::HashSet;

use super::cfg::{Cfg, Kind, NodeId, index};
use super::walk::target;
use crate::ast::{Ident, StmtKind};
use crate::diagnostic::{Code, Sink};

/// Nodes looked at for one flow; beyond that, errors count as looked at.
const MOST: usize = 200_000;

pub(super) fn check(cfg: &Cfg<'_>, sink: &mut Sink<'_>) {
    let read: HashSet<&str> =
        cfg.nodes().flat_map(|(id, _)| cfg.names_read(id).iter().map(|name| name.node.as_str())).collect();
    let mut search = Search { cfg, seen: vec![0; cfg.len()], round: 0, steps: 0 };
    for (id, node) in cfg.nodes() {
        let Kind::Plain(statement) = node.kind else { continue };
        let (StmtKind::Trigger { error: Some(error), .. } | StmtKind::Call { error: Some(error), .. }) =
            &statement.kind
        else {
            continue;
        };
        let result = target(statement).map(|target| target.base.node.as_str());
        let is_read =
            [Some(error.node.as_str()), result].into_iter().flatten().any(|name| read.contains(name));
        if cfg.reached(id) && !(is_read && search.looked_at(id, error, result)) {
            let what = match statement.kind {
                StmtKind::Trigger { .. } => "flow",
                _ => "routine",
            };
            let message = format!("the error {} is caught, and nothing looks at it", error.node);
            let hint = format!(
                "test it: When {} is not null; without | {} a failing {what} ends the flow, which is safer",
                error.node, error.node
            );
            sink.warning(Code::ErrorIgnored, error.span, message, hint);
        }
    }
}

struct Search<'c, 'a> {
    cfg: &'c Cfg<'a>,
    /// In which search a node was last seen.
    seen: Vec<usize>,
    round: usize,
    steps: usize,
}

impl Search<'_, '_> {
    /// Whether, behind a call, the error is read, or its result compared, before either is assigned anew.
    fn looked_at(&mut self, from: NodeId, error: &Ident, result: Option<&str>) -> bool {
        self.round += 1;
        let mut stack: Vec<NodeId> = self.cfg.follow(from).map(|(to, _)| to).collect();
        while let Some(id) = stack.pop() {
            let new = self
                .seen
                .get_mut(index(id))
                .is_some_and(|seen| std::mem::replace(seen, self.round) != self.round);
            if !new {
                continue;
            }
            self.steps += 1;
            let Some(node) = self.cfg.node(id).filter(|_| self.steps < MOST) else { return true };
            let compares = matches!(node.kind, Kind::Test { .. });
            for name in self.cfg.names_read(id) {
                if name.node == error.node || (compares && Some(name.node.as_str()) == result) {
                    return true;
                }
            }
            if !assigns(node.kind, error) {
                stack.extend(self.cfg.follow(id).map(|(to, _)| to));
            }
        }
        false
    }
}

fn assigns(kind: Kind<'_>, name: &Ident) -> bool {
    let (Kind::Plain(statement) | Kind::Over(statement)) = kind else { return false };
    let by_error = match &statement.kind {
        StmtKind::Trigger { error, .. } | StmtKind::Call { error, .. } => error.as_ref(),
        _ => None,
    };
    let whole = target(statement).filter(|target| target.accessors.is_empty()).map(|target| &target.base);
    by_error.into_iter().chain(whole).any(|assigned| assigned.node == name.node)
}
