//! Templates, flows and routines that a flow names must exist and fit.

use super::facts::{Facts, ParamFacts, RoutineFacts};
use super::walk::statements;
use super::{arguments, recursion};
use crate::ast::{Callee, Flow, FlowRef, Ident, Simple, Span, Stmt, StmtKind, StringLit, TemplateOverride};
use crate::check::cfg::span_of;
use crate::check::wit::Types;
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, facts: &dyn Facts, types: &mut Types, sink: &mut Sink<'_>) {
    statements(flow, &mut |statement| match &statement.kind {
        StmtKind::Rrf { template, .. } => check_template(flow, template, facts, sink),
        StmtKind::Trigger { flow: subflow, args, overrides, .. } => {
            if let FlowRef::Name(name) = subflow {
                check_subflow(flow, statement, name, args, facts, sink);
            }
            overrides.iter().for_each(|pair| check_override(flow, pair, facts, sink));
        }
        StmtKind::Call { callee: Callee::Static { package, function }, args, .. } => {
            check_routine(statement, package, function, args, facts, types, sink);
        }
        StmtKind::Rfac { url: Simple::String(url), .. } => check_link(url, facts, sink),
        _ => {}
    });
    if let (Some(timeout), Some(longest)) = (&flow.timeout_seconds, facts.longest_timeout())
        && timeout.node > longest
    {
        let message = format!("the flow allows {} seconds, but a run lasts at most {longest}", timeout.node);
        let hint = format!("write: Timeout {longest} seconds");
        sink.report(Code::TimeoutTooLong, timeout.span, message, hint)
            .mend(format!("Set it to {longest} seconds"), vec![(timeout.span, longest.to_string())]);
    }
}

/// The path of a flow's template below the templates root.
pub(super) fn template_path(flow: &Flow, template: &StringLit) -> String {
    let base = &flow.basepath.node;
    if base.is_empty() { template.node.clone() } else { format!("{base}/{}", template.node) }
}

fn check_template(flow: &Flow, template: &StringLit, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let path = template_path(flow, template);
    let hint = format!("create web/{path}");
    if !template.node.rsplit('/').next().is_some_and(|file| file.contains('.')) {
        let message = format!("the template {:?} has no file extension", template.node);
        sink.error(Code::MissingTemplate, template.span, message, "write for example \"login.html\"");
    } else if !facts.template(&path) {
        sink.error(Code::MissingTemplate, template.span, format!("there is no template web/{path}"), hint);
    } else {
        for name in facts.template_facts(&path).unwrap_or_default().launches {
            not_launchable(&name, &format!("web/{path}"), template.span, facts, sink);
        }
    }
}

/// The template put in place of a subflow's is one of this flow.
fn check_override(flow: &Flow, pair: &TemplateOverride, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let same_name = || pair.original.node.rsplit('/').next().unwrap_or_default().to_owned();
    let node = Some(pair.replacement.node.clone()).filter(|path| !path.is_empty()).unwrap_or_else(same_name);
    let path = template_path(flow, &StringLit { node, span: pair.replacement.span });
    if !path.contains("..") && !facts.template(&path) {
        let message =
            format!("there is no template web/{path} to show in place of web/{}", pair.original.node);
        let hint = format!("create web/{path}");
        sink.error(Code::MissingTemplate, pair.replacement.span, message, hint);
    }
}

/// A redirect to a URL that starts a flow.
fn check_link(url: &StringLit, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let Some((_, rest)) = url.node.split_once("acr_values=agama_") else { return };
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    not_launchable(name, "this address", url.span, facts, sink);
}

fn not_launchable(name: &str, from: &str, span: Span, facts: &dyn Facts, sink: &mut Sink<'_>) {
    if facts.launchable(name) == Some(false) {
        let message = format!("{from} starts the flow {name}, which may not be started directly");
        let hint =
            format!("name {name} in launchable of its project.json, or link to a flow that is named there");
        sink.warning(Code::NotLaunchable, span, message, hint);
    }
}

fn check_subflow(
    flow: &Flow,
    statement: &Stmt,
    name: &Ident,
    args: &[Simple],
    facts: &dyn Facts,
    sink: &mut Sink<'_>,
) {
    if name.node == flow.name.node {
        let hint = "use Repeat for doing something again";
        sink.error(Code::SelfTrigger, name.span, "a flow can't Trigger itself", hint);
        return;
    }
    let Some(found) = facts.flow(&name.node) else {
        let hint = "check the name, and that the project with that flow is deployed";
        sink.error(Code::MissingFlow, name.span, format!("there is no flow {}", name.node), hint);
        return;
    };
    recursion::check(flow, name, facts, sink);
    if !facts.knows_inputs() {
        return;
    }
    let inputs = &found.inputs;
    let takes = match inputs.as_slice() {
        [] => format!("{} takes no inputs", name.node),
        some => {
            format!("{} takes {} ({})", name.node, counted(some.len(), "input"), some.join(", "))
        }
    };
    let given = args.len();
    let message = format!("{takes}, {given} {} given", if given == 1 { "is" } else { "are" });
    if let Some(surplus) = args.get(inputs.len()..).filter(|surplus| !surplus.is_empty()) {
        let hint = "the surplus ones are ignored; delete them";
        let from = if inputs.is_empty() { name.span.end } else { last_end(args.get(..inputs.len()), name) };
        let to = surplus.last().map_or(from, |last| span_of(last).end);
        sink.report(Code::TooManyInputs, name.span, message, hint)
            .mend("Delete the surplus ones", vec![(Span { start: from, end: to }, String::new())]);
    } else if let Some(missing) = inputs.get(given..).filter(|missing| !missing.is_empty()) {
        let hint =
            format!("{} will be null there; pass a value, or write null to say so", missing.join(", "));
        let end = statement.span.end;
        let nulls = " null".repeat(missing.len());
        sink.report(Code::TooFewInputs, name.span, message, hint)
            .mend("Pass null", vec![(Span { start: end, end }, nulls)]);
    }
}

fn last_end(args: Option<&[Simple]>, name: &Ident) -> u32 {
    args.and_then(<[Simple]>::last).map_or(name.span.end, |last| span_of(last).end)
}

fn check_routine(
    statement: &Stmt,
    package: &Ident,
    function: &Ident,
    args: &[Simple],
    facts: &dyn Facts,
    types: &mut Types,
    sink: &mut Sink<'_>,
) {
    let routine = format!("{}#{}", package.node, function.node);
    match facts.routine(&package.node, &function.node) {
        RoutineFacts::Unchecked => {}
        RoutineFacts::Unknown { hint } => {
            sink.error(Code::MissingRoutine, package.span, format!("there is no routine {routine}"), hint);
        }
        RoutineFacts::Known { params, signature, .. } => {
            if fits(args.len(), &params) {
                arguments::check(&routine, args, &params, &signature, types, sink);
                return;
            }
            let least = least(&params);
            let takes = if least == params.len() {
                counted(least, "argument")
            } else {
                format!("{least} to {} arguments", params.len())
            };
            let given = args.len();
            let are = if given == 1 { "is" } else { "are" };
            sink.error(
                Code::WrongArity,
                statement.span,
                format!("{routine} takes {takes}, {given} {are} given"),
                format!("its signature is: {signature}"),
            );
        }
    }
}

/// How many arguments must be there.
fn least(params: &[ParamFacts]) -> usize {
    params.iter().rposition(|param| !param.optional).map_or(0, |at| at + 1)
}

fn fits(given: usize, params: &[ParamFacts]) -> bool {
    given >= least(params) && given <= params.len()
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
