//! Variables that are read must be assigned somewhere; what is assigned should be read; `idx` belongs to the loops.

use std::collections::{HashMap, HashSet};

use super::near::near;
use super::walk::{statements, variables};
use crate::ast::{Expr, Flow, Ident, Span, Stmt, StmtKind};
use crate::diagnostic::{Code, Sink};

/// In flows with more variables no name is suggested for one that is not known.
const MOST_KNOWN: usize = 1_000;
/// So many unknown names get a suggestion.
const MOST_SUGGESTIONS: usize = 20;

pub(super) fn check(flow: &Flow, sink: &mut Sink<'_>) {
    let given = || flow.inputs.iter().chain(&flow.configs);
    let mut known: HashSet<&str> = given().map(|name| name.node.as_str()).collect();
    known.insert("idx");
    let mut uses: Vec<&Ident> = Vec::new();
    let mut logged: HashSet<u32> = HashSet::new();
    let mut read: HashSet<&str> = HashSet::new();
    let mut changed: HashSet<&str> = HashSet::new();
    let mut assigned: Vec<(&Ident, &Stmt)> = Vec::new();
    statements(flow, &mut |statement| {
        let found = variables(statement);
        for name in found.assigned {
            if name.node == "idx" {
                let hint = "idx holds the counters of the loops; use another name";
                sink.error(Code::AssignsIdx, name.span, "idx can't be assigned", hint);
            }
            known.insert(&name.node);
            assigned.push((name, statement));
        }
        read.extend(found.read.iter().map(|name| name.node.as_str()));
        if matches!(statement.kind, StmtKind::Log { .. }) {
            logged.extend(found.read.iter().map(|name| name.span.start));
        }
        uses.extend(found.read);
        changed.extend(found.changed.iter().map(|name| name.node.as_str()));
        uses.extend(found.changed);
    });
    // A part of a value that others hold too may be read there.
    for (name, statement) in &assigned {
        if changed.contains(name.node.as_str()) && !is_literal(statement) {
            read.insert(&name.node);
        }
    }
    assigned.sort_by_key(|(name, _)| name.span.start);
    uses.sort_by_key(|name| name.span.start);
    read.extend(undefined(&uses, &known, &logged, sink));
    never_read(flow, &assigned, &read, sink);
}

/// Whether a name is an error variable that is only written to the log: flows with that slip are in use elsewhere.
fn uncaught(name: &str, spans: &[Span], logged: &HashSet<u32>) -> bool {
    matches!(name, "E" | "e" | "err" | "error" | "ex" | "exception")
        && spans.iter().all(|span| logged.contains(&span.start))
}

/// A literal as other languages write it.
fn foreign_literal(name: &str) -> Option<&'static str> {
    match name {
        "None" | "nil" | "undefined" | "NULL" | "Null" | "NaN" => Some("null"),
        "True" | "TRUE" => Some("true"),
        "False" | "FALSE" => Some("false"),
        _ => None,
    }
}

fn is_literal(statement: &Stmt) -> bool {
    matches!(&statement.kind, StmtKind::Assign { value: Expr::List(..) | Expr::Map(..), .. })
}

/// Reports each variable that nothing assigns; answers those that were perhaps meant.
fn undefined<'a>(
    uses: &[&Ident],
    known: &HashSet<&'a str>,
    logged: &HashSet<u32>,
    sink: &mut Sink<'_>,
) -> Vec<&'a str> {
    let mut all_meant = Vec::new();
    let mut places: HashMap<&str, Vec<Span>> = HashMap::new();
    let mut order = Vec::new();
    for name in uses.iter().filter(|name| !known.contains(name.node.as_str())) {
        let spans = places.entry(&name.node).or_default();
        if spans.is_empty() {
            order.push(*name);
        }
        spans.push(name.span);
    }
    for (number, name) in order.into_iter().enumerate() {
        let spans = places.remove(name.node.as_str()).unwrap_or_default();
        if uncaught(&name.node, &spans, logged) {
            let message = format!("no error is caught in {}, so there is nothing to log", name.node);
            let hint = format!("write | {} = before the Call or Trigger whose error you mean", name.node);
            sink.warning(Code::UndefinedVariable, name.span, message, hint);
            continue;
        }
        let message = format!("nothing assigns the variable {}", name.node);
        let suggests = number < MOST_SUGGESTIONS && known.len() <= MOST_KNOWN;
        let meant = suggests.then(|| near(&name.node, known.iter().copied())).flatten();
        let literal = foreign_literal(&name.node);
        let hint = match (meant, literal) {
            (Some(other), _) => format!("did you mean {other}?"),
            (None, Some(literal)) => format!("Agama writes {literal}"),
            (None, None) => "assign it first, or name it in Inputs".to_owned(),
        };
        let finding = sink.report(Code::UndefinedVariable, name.span, message, hint);
        all_meant.extend(meant);
        if let Some(other) = meant.or(literal) {
            let edits = spans.into_iter().map(|span| (span, other.to_owned())).collect();
            finding.mend(format!("Write {other} in place of {}", name.node), edits);
        }
    }
    all_meant
}

/// Reports each variable that is only assigned. Inputs are what others see of a flow, error variables and loop variables
/// have to be named: those are left alone here.
fn never_read(flow: &Flow, assigned: &[(&Ident, &Stmt)], read: &HashSet<&str>, sink: &mut Sink<'_>) {
    if let Some(configs) = flow.configs.as_ref().filter(|configs| !read.contains(configs.node.as_str())) {
        let message = format!("the configuration {} is never read", configs.node);
        let hint = "delete the line, or use the properties in it";
        sink.report(Code::NeverRead, configs.span, message, hint);
    }
    let inputs: HashSet<&str> = flow.inputs.iter().map(|input| input.node.as_str()).collect();
    let mut seen = HashSet::new();
    for (name, statement) in assigned {
        let text = name.node.as_str();
        if read.contains(text) || inputs.contains(text) || text == "idx" || !seen.insert(text) {
            continue;
        }
        let (target, hint) = match &statement.kind {
            StmtKind::Assign { target, .. } => (target, "delete the assignment, or read the variable"),
            StmtKind::Rfac { target: Some(target), .. }
            | StmtKind::Rrf { target: Some(target), .. }
            | StmtKind::Trigger { target: Some(target), .. }
            | StmtKind::Call { target: Some(target), .. }
            | StmtKind::Repeat { target: Some(target), .. }
            | StmtKind::Iterate { target: Some(target), .. } => {
                (target, "leave out what stands before the statement's own word: the result need not be kept")
            }
            _ => continue,
        };
        if target.base.span != name.span {
            continue;
        }
        let deleted = behind_equals(statement, target.span, sink);
        let finding =
            sink.report(Code::NeverRead, name.span, format!("the variable {text} is never read"), hint);
        if let Some(span) = deleted {
            finding.mend(format!("Don't keep the result in {text}"), vec![(span, String::new())]);
        }
    }
}

/// From a target to the word behind its `=` or, where an error is caught, to the bar.
fn behind_equals(statement: &Stmt, target: Span, sink: &Sink<'_>) -> Option<Span> {
    if matches!(statement.kind, StmtKind::Assign { .. }) {
        return None;
    }
    let rest = sink.lines().text(Span { start: target.end, end: statement.span.end });
    let sign = rest.find(['=', '|'])?;
    let skip = match rest.get(sign..)?.strip_prefix('=') {
        Some(after) => rest.len() - after.trim_start().len(),
        None => sign,
    };
    Some(Span { start: target.start, end: target.end + crate::source::to_u32(skip) })
}
