//! Every path through a flow ends with `Finish`, and nothing stands behind one.

use crate::ast::{Flow, Stmt, StmtKind};
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, sink: &mut Sink<'_>) {
    let ends = block(&flow.body, sink);
    if let (false, Some(last)) = (ends, flow.body.last()) {
        let hint = "a run that comes to the end of the file crashes; end the flow with Finish";
        sink.warning(Code::NoFinish, last.span, "a path through the flow ends here without Finish", hint);
    }
}

/// Whether every path through the block ends the flow.
fn block(statements: &[Stmt], sink: &mut Sink<'_>) -> bool {
    let mut ended = false;
    let mut reported = false;
    for statement in statements {
        if ended && !reported {
            let hint = "delete it, or move it before the Finish";
            sink.warning(Code::Unreachable, statement.span, "nothing reaches this statement", hint);
            reported = true;
        }
        ended |= ends(statement, sink);
    }
    ended
}

fn ends(statement: &Stmt, sink: &mut Sink<'_>) -> bool {
    match &statement.kind {
        StmtKind::Finish { .. } => true,
        StmtKind::When { then, otherwise, .. } => {
            let then = block(then, sink);
            block(otherwise, sink) && then
        }
        StmtKind::Match { arms, otherwise, .. } => {
            let mut all = true;
            for arm in arms {
                all &= block(&arm.body, sink);
            }
            block(otherwise, sink) && all
        }
        StmtKind::Repeat { body, .. } | StmtKind::Iterate { body, .. } => {
            block(&body.before, sink);
            if let Some(quit) = &body.quit {
                block(&quit.after, sink);
            }
            false
        }
        _ => false,
    }
}
