//! Templates, flows and routines that a flow names must exist and fit.

use super::facts::{Facts, RoutineFacts};
use super::walk::statements;
use crate::ast::{Callee, Flow, FlowRef, Ident, Simple, Stmt, StmtKind, StringLit};
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, facts: &dyn Facts, sink: &mut Sink<'_>) {
    statements(flow, &mut |statement| match &statement.kind {
        StmtKind::Rrf { template, .. } => check_template(flow, template, facts, sink),
        StmtKind::Trigger { flow: FlowRef::Name(name), args, .. } => {
            check_subflow(flow, name, args, facts, sink);
        }
        StmtKind::Call { callee: Callee::Static { package, function }, args, .. } => {
            check_routine(statement, package, function, args, facts, sink);
        }
        _ => {}
    });
}

fn check_template(flow: &Flow, template: &StringLit, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let base = &flow.basepath.node;
    let path = if base.is_empty() { template.node.clone() } else { format!("{base}/{}", template.node) };
    let hint = format!("create web/{path}");
    if !template.node.rsplit('/').next().is_some_and(|file| file.contains('.')) {
        let message = format!("the template {:?} has no file extension", template.node);
        sink.error(Code::MissingTemplate, template.span, message, "write for example \"login.html\"");
    } else if !facts.template(&path) {
        sink.error(Code::MissingTemplate, template.span, format!("there is no template web/{path}"), hint);
    }
}

fn check_subflow(flow: &Flow, name: &Ident, args: &[Simple], facts: &dyn Facts, sink: &mut Sink<'_>) {
    if name.node == flow.name.node {
        let hint = "use Repeat for doing something again";
        sink.error(Code::SelfTrigger, name.span, "a flow can't Trigger itself", hint);
        return;
    }
    match facts.flow(&name.node) {
        None => {
            let hint = "check the name, and that the project with that flow is deployed";
            sink.error(Code::MissingFlow, name.span, format!("there is no flow {}", name.node), hint);
        }
        Some(found) if args.len() > found.inputs.len() && !found.inputs.is_empty() => {
            let message = format!(
                "{} takes {} ({}), {} are given",
                name.node,
                counted(found.inputs.len(), "input"),
                found.inputs.join(", "),
                args.len()
            );
            sink.warning(
                Code::TooManyInputs,
                name.span,
                message,
                "the surplus ones are ignored; delete them",
            );
        }
        Some(_) => {}
    }
}

fn check_routine(
    statement: &Stmt,
    package: &Ident,
    function: &Ident,
    args: &[Simple],
    facts: &dyn Facts,
    sink: &mut Sink<'_>,
) {
    let routine = format!("{}#{}", package.node, function.node);
    match facts.routine(&package.node, &function.node) {
        RoutineFacts::Unchecked => {}
        RoutineFacts::Unknown { hint } => {
            sink.error(Code::MissingRoutine, package.span, format!("there is no routine {routine}"), hint);
        }
        RoutineFacts::Known { params, signature, .. } => {
            let least = params.iter().rposition(|param| !param.optional).map_or(0, |at| at + 1);
            if args.len() < least || args.len() > params.len() {
                let takes = if least == params.len() {
                    counted(least, "argument")
                } else {
                    format!("{least} to {} arguments", params.len())
                };
                let message = format!("{routine} takes {takes}, {} are given", args.len());
                sink.error(
                    Code::WrongArity,
                    statement.span,
                    message,
                    format!("its signature is: {signature}"),
                );
            }
        }
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
