//! Expressions as text, close to what their author wrote.

use crate::ast::{Accessor, Condition, Expr, Simple, VarExpr};

pub(super) fn var(var: &VarExpr) -> String {
    let mut text = var.base.node.clone();
    for accessor in &var.accessors {
        match accessor {
            Accessor::Property(name) if is_plain(&name.node) => text.push_str(&format!(".{}", name.node)),
            Accessor::Property(name) => text.push_str(&format!(".{}", quoted(&name.node))),
            Accessor::DynamicProperty(name) => text.push_str(&format!(".${}", name.node)),
            Accessor::Index(index) => text.push_str(&format!("[{}]", index.node)),
            Accessor::DynamicIndex(name) => text.push_str(&format!("[{}]", name.node)),
        }
    }
    text
}

pub(super) fn simple(simple: &Simple) -> String {
    match simple {
        Simple::String(text) => quoted(&text.node),
        Simple::Number(number) => number.node.to_string(),
        Simple::Bool(value) => value.node.to_string(),
        Simple::Null(_) => "null".to_owned(),
        Simple::Var(inner) => var(inner),
        Simple::Negated(inner) => format!("-{}", var(inner)),
    }
}

pub(super) fn simples(all: &[Simple]) -> String {
    all.iter().map(simple).collect::<Vec<_>>().join(" ")
}

pub(super) fn expr(value: &Expr) -> String {
    match value {
        Expr::Simple(inner) => simple(inner),
        Expr::List(items, _) => format!("[{}]", items.iter().map(expr).collect::<Vec<_>>().join(", ")),
        Expr::Map(entries, _) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", key.node, expr(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

pub(super) fn condition(condition_: &Condition) -> String {
    match condition_ {
        Condition::Compare { left, right, negated, .. } => {
            let is = if *negated { "is not" } else { "is" };
            format!("{} {is} {}", simple(left), simple(right))
        }
        Condition::And(parts) => parts.iter().map(condition).collect::<Vec<_>>().join(" and "),
        Condition::Or(parts) => parts.iter().map(condition).collect::<Vec<_>>().join(" or "),
    }
}

/// A text at most `most` characters long.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A string literal. What can't be seen is escaped, so that every output format can hold it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\u0022"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
