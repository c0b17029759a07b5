//! Results of typed routines, used as what they are not.

use super::Here;
use crate::ast::{Accessor, Simple, Span, StmtKind, VarExpr};
use crate::check::cfg::{Kind, NodeId, span_of};
use crate::check::near::near;
use crate::check::values::value::Value;
use crate::check::values::{Analysis, Called};
use crate::check::wit::{TypeId, Wit};
use crate::diagnostic::{Code, Diagnostic, Severity, Sink};

/// What maps, lists and strings all tell of themselves.
const OF_ALL: [&str; 2] = ["length", "empty"];

pub(super) fn check(analysis: &Analysis<'_, '_>, here: &Here<'_, '_>, sink: &mut Sink<'_>) {
    for expr in analysis.cfg.exprs_read(here.id) {
        parts(analysis, here, expr, sink);
    }
    match here.kind {
        Kind::Plain(statement) => match &statement.kind {
            StmtKind::Rrf { model: Some(model), .. } => {
                let wants = "RRF shows the fields of a map";
                whole(analysis, here, model, wants, |ty| matches!(ty, Wit::Record(_)), sink);
            }
            StmtKind::Rfac { url: Simple::Var(url), .. } => {
                let wants = "RFAC takes an address, a string";
                whole(analysis, here, url, wants, is_text, sink);
            }
            StmtKind::Finish { value: Simple::Var(value) } => {
                let wants = "Finish takes true, false, a string or a map with a boolean success";
                let fits = |ty: &Wit| is_text(ty) || matches!(ty, Wit::Bool) || has_success(ty);
                whole(analysis, here, value, wants, fits, sink);
            }
            StmtKind::Call { args, .. } => arguments(analysis, here, args, sink),
            _ => {}
        },
        Kind::Round(statement) => match &statement.kind {
            StmtKind::Iterate { over, .. } => {
                let wants = "Iterate over goes through a list, a map or a string";
                let fits = |ty: &Wit| !matches!(ty, Wit::Bool | Wit::Integer(..) | Wit::Float);
                whole(analysis, here, over, wants, fits, sink);
            }
            StmtKind::Repeat { count: Simple::Var(count), .. } => {
                let wants = "Repeat takes a number";
                let fits = |ty: &Wit| matches!(ty, Wit::Integer(..) | Wit::Float);
                whole(analysis, here, count, wants, fits, sink);
            }
            _ => {}
        },
        Kind::Test { left, right, .. } => {
            never_equal(analysis, here, left, right, sink);
            never_equal(analysis, here, right, left, sink);
        }
        Kind::End | Kind::Over(_) => {}
    }
}

/// A typed value is compared with a literal of another kind: that is allowed, and never holds.
fn never_equal(
    analysis: &Analysis<'_, '_>,
    here: &Here<'_, '_>,
    side: &Simple,
    literal: &Simple,
    sink: &mut Sink<'_>,
) {
    let Value { typed: Some(typed), .. } = analysis.simple(here.state, side) else { return };
    let ty = analysis.types.get(typed.ty);
    let may = match literal {
        Simple::String(text) => match ty {
            Wit::Enum(names) => names.contains(&text.node),
            _ => is_text(ty),
        },
        Simple::Number(_) => matches!(ty, Wit::Integer(..) | Wit::Float),
        Simple::Bool(_) => matches!(ty, Wit::Bool),
        Simple::Null(_) | Simple::Var(_) | Simple::Negated(_) => true,
    };
    if !may && *ty != Wit::Unknown {
        let (side, literal) = (sink.lines().excerpt(span_of(side)), sink.lines().excerpt(span_of(literal)));
        let message =
            format!("{side} is {}, which never equals {literal}", analysis.types.describe(typed.ty));
        report(analysis, typed.call, here.span, message, sink).severity = Severity::Warning;
    }
}

fn is_text(ty: &Wit) -> bool {
    matches!(ty, Wit::Text | Wit::Secret | Wit::Char | Wit::Enum(_))
}

fn has_success(ty: &Wit) -> bool {
    matches!(ty, Wit::Record(fields) if fields.iter().any(|(name, _)| name == "success"))
}

/// A whole value stands where another kind is needed.
fn whole(
    analysis: &Analysis<'_, '_>,
    here: &Here<'_, '_>,
    expr: &VarExpr,
    wants: &str,
    fits: impl Fn(&Wit) -> bool,
    sink: &mut Sink<'_>,
) {
    let Some(typed) = analysis.var(here.state, expr).typed else { return };
    if !fits(analysis.types.get(typed.ty)) {
        let text = sink.lines().excerpt(expr.span);
        let message = format!("{wants}; {text} is {}", analysis.types.describe(typed.ty));
        report(analysis, typed.call, expr.span, message, sink);
    }
}

