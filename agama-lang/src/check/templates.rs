//! What a template shows must be passed, and what is read of a form must be posted.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::facts::{Facts, TemplateFacts};
use super::near::near;
use super::references::template_path;
use super::walk::{statements, target, variables};
use crate::ast::{Accessor, Expr, Flow, Ident, Simple, Stmt, StmtKind, StringLit, VarExpr};
use crate::diagnostic::{Code, Sink};

/// Properties that every map or list has.
const ALWAYS_THERE: [&str; 2] = ["empty", "length"];

/// What is known of a variable in the whole flow.
#[derive(Default)]
struct Known<'a> {
    /// The keys that are put into it.
    keys: BTreeSet<&'a str>,
    /// It may have other keys: it was not built here, or is known under another name.
    open: bool,
    /// The templates whose forms it receives.
    pages: Vec<&'a StringLit>,
    /// It receives something else too.
    mixed: bool,
}

pub(super) fn check(flow: &Flow, facts: &dyn Facts, sink: &mut Sink<'_>) {
    let mut pages: HashMap<&str, TemplateFacts> = HashMap::new();
    statements(flow, &mut |statement| {
        if let StmtKind::Rrf { template, .. } = &statement.kind
            && let Some(found) = facts.template_facts(&template_path(flow, template))
        {
            pages.insert(&template.node, found);
        }
    });
    if pages.is_empty() {
        return;
    }
    let known = collect(flow);
    statements(flow, &mut |statement| {
        if let StmtKind::Rrf { template, model, .. } = &statement.kind
            && let Some(page) = pages.get(template.node.as_str())
        {
            passed(flow, template, model.as_ref(), page, &known, sink);
        }
    });
    posted(flow, &pages, &known, sink);
}

fn collect(flow: &Flow) -> HashMap<&str, Known<'_>> {
    let mut known: HashMap<&str, Known<'_>> = HashMap::new();
    for name in flow.inputs.iter().chain(&flow.configs) {
        let one = known.entry(&name.node).or_default();
        one.open = true;
        one.mixed = true;
    }
    statements(flow, &mut |statement| {
        for name in variables(statement).assigned {
            whole(statement, name, known.entry(&name.node).or_default());
        }
        if let Some(target) = target(statement)
            && let Some(first) = target.accessors.first()
        {
            let one = known.entry(&target.base.node).or_default();
            match first {
                Accessor::Property(name) => {
                    one.keys.insert(&name.node);
                }
                _ => {
                    one.open = true;
                    one.mixed = true;
                }
            }
        }
        for name in shared(statement) {
            known.entry(name).or_default().open = true;
        }
    });
    known
}

/// A statement assigns a variable as a whole.
fn whole<'a>(statement: &'a Stmt, name: &Ident, known: &mut Known<'a>) {
    let is_target = target(statement).is_some_and(|target| target.base.span == name.span);
    match &statement.kind {
        StmtKind::Assign { value: Expr::Map(entries, _), .. } => {
            known.keys.extend(entries.iter().map(|(key, _)| key.node.as_str()));
            known.mixed = true;
        }
        StmtKind::Rrf { template, callback: false, .. } if is_target => {
            known.pages.push(template);
            known.open = true;
        }
        StmtKind::Assign { value: Expr::Simple(Simple::Null(_)), .. } => {}
        _ => {
            known.open = true;
            known.mixed = true;
        }
    }
}

/// The variables whose value a statement makes known under another name, where it may be changed.
fn shared(statement: &Stmt) -> Vec<&str> {
    let mut found = Vec::new();
    match &statement.kind {
        StmtKind::Assign { value, .. } => whole_values(value, &mut found),
        StmtKind::Trigger { args, .. } => args.iter().for_each(|arg| whole_value(arg, &mut found)),
        StmtKind::Call { callee: crate::ast::Callee::Method { object, .. }, .. } => {
            found.push(object.base.node.as_str());
        }
        _ => {}
    }
    found
}

fn whole_values<'a>(value: &'a Expr, found: &mut Vec<&'a str>) {
    match value {
        Expr::Simple(simple) => whole_value(simple, found),
        Expr::List(items, _) => items.iter().for_each(|item| whole_values(item, found)),
        Expr::Map(entries, _) => entries.iter().for_each(|(_, value)| whole_values(value, found)),
    }
}

