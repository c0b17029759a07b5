//! Comparisons that hold when both sides are missing, and secrets compared with `is`.

use super::Here;
use crate::ast::{Simple, Span, VarExpr};
use crate::check::cfg::Kind;
use crate::check::values::Analysis;
use crate::check::values::sets::Sets;
use crate::check::values::value::Value;
use crate::diagnostic::{Code, Sink};

pub(super) fn check(analysis: &Analysis<'_, '_>, here: &Here<'_, '_>, sink: &mut Sink<'_>) {
    let Kind::Test { left, right, negated } = here.kind else { return };
    let (a, b) = (analysis.simple(here.state, left), analysis.simple(here.state, right));
    if let (Simple::Var(left), Simple::Var(right)) = (left, right)
        && may_both_be_null(&a, &b)
        && !of_one_form(left, right, &a, &b)
    {
        both_null(left, right, &a, negated, here.span, sink);
    }
    let typed_twice = |value: &Value| value.secret.is_some() && value.outside;
    let secret =
        [(&a, left, right), (&b, right, left)].into_iter().find(|(value, _, _)| value.secret.is_some());
    if let Some((value, _, other)) = secret.filter(|_| !(typed_twice(&a) && typed_twice(&b)))
        && says_something(other)
    {
        let message = "a secret is compared with `is`, which tells by its time how much was right";
        let hint = "let a routine of the one who made the secret check it: it counts the tries, and lets a code work once";
        let finding = sink.report(Code::SecretCompared, here.span, message, hint);
        if let Some(origin) = value.secret.and_then(|node| analysis.cfg.node(node)) {
            finding.relate(origin.span, "the secret comes from here");
        }
    }
}

/// Two values of which it is known that they can be null, or a field from outside and one of which nothing is known.
fn may_both_be_null(a: &Value, b: &Value) -> bool {
    let missing = |value: &Value| value.outside && value.null.seen();
    a.null.possible() && b.null.possible() && (a.null.seen() && b.null.seen() || missing(a) || missing(b))
}

/// Whether both come from the browser in one form: then it could make them equal anyway.
fn of_one_form(left: &VarExpr, right: &VarExpr, a: &Value, b: &Value) -> bool {
    left.base.node == right.base.node && a.outside && b.outside
}

/// Whether a side is more than a test for presence.
fn says_something(side: &Simple) -> bool {
    match side {
        Simple::Null(_) | Simple::Bool(_) => false,
        Simple::String(text) => !text.node.is_empty(),
        _ => true,
    }
}

fn both_null(
    left: &VarExpr,
    right: &VarExpr,
    left_value: &Value,
    negated: bool,
    span: Span,
    sink: &mut Sink<'_>,
) {
    let (a, b) = (sink.lines().excerpt(left.span), sink.lines().excerpt(right.span));
    // What does not come from the browser is the better one to ask about.
    let guard = if left_value.outside || left_value.forms != Sets::EMPTY { &b } else { &a };
    let message = format!("{a} and {b} may both be null, and null is equal to null");
    if span == right.span {
        let hint = format!("compare it in a When instead: When {guard} is not null and {a} is {b}");
        sink.warning(Code::BothNull, span, message, hint);
        return;
    }
    if negated {
        let hint = format!("ask first: When {guard} is null or {a} is not {b}");
        sink.warning(Code::BothNull, span, message, hint);
        return;
    }
    let hint = format!("ask first: When {guard} is not null and {a} is {b}");
    let start = Span { start: span.start, end: span.start };
    sink.report(Code::BothNull, span, message, hint).mend(
        format!("Ask first whether {guard} is null"),
        vec![(start, format!("{guard} is not null and "))],
    );
}