/// Each step into a value must be one that its type has.
fn parts(analysis: &Analysis<'_, '_>, here: &Here<'_, '_>, expr: &VarExpr, sink: &mut Sink<'_>) {
    let mut value = match analysis.names.var(&expr.base.node).and_then(|at| here.state.vars.get(at)) {
        Some(value) if value.typed.is_some() => *value,
        _ => return,
    };
    for accessor in &expr.accessors {
        let Some(typed) = value.typed else { return };
        if let Some((span, message, meant)) = wrong_step(analysis, typed.ty, accessor, expr) {
            let finding = report(analysis, typed.call, span, message, sink);
            if let Some(meant) = meant {
                finding.mend(format!("Read {meant} instead"), vec![(span, meant)]);
            }
            return;
        }
        value = analysis.step(&value, accessor);
    }
}

fn wrong_step(
    analysis: &Analysis<'_, '_>,
    ty: TypeId,
    accessor: &Accessor,
    expr: &VarExpr,
) -> Option<(Span, String, Option<String>)> {
    let base = &expr.base.node;
    let is = analysis.types.describe(ty);
    match (analysis.types.get(ty), accessor) {
        (Wit::Record(fields), Accessor::Property(name)) => {
            let there =
                fields.iter().any(|(field, _)| *field == name.node) || OF_ALL.contains(&name.node.as_str());
            let meant = near(&name.node, fields.iter().map(|(field, _)| field.as_str()));
            let message = match meant {
                Some(other) => format!("{base} has no {}, but {other}: it is {is}", name.node),
                None => format!("{base} has no {}: it is {is}", name.node),
            };
            (!there).then(|| (name.span, message, meant.map(str::to_owned)))
        }
        (Wit::Record(_), Accessor::Index(index)) => {
            Some((index.span, format!("an index goes into a list or a string, not into {is}"), None))
        }
        (Wit::Bool | Wit::Integer(..) | Wit::Float, _) => {
            Some((expr.span, format!("{is} has no parts"), None))
        }
        (
            Wit::List(_) | Wit::Tuple(_) | Wit::Text | Wit::Secret | Wit::Char | Wit::Enum(_),
            Accessor::Property(name),
        ) if !matches!(name.node.as_str(), "length" | "empty" | "first" | "second") => {
            Some((name.span, format!("{is} has no {}", name.node), None))
        }
        _ => None,
    }
}

/// Typed values as arguments of typed routines.
fn arguments(analysis: &Analysis<'_, '_>, here: &Here<'_, '_>, args: &[Simple], sink: &mut Sink<'_>) {
    let Some(Called { routine, params, signature, .. }) = analysis.calls.get(&here.id) else { return };
    if args.len() > params.len() {
        return;
    }
    for (arg, param) in args.iter().zip(params) {
        let Value { typed: Some(given), .. } = analysis.simple(here.state, arg) else { continue };
        let Some(wanted) = analysis.types.known(&param.ty) else { continue };
        let (inner, _) = analysis.types.unwrap(wanted);
        if !alike(analysis.types.get(given.ty), analysis.types.get(inner)) {
            let message = format!(
                "{routine} takes {} as {}; {} is {}",
                analysis.types.describe(wanted),
                param.name,
                sink.lines().excerpt(span_of(arg)),
                analysis.types.describe(given.ty)
            );
            let hint = format!("its signature is: {signature}");
            sink.error(Code::ArgumentType, span_of(arg), message, hint);
        }
    }
}

/// Whether a value of one type can fit another, as far as can be told without the value.
fn alike(given: &Wit, wanted: &Wit) -> bool {
    let kind = |ty: &Wit| match ty {
        Wit::Bool => 1,
        Wit::Integer(..) | Wit::Float => 2,
        Wit::Char | Wit::Text | Wit::Secret | Wit::Enum(_) => 3,
        Wit::List(_) | Wit::Tuple(_) => 4,
        Wit::Record(_) => 5,
        Wit::Option(_) | Wit::Unknown => 0,
    };
    let (a, b) = (kind(given), kind(wanted));
    // A string may stand for bytes, a map for a variant.
    a == b || a == 0 || b == 0 || (a == 3 && b == 4)
}

/// Reports a misuse, with the signature of the routine that gave the value.
fn report<'s>(
    analysis: &Analysis<'_, '_>,
    call: NodeId,
    span: Span,
    message: String,
    sink: &'s mut Sink<'_>,
) -> &'s mut Diagnostic {
    let hint = match analysis.calls.get(&call) {
        Some(called) => format!("the signature of {} is: {}", called.routine, called.signature),
        None => String::new(),
    };
    let finding = sink.report(Code::ResultMisuse, span, message, hint);
    if let Some(node) = analysis.cfg.node(call) {
        finding.relate(node.span, "the value comes from here");
    }
    finding
}

impl Analysis<'_, '_> {
    /// Whether a value of the type has parts, one of which may be secret.
    pub(super) fn holds(&self, ty: TypeId) -> bool {
        matches!(self.types.get(ty), Wit::Record(_) | Wit::List(_) | Wit::Tuple(_))
    }
}
