//! Literal arguments must fit the types that a routine takes.

use super::cfg::span_of;
use super::facts::ParamFacts;
use super::wit::{TypeId, Types, Wit};
use crate::ast::Simple;
use crate::diagnostic::{Code, Sink};

pub(super) fn check(
    routine: &str,
    args: &[Simple],
    params: &[ParamFacts],
    signature: &str,
    types: &mut Types,
    sink: &mut Sink<'_>,
) {
    for (arg, param) in args.iter().zip(params) {
        let Some(given) = literal(arg) else { continue };
        let ty = types.read(&param.ty);
        if !fits(arg, ty, types) {
            let wanted = types.describe(ty);
            let message = format!("{routine} takes {wanted} as {}, not {given}", param.name);
            sink.error(Code::ArgumentType, span_of(arg), message, format!("its signature is: {signature}"));
        }
    }
}

/// What a literal is called; none for variables.
fn literal(arg: &Simple) -> Option<String> {
    Some(match arg {
        Simple::String(text) if text.node.chars().count() > 40 => "this string".to_owned(),
        Simple::String(text) => format!("the string {:?}", text.node),
        Simple::Number(number) => format!("the number {}", number.node),
        Simple::Bool(b) => b.node.to_string(),
        Simple::Null(_) => "null".to_owned(),
        Simple::Var(_) | Simple::Negated(_) => return None,
    })
}

fn fits(arg: &Simple, ty: TypeId, types: &Types) -> bool {
    match (types.get(ty), arg) {
        (Wit::Unknown, _) => true,
        (Wit::Option(_), Simple::Null(_)) => true,
        (Wit::Option(inner), _) => fits(arg, *inner, types),
        (Wit::Bool, Simple::Bool(_)) | (Wit::Float, Simple::Number(_)) => true,
        (Wit::Integer(signed, bits), Simple::Number(n)) => in_range(n.node, *signed, *bits),
        (Wit::Char, Simple::String(text)) => text.node.chars().count() == 1,
        (Wit::Text | Wit::Secret, Simple::String(_)) => true,
        (Wit::Enum(names), Simple::String(text)) => names.contains(&text.node),
        // A string may stand for bytes.
        (Wit::List(item), Simple::String(_)) => types.get(*item) == &Wit::Integer(false, 8),
        _ => false,
    }
}

fn in_range(n: f64, signed: bool, bits: u8) -> bool {
    let (least, above) = if signed {
        (-(2f64.powi(i32::from(bits) - 1)), 2f64.powi(i32::from(bits) - 1))
    } else {
        (0.0, 2f64.powi(i32::from(bits)))
    };
    n.fract() == 0.0 && n >= least && n < above
}
