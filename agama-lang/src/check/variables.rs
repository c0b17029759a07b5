//! Variables that are read must be assigned somewhere; `idx` belongs to the loops.

use std::collections::HashSet;

use super::walk::{statements, variables};
use crate::ast::{Flow, Ident};
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, sink: &mut Sink<'_>) {
    let mut known: HashSet<&str> =
        flow.inputs.iter().chain(&flow.configs).map(|name| name.node.as_str()).collect();
    known.insert("idx");
    let mut reads: Vec<&Ident> = Vec::new();
    statements(flow, &mut |statement| {
        let found = variables(statement);
        for name in found.assigned {
            if name.node == "idx" {
                let hint = "idx holds the counters of the loops; use another name";
                sink.error(Code::AssignsIdx, name.span, "idx can't be assigned", hint);
            }
            known.insert(&name.node);
        }
        reads.extend(found.read);
    });
    let mut reported = HashSet::new();
    for name in reads {
        if !known.contains(name.node.as_str()) && reported.insert(&name.node) {
            let message = format!("nothing assigns the variable {}", name.node);
            sink.error(Code::UndefinedVariable, name.span, message, hint(&name.node, &known));
        }
    }
}

/// A known name that differs by little.
fn hint(name: &str, known: &HashSet<&str>) -> String {
    let lower = name.to_lowercase();
    let mut near: Vec<&&str> =
        known.iter().filter(|other| other.to_lowercase() == lower || distance_one(name, other)).collect();
    near.sort();
    match near.first() {
        Some(other) => format!("did you mean {other}?"),
        None => "assign it first, or name it in Inputs".to_owned(),
    }
}

/// Whether one insertion, deletion or replacement turns one name into the other.
fn distance_one(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let same_end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let longest = a.len().max(b.len());
    longest > 2 && a.len().abs_diff(b.len()) <= 1 && same_start + same_end + 1 >= longest
}
