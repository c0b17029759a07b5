//! Secrets don't belong in a log.

use super::Here;
use crate::ast::{Simple, StmtKind};
use crate::check::cfg::{Kind, span_of};
use crate::check::values::Analysis;
use crate::diagnostic::{Code, Sink};

pub(super) fn check(analysis: &Analysis<'_, '_>, here: &Here<'_, '_>, sink: &mut Sink<'_>) {
    let Kind::Plain(statement) = here.kind else { return };
    let StmtKind::Log { args } = &statement.kind else { return };
    for arg in args {
        let Simple::Var(expr) = arg else { continue };
        let value = analysis.var(here.state, expr);
        let page = analysis.sets.get(value.forms).iter().copied().find(|site| {
            analysis.page(*site).is_some_and(|page| page.posts.iter().any(|field| field.secret))
        });
        let Some(origin) = value.secret.or(page) else { continue };
        let text = sink.lines().excerpt(expr.span);
        let message = if value.secret.is_some() && value.typed.is_none_or(|typed| !analysis.holds(typed.ty)) {
            format!("{text} is secret, and is written to the log")
        } else {
            format!("{text} holds a secret, and is written to the log")
        };
        let hint = "the log shows ••• in its place; log what tells the case apart, such as a username";
        let finding = sink.report(Code::SecretLogged, span_of(arg), message, hint);
        if let Some(origin) = analysis.cfg.node(origin) {
            finding.relate(origin.span, "the secret comes from here");
        }
    }
}
