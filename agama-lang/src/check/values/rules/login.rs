//! A successful `Finish` logs a person in: on every way to it, something must have proved that person.

use crate::ast::{Stmt, StmtKind};
use crate::check::cfg::{Kind, NodeId, span_of};
use crate::check::route::{Routes, Way, as_text, draw, told};
use crate::check::values::Analysis;
use crate::check::values::sets::Sets;
use crate::check::values::state::State;
use crate::check::values::value::{Sources, Value};
use crate::check::values::ways::Found;
use crate::diagnostic::{Code, Sink};

/// Findings of one flow whose way is told.
const TOLD: usize = 100;
const PROVE_FIRST: &str = "prove the person first, for example: user = Call agamid.password#verify login password, and Finish user.id when user is not null";

/// What is wrong with a `Finish` that names a person.
enum Wrong {
    /// There is a way without any proof.
    Nobody,
    /// Somebody was proved, but not the person it names.
    Another,
}

/// Which `Finish` is looked at.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    /// Those that log somebody in.
    Logins,
    /// Those with success: a parent may log somebody in because of them.
    Successes,
}

/// A `Finish` with which something is wrong.
struct Bad<'f> {
    id: NodeId,
    statement: &'f Stmt,
    wrong: Wrong,
    /// The way that shows it, where one was found.
    way: Way,
}

pub(super) fn check(analysis: &mut Analysis<'_, '_>, sink: &mut Sink<'_>) {
    if analysis.facts.launchable(&analysis.flow.name.node) == Some(false) {
        return;
    }
    for (number, bad) in all(analysis, Asked::Logins).into_iter().enumerate() {
        let StmtKind::Finish { value } = &bad.statement.kind else { continue };
        let named = sink.lines().excerpt(span_of(value));
        match bad.wrong {
            Wrong::Nobody if number < TOLD => nobody(analysis, &bad, &named, sink),
            Wrong::Nobody => {
                let message = format!("this logs in {named}, whom nothing has proved to be here");
                sink.warning(Code::NoProof, bad.statement.span, message, PROVE_FIRST);
            }
            Wrong::Another => another(analysis, &bad, &named, sink),
        }
    }
}

/// Whether every `Finish` with success stands behind a proof.
pub(in crate::check::values) fn all_proved(analysis: &mut Analysis<'_, '_>) -> bool {
    all(analysis, Asked::Successes).is_empty()
}

fn all<'f>(analysis: &mut Analysis<'_, 'f>, asked: Asked) -> Vec<Bad<'f>> {
    let mut found = Vec::new();
    for id in analysis.cfg.order() {
        let (Some(node), Some(state)) = (analysis.cfg.node(*id), analysis.state(*id)) else { continue };
        let Kind::Plain(statement) = node.kind else { continue };
        if let Some(wrong) = wrong(analysis, *id, state, asked) {
            found.push(Bad { id: *id, statement, wrong, way: Way::new() });
        }
    }
    let suspects: Vec<NodeId> =
        found.iter().filter(|bad| matches!(bad.wrong, Wrong::Nobody)).map(|bad| bad.id).collect();
    if suspects.is_empty() {
        return found;
    }
    let mut ways = analysis.unproved_ways(&suspects, |analysis, id, state| {
        matches!(wrong(analysis, id, state, asked), Some(Wrong::Nobody))
    });
    let routes = Routes::find(analysis.cfg);
    let mut kept = 0;
    found.retain_mut(|bad| {
        kept += 1;
        match ways.remove(&bad.id) {
            Some(Found::None) => return false,
            Some(Found::Way(way)) => bad.way = way,
            Some(Found::Unknown) if kept < TOLD => bad.way = routes.to(bad.id).unwrap_or_default(),
            Some(Found::Unknown) | None => {}
        }
        true
    });
    found
}

/// What is wrong with a node, if it is a `Finish`, with what is known before it.
fn wrong(analysis: &Analysis<'_, '_>, id: NodeId, state: &State, asked: Asked) -> Option<Wrong> {
    let Kind::Plain(statement) = analysis.cfg.node(id)?.kind else { return None };
    let StmtKind::Finish { value } = &statement.kind else { return None };
    let mut state = state.clone();
    analysis.evaluated(id, &mut state);
    let value = analysis.simple(&state, value);
    if value.fails || !value.names_person && asked == Asked::Logins {
        return None;
    }
    if ends_well_only_if_proved(analysis, &value) {
        analysis.prove(&mut state, value.proof);
    }
    if !state.proved {
        Some(Wrong::Nobody)
    } else if value.names_person && state.persons != Sources::MAX && state.persons & value.sources == 0 {
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
            .all(|call| !analysis.calls.contains_key(call) || analysis.null_means_failure(value.proof))
}

fn another(analysis: &Analysis<'_, '_>, bad: &Bad<'_>, named: &str, sink: &mut Sink<'_>) {
    let message = format!("what is proved on the way here says nothing about {named}");
    let hint =
        "Finish with the person that the proof is about: what the proving routine gave, or was asked about";
    let finding = sink.report(Code::NoProof, bad.statement.span, message, hint);
    for call in proving(analysis) {
        if let Some(node) = analysis.cfg.node(call) {
            finding.relate(node.span, "this proves somebody");
        }
    }
}

fn proving(analysis: &Analysis<'_, '_>) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = analysis.persons_of.keys().copied().collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(4);
    found
}

fn nobody(analysis: &Analysis<'_, '_>, bad: &Bad<'_>, named: &str, sink: &mut Sink<'_>) {
    let (way, span) = (&bad.way, bad.statement.span);
    let untested = way.iter().rev().map(|(id, _)| *id).find(|id| analysis.persons_of.contains_key(id));
    let hint = match untested.and_then(|id| analysis.cfg.node(id)) {
        Some(node) => {
            let line = sink.lines().line_column(node.span.start).0;
            format!(
                "the call in line {line} proves somebody only when it succeeds: test its result, and Finish only then"
            )
        }
        None => PROVE_FIRST.to_owned(),
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
