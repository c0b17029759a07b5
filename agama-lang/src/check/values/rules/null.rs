//! Null where a run can't go on with it: a part of it is taken, or a statement needs something else.

use super::Here;
use crate::ast::{Callee, FlowRef, Simple, StmtKind, VarExpr};
use crate::check::cfg::Kind;
use crate::check::values::Analysis;
use crate::check::values::value::Null;
use crate::check::walk::target;
use crate::diagnostic::{Code, Sink};

pub(super) fn check(analysis: &Analysis<'_, '_>, here: &Here<'_, '_>, sink: &mut Sink<'_>) {
    let mut told = Vec::new();
    let mut look = |expr: &VarExpr, what: &str| {
        let name = expr.base.node.as_str();
        let Some(value) = analysis.names.var(name).and_then(|at| here.state.vars.get(at)) else { return };
        if value.null == Null::ALWAYS && !told.contains(&expr.base.span) {
            told.push(expr.base.span);
            let message = format!("{name} is always null here, and {what} null ends the run");
            let hint = "assign it before, or go here only when it is not null";
            sink.warning(Code::AlwaysNull, expr.span, message, hint);
        }
    };
    for expr in analysis.cfg.exprs_read(here.id) {
        if !expr.accessors.is_empty() {
            look(expr, "taking a part of");
        }
    }
    match here.kind {
        Kind::Plain(statement) => {
            if let Some((expr, what)) = needed(&statement.kind) {
                look(expr, what);
            }
            if let Some(target) = target(statement).filter(|target| !target.accessors.is_empty()) {
                look(target, "setting a part of");
            }
        }
        Kind::Round(statement) => match &statement.kind {
            StmtKind::Iterate { over, .. } => look(over, "iterating over"),
            StmtKind::Repeat { count: Simple::Var(count), .. } => look(count, "repeating"),
            _ => {}
        },
        _ => {}
    }
}

/// The variable that a statement can't do without.
fn needed(statement: &StmtKind) -> Option<(&VarExpr, &'static str)> {
    match statement {
        StmtKind::Call { callee: Callee::Method { object, .. }, .. } => Some((object, "calling")),
        StmtKind::Finish { value: Simple::Var(value) } => Some((value, "finishing with")),
        StmtKind::Rfac { url: Simple::Var(url), .. } => Some((url, "going to")),
        StmtKind::Rrf { model: Some(model), .. } => Some((model, "showing")),
        StmtKind::Trigger { flow: FlowRef::Variable(flow), .. } => Some((flow, "triggering")),
        _ => None,
    }
}