fn whole_value<'a>(value: &'a Simple, found: &mut Vec<&'a str>) {
    if let Simple::Var(VarExpr { base, accessors, .. }) = value
        && accessors.is_empty()
    {
        found.push(&base.node);
    }
}

/// Every field that the template needs is put into the model somewhere.
fn passed(
    flow: &Flow,
    template: &StringLit,
    model: Option<&VarExpr>,
    page: &TemplateFacts,
    known: &HashMap<&str, Known<'_>>,
    sink: &mut Sink<'_>,
) {
    let none = Known::default();
    let (keys, place) = match model {
        None => (&none, template.span),
        Some(model) if model.accessors.is_empty() => {
            let Some(found) = known.get(model.base.node.as_str()).filter(|found| !found.open) else { return };
            (found, model.span)
        }
        Some(_) => return,
    };
    let path = template_path(flow, template);
    let mut told = HashSet::new();
    for field in page.reads.iter().filter(|field| !field.optional) {
        if keys.keys.contains(field.name.as_str()) || !told.insert(&field.name) {
            continue;
        }
        let message = format!("web/{path} shows {}, which the flow never passes", field.name);
        let hint = match (near(&field.name, keys.keys.iter().copied()), model) {
            (Some(key), _) => format!("the flow passes {key}: did you mean that?"),
            (None, Some(model)) => format!("set it before: {}.{} = …", model.base.node, field.name),
            (None, None) => {
                format!("pass a model: page = {{{}: …}}, and RRF {:?} page", field.name, template.node)
            }
        };
        sink.warning(Code::FieldNotPassed, place, message, hint);
    }
}

/// Every field that is read of a form is posted by one of its pages.
fn posted(
    flow: &Flow,
    pages: &HashMap<&str, TemplateFacts>,
    known: &HashMap<&str, Known<'_>>,
    sink: &mut Sink<'_>,
) {
    let mut fields: HashMap<&str, Option<BTreeSet<&str>>> = HashMap::new();
    for (name, one) in known.iter().filter(|(_, one)| !one.pages.is_empty() && !one.mixed) {
        let mut all = Some(one.keys.clone());
        for template in &one.pages {
            match pages.get(template.node.as_str()).filter(|page| !page.posts_more) {
                Some(page) => {
                    if let Some(all) = &mut all {
                        all.extend(page.posts.iter().map(|field| field.name.as_str()));
                    }
                }
                None => all = None,
            }
        }
        fields.insert(name, all);
    }
    let mut told = HashSet::new();
    let mut look = |expr: &VarExpr, sink: &mut Sink<'_>| {
        let base = expr.base.node.as_str();
        let (Some(Some(posts)), Some(Accessor::Property(field))) = (fields.get(base), expr.accessors.first())
        else {
            return;
        };
        let name = field.node.as_str();
        if posts.contains(name)
            || ALWAYS_THERE.contains(&name)
            || !told.insert((base.to_owned(), name.to_owned()))
        {
            return;
        }
        let Some(page) = known.get(base).and_then(|one| one.pages.first()) else { return };
        let path = template_path(flow, page);
        let message = format!("web/{path} posts no field {name}, so {base}.{name} is always null");
        let listed: Vec<&str> = posts.iter().copied().collect();
        let meant = near(name, listed.iter().copied());
        let hint = match (meant, listed.as_slice()) {
            (Some(other), _) => format!("did you mean {other}?"),
            (None, []) => "the page has no form field; give it one".to_owned(),
            (None, some) => format!("it posts {}", some.join(", ")),
        };
        let finding = sink.report(Code::FieldNotPosted, field.span, message, hint);
        let plain = expr.span.end == field.span.end;
        if let Some(other) = meant.filter(|_| plain) {
            finding.mend(format!("Read {other} instead"), vec![(field.span, other.to_owned())]);
        }
    };
    statements(flow, &mut |statement| {
        variables(statement).exprs.into_iter().for_each(|expr| look(expr, sink));
    });
}
