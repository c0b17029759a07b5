//! Every path through a flow ends with `Finish`, and nothing stands behind one.

use std::collections::HashSet;

use super::cfg::{Cfg, Kind};
use super::route::{Routes, as_text, draw, told};
use super::walk::blocks;
use crate::ast::{Flow, Span, Stmt, StmtKind};
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, cfg: &Cfg<'_>, sink: &mut Sink<'_>) {
    unreachable(flow, cfg, sink);
    if cfg.reached(cfg.end()) {
        no_finish(flow, cfg, sink);
    }
}

/// Reports the first statement of each stretch that nothing reaches.
fn unreachable(flow: &Flow, cfg: &Cfg<'_>, sink: &mut Sink<'_>) {
    let lines: HashSet<u32> =
        cfg.nodes().filter(|(id, _)| cfg.reached(*id)).map(|(_, node)| node.line.start).collect();
    blocks(flow, &mut |block| {
        for pair in block.windows(2) {
            let [before, statement] = pair else { continue };
            if entered(before, &lines) && !entered(statement, &lines) {
                let hint = "delete it, or move it before the Finish";
                sink.report(Code::Unreachable, statement.span, "nothing reaches this statement", hint)
                    .relate(before.span, "no path goes on behind this");
            }
        }
    });
}

/// Whether a statement is reached. A loop that runs at least once is entered at its first statement.
fn entered(statement: &Stmt, lines: &HashSet<u32>) -> bool {
    let inside = match &statement.kind {
        StmtKind::Repeat { body, .. } => body.before.first(),
        _ => None,
    };
    lines.contains(&statement.span.start) || inside.is_some_and(|first| entered(first, lines))
}

fn no_finish(flow: &Flow, cfg: &Cfg<'_>, sink: &mut Sink<'_>) {
    let Some(last) = flow.body.last() else { return };
    let mut way = Routes::find(cfg).to(cfg.end()).unwrap_or_default();
    way.retain(|(id, _)| {
        cfg.node(*id).is_some_and(|node| matches!(node.kind, Kind::Test { .. } | Kind::Round(_)))
    });
    let steps = told(cfg, &way);
    let message = if steps.is_empty() {
        "the flow ends without Finish".to_owned()
    } else {
        format!("a path through the flow ends without Finish: {}", as_text(&steps, sink))
    };
    let end = sink.lines().len();
    let text = if sink.lines().ends_with_newline() { "Finish false\n" } else { "\nFinish false\n" };
    let hint = "a run that comes to the end of the file crashes; end the flow with Finish";
    let finding = sink.report(Code::NoFinish, last.span, message, hint);
    finding.mend("Finish without success at the end", vec![(Span { start: end, end }, text.to_owned())]);
    draw(&steps, finding);
}
