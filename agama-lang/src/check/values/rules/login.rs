//! A successful `Finish` logs a person in: on every way to it, something must have proved that person.

use crate::ast::{Simple, Span, Stmt, StmtKind};
use crate::check::cfg::{Kind, NodeId, span_of};
use crate::check::route::{Routes, as_text, draw, told};
use crate::check::values::Analysis;
use crate::check::values::sets::Sets;
use crate::check::values::value::{Sources, Value};
use crate::diagnostic::{Code, Sink};

/// What is wrong with a `Finish` that names a person.
enum Wrong {
    /// There is a way without any proof.
    Nobody,
    /// Somebody was proved, but not the person it names.
    Another,
}

pub(super) fn check(analysis: &mut Analysis<'_, '_>, sink: &mut Sink<'_>) {
    if analysis.facts.launchable(&analysis.flow.name.node) == Some(false) {
        return;
    }
    let found = all(analysis);
    let mut routes = None;
    for (id, statement, wrong) in found {
        let StmtKind::Finish { value } = &statement.kind else { continue };
        let named = sink.lines().excerpt(span_of(value));
        match wrong {
            Wrong::Nobody => {
                let routes = routes.get_or_insert_with(|| unproved(analysis));
                let way = routes.to(id).unwrap_or_default();
                nobody(analysis, &way, statement.span, &named, sink);
            }
            Wrong::Another => {
                let message = format!("what is proved on the way here says nothing about {named}");
                let hint = "Finish with the person that the proof is about: what the proving routine gave, or was asked about";
                let finding = sink.report(Code::NoProof, statement.span, message, hint);
                for call in proving(analysis) {
                    if let Some(node) = analysis.cfg.node(call) {
                        finding.relate(node.span, "this proves somebody");
                    }
                }
            }
        }
    }
}

/// Whether nothing is wrong with any `Finish`.
pub(in crate::check::values) fn all_proved(analysis: &Analysis<'_, '_>) -> bool {
    all(analysis).is_empty()
}

fn all<'f>(analysis: &Analysis<'_, 'f>) -> Vec<(NodeId, &'f Stmt, Wrong)> {
    let mut found = Vec::new();
    for id in analysis.cfg.order() {
        let Some(Kind::Plain(statement)) = analysis.cfg.node(*id).map(|node| node.kind) else { continue };
        let StmtKind::Finish { value } = &statement.kind else { continue };
        if let Some(wrong) = wrong(analysis, *id, value) {
            found.push((*id, statement, wrong));
        }
    }
    found
}

fn wrong(analysis: &Analysis<'_, '_>, id: NodeId, finish: &Simple) -> Option<Wrong> {
    let mut state = analysis.state(id)?.clone();
    analysis.evaluated(id, &mut state);
    let value = analysis.simple(&state, finish);
    if !value.names_person {
        return None;
    }
    if ends_well_only_if_proved(analysis, &value) {
        analysis.prove(&mut state, value.proof);
    }
    if !state.proved {
        Some(Wrong::Nobody)
    } else if state.persons != Sources::MAX && state.persons & value.sources == 0 {
        Some(Wrong::Another)
    } else {
        None
    }
}

/// The result of a subflow that proves whom it names, or one that is null unless somebody was proved.
fn ends_well_only_if_proved(analysis: &Analysis<'_, '_>, value: &Value) -> bool {
    value.proof != Sets::EMPTY
        && analysis
            .sets
            .get(value.proof)
            .iter()
            .all(|call| analysis.calls.get(call).is_none() || analysis.null_means_failure(value.proof))
}

/// The ways on which nobody was proved.
fn unproved(analysis: &mut Analysis<'_, '_>) -> Routes {
    let cfg = analysis.cfg;
    Routes::find(cfg, |from, yes| analysis.after(from, yes).is_some_and(|state| !state.proved))
}

fn proving(analysis: &Analysis<'_, '_>) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = analysis.persons_of.keys().copied().collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(4);
    found
}

fn nobody(analysis: &Analysis<'_, '_>, way: &[(NodeId, bool)], span: Span, named: &str, sink: &mut Sink<'_>) {
    let untested = way.iter().rev().map(|(id, _)| *id).find(|id| analysis.persons_of.contains_key(id));
    let hint = match untested.and_then(|id| analysis.cfg.node(id)) {
        Some(node) => {
            let line = sink.lines().line_column(node.span.start).0;
            format!("the call in line {line} proves somebody only when it succeeds: test its result, and Finish only then")
        }
        None => {
            "prove the person first, for example: user = Call agamid.password#verify login password, and Finish user.id when user is not null".to_owned()
        }
    };
    let steps = told(analysis.cfg, way);
    let line = sink.lines().line_column(span.start).0;
    let finish = sink.lines().excerpt(span);
    let way = if steps.is_empty() { String::new() } else { format!("{} → ", as_text(&steps, sink)) };
    let message =
        format!("this logs in {named}, whom nothing has proved to be here: {way}line {line}: {finish}");
    let finding = sink.report(Code::NoProof, span, message, hint);
    draw(&steps, finding);
}
