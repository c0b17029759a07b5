//! A part of what is always null: the run crashes there.

use super::Here;
use crate::ast::{Callee, StmtKind, VarExpr};
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
            if let StmtKind::Call { callee: Callee::Method { object, .. }, .. } = &statement.kind {
                look(object, "calling");
            }
            if let Some(target) = target(statement).filter(|target| !target.accessors.is_empty()) {
                look(target, "setting a part of");
            }
        }
        Kind::Round(statement) => {
            if let StmtKind::Iterate { over, .. } = &statement.kind {
                look(over, "iterating over");
            }
        }
        _ => {}
    }
}
