//! A `Repeat` must have a reason to go round: a page, a call, a way out.

use super::walk::{statements, target, variables, within};
use crate::ast::{Accessor, Flow, LoopBody, Simple, Stmt, StmtKind};
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, sink: &mut Sink<'_>) {
    statements(flow, &mut |statement| {
        let StmtKind::Repeat { count, body, .. } = &statement.kind else { return };
        if matches!(count, Simple::Number(n) if n.node <= 0.0) {
            let hint = "write how often at most, 1 or more";
            sink.warning(Code::IdleLoop, statement.span, "this loop never runs", hint);
        } else if idle(body) {
            let hint = "leave the loop with Quit When or Finish, or show a page in it; without that, write its statements once";
            sink.warning(Code::IdleLoop, statement.span, "every round of this loop does the same", hint);
        }
    });
}

fn idle(body: &LoopBody) -> bool {
    let mut idle = body.quit.is_none();
    within(&body.before, &mut |statement| idle = idle && same_each_time(statement));
    idle
}

/// Whether a statement does in the second round just what it did in the first.
fn same_each_time(statement: &Stmt) -> bool {
    match &statement.kind {
        StmtKind::Rrf { .. }
        | StmtKind::Rfac { .. }
        | StmtKind::Trigger { .. }
        | StmtKind::Call { .. }
        | StmtKind::Finish { .. } => return false,
        StmtKind::Repeat { body, .. } | StmtKind::Iterate { body, .. } if body.quit.is_some() => {
            return false;
        }
        _ => {}
    }
    let counts = variables(statement).read.iter().any(|name| name.node == "idx");
    let grows = target(statement).is_some_and(|target| {
        target
            .accessors
            .iter()
            .any(|accessor| matches!(accessor, Accessor::DynamicIndex(_) | Accessor::DynamicProperty(_)))
    });
    !counts && !grows && !passes_on(statement)
}

/// Whether what is assigned comes from another variable, which may change from round to round.
fn passes_on(statement: &Stmt) -> bool {
    matches!(statement.kind, StmtKind::Assign { .. }) && !variables(statement).exprs.is_empty()
}
