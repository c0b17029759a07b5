//! From the syntax tree to nodes and edges.

use super::{Branch, Edge, Ending, Graph, Item, Kind, Node, words};
use crate::ast::{Callee, Expr, Flow, FlowRef, Ident, LoopBody, Simple, Span, Stmt, StmtKind, VarExpr};

/// Assignments shown of one run of them.
const MOST_STEPS: usize = 3;
/// Characters that fit into a line of details.
const DETAIL: usize = 30;

pub(super) fn graph(flow: &Flow) -> Graph {
    let mut builder = Builder { flow, nodes: Vec::new() };
    let inputs: Vec<&str> = flow.inputs.iter().map(|input| input.node.as_str()).collect();
    let details = if inputs.is_empty() { Vec::new() } else { vec![inputs.join(" ")] };
    let start = builder.node(Kind::Start, flow.name.node.clone(), details, flow.name.span);
    let mut items = vec![Item::Node(start)];
    items.extend(builder.block(&flow.body));
    let mut wiring = Wiring { edges: Vec::new(), quits: Vec::new(), nodes: &builder.nodes };
    let loose = wiring.block(&items, Vec::new());
    let mut edges = wiring.edges;
    if !loose.is_empty() {
        let span = flow.body.last().map_or(flow.name.span, |last| last.span);
        let end = builder.node(Kind::NoFinish, "ends without Finish".to_owned(), Vec::new(), span);
        edges.extend(loose.into_iter().map(|(from, label)| Edge { from, to: end, label, back: false }));
        items.push(Item::Node(end));
    }
    Graph { name: flow.name.node.clone(), nodes: builder.nodes, edges, items }
}

struct Builder<'a> {
    flow: &'a Flow,
    nodes: Vec<Node>,
}

impl<'a> Builder<'a> {
    fn node(&mut self, kind: Kind, title: String, details: Vec<String>, span: Span) -> usize {
        self.nodes.push(Node { kind, title, details, span, line: None });
        self.nodes.len() - 1
    }

    fn block(&mut self, statements: &'a [Stmt]) -> Vec<Item> {
        let mut items = Vec::new();
        let mut rest = statements;
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|statement| is_step(statement)).count();
            let (steps, after) = rest.split_at(run.max(1));
            rest = after;
            if run > 0 {
                items.extend(self.steps(steps).map(Item::Node));
            } else {
                items.push(self.item(first));
            }
        }
        if let (true, Some(first)) = (items.is_empty(), statements.first()) {
            // A way with nothing but log lines on it is shown as such.
            let text = statements.iter().find_map(log_text).unwrap_or_default();
            let text = words::shortened(&text, DETAIL);
            items.push(Item::Node(self.node(Kind::Steps, String::new(), vec![text], first.span)));
        }
        items
    }

    fn steps(&mut self, steps: &[Stmt]) -> Option<usize> {
        let lines: Vec<(String, Span)> = steps
            .iter()
            .filter_map(|step| match &step.kind {
                StmtKind::Assign { target, value } => Some((assignment(target, value), step.span)),
                _ => None,
            })
            .collect();
        let (_, span) = lines.first()?;
        let span = *span;
        let more = lines.len().saturating_sub(MOST_STEPS);
        let shown = if more > 1 { MOST_STEPS } else { lines.len() };
        let total = lines.len();
        let mut details: Vec<String> = lines.into_iter().take(shown).map(|(text, _)| text).collect();
        if total > shown {
            details.push(format!("… {} more", total - shown));
        }
        Some(self.node(Kind::Steps, String::new(), details, span))
    }

    fn item(&mut self, statement: &'a Stmt) -> Item {
        let span = statement.span;
        match &statement.kind {
            StmtKind::When { condition, then, otherwise } => {
                let node = self.node(Kind::Decision, words::condition(condition), Vec::new(), span);
                let branches = vec![Branch { label: "yes".to_owned(), items: self.block(then) }];
                Item::Choice { node, branches, otherwise: self.block(otherwise), straight: "no".to_owned() }
            }
            StmtKind::Match { subject, arms, otherwise } => {
                let node = self.node(Kind::Match, words::simple(subject), Vec::new(), span);
                let mut branches = Vec::with_capacity(arms.len());
                for arm in arms {
                    let label = words::shortened(&words::simple(&arm.label), 24);
                    branches.push(Branch { label, items: self.block(&arm.body) });
                }
                let straight = "otherwise".to_owned();
                Item::Choice { node, branches, otherwise: self.block(otherwise), straight }
            }
            StmtKind::Repeat { target, count, body } => {
                let count = words::simple(count);
                let title = format!("Repeat {count} times max");
                let node = self.node(Kind::Loop, title, rounds(target.as_ref()), span);
                Item::Loop { node, body: self.body(body), out: "rounds used up".to_owned() }
            }
            StmtKind::Iterate { target, over, item, body } => {
                let title = format!("For each {} in {}", item.node, words::var(over));
                let node = self.node(Kind::Loop, title, rounds(target.as_ref()), span);
                Item::Loop { node, body: self.body(body), out: "none left".to_owned() }
            }
            _ => Item::Node(self.leaf(statement)),
        }
    }

    fn body(&mut self, body: &'a LoopBody) -> Vec<Item> {
        let mut items = self.block(&body.before);
        if let Some(quit) = &body.quit {
            let title = words::condition(&quit.condition);
            let node = self.node(Kind::Decision, title, Vec::new(), quit.span);
            let leave = self.node(Kind::Quit, "Quit the loop".to_owned(), Vec::new(), quit.span);
            let branches = vec![Branch { label: "yes".to_owned(), items: vec![Item::Node(leave)] }];
            let straight = "no".to_owned();
            items.push(Item::Choice { node, branches, otherwise: Vec::new(), straight });
            if !quit.after.is_empty() {
                items.extend(self.block(&quit.after));
            }
        }
        items
    }

    /// A statement with none inside it.
    fn leaf(&mut self, statement: &Stmt) -> usize {
        let span = statement.span;
        match &statement.kind {
            StmtKind::Rrf { target, template, model, callback } => {
                let mut details =
                    passing(model.as_ref().map(words::var).unwrap_or_default(), target.as_ref(), None);
                if *callback {
                    details.push("or the callback".to_owned());
                }
                self.node(Kind::Page, template.node.clone(), details, span)
            }
            StmtKind::Rfac { target, url } => {
                let details = passing(String::new(), target.as_ref(), None);
                self.node(Kind::Redirect, words::simple(url), details, span)
            }
            StmtKind::Call { target, error, callee, args } => {
                let title = match callee {
                    Callee::Static { package, function } => format!("{}#{}", package.node, function.node),
                    Callee::Method { object, method } => format!("{} {}", words::var(object), method.node),
                };
                let details = passing(words::simples(args), target.as_ref(), error.as_ref());
                self.node(Kind::Call, title, details, span)
            }
            StmtKind::Trigger { target, error, flow, args, overrides } => {
                let title = match flow {
                    FlowRef::Name(name) => name.node.clone(),
                    FlowRef::Variable(name) => format!("${}", words::var(name)),
                };
                let mut details = passing(words::simples(args), target.as_ref(), error.as_ref());
                match overrides.len() {
                    0 => {}
                    1 => details.push("1 page overridden".to_owned()),
                    several => details.push(format!("{several} pages overridden")),
                }
                self.node(Kind::Subflow, title, details, span)
            }
            StmtKind::Finish { value } => {
                let title = format!("Finish {}", words::simple(value));
                self.node(Kind::Finish(self.ending(value)), title, Vec::new(), span)
            }
            _ => self.node(Kind::Steps, String::new(), Vec::new(), span),
        }
    }

    /// A variable that is only ever assigned maps with one same `success` ends the way it says.
    fn ending(&self, value: &Simple) -> Ending {
        let of = |success| if success { Ending::Success } else { Ending::Failure };
        match value {
            Simple::String(_) => Ending::Success,
            Simple::Bool(value) => of(value.node),
            Simple::Var(var) if var.accessors.is_empty() => {
                let mut values = Vec::new();
                assigned(&self.flow.body, &var.base.node, &mut values);
                let first = values.first().copied().flatten();
                match first {
                    Some(success) if values.iter().all(|value| *value == first) => of(success),
                    _ => Ending::Depends,
                }
            }
            _ => Ending::Depends,
        }
    }
}

fn is_step(statement: &Stmt) -> bool {
    matches!(statement.kind, StmtKind::Assign { .. } | StmtKind::Log { .. })
}

fn log_text(statement: &Stmt) -> Option<String> {
    match &statement.kind {
        StmtKind::Log { args } => Some(format!("Log {}", words::simples(args))),
        _ => None,
    }
}

fn rounds(target: Option<&VarExpr>) -> Vec<String> {
    target.map(|target| format!("rounds → {}", words::var(target))).into_iter().collect()
}

/// An assignment in one line; of a map that is too long for it the keys.
fn assignment(target: &VarExpr, value: &Expr) -> String {
    let text = format!("{} = {}", words::var(target), words::expr(value));
    let text = match value {
        Expr::Map(entries, _) if text.chars().count() > DETAIL => {
            let keys: Vec<&str> = entries.iter().map(|(key, _)| key.node.as_str()).collect();
            format!("{} = {{{}}}", words::var(target), keys.join(", "))
        }
        _ => text,
    };
    words::shortened(&text, DETAIL)
}

/// What goes in and what comes out: `a b → x | E`, on two lines if need be.
fn passing(given: String, target: Option<&VarExpr>, error: Option<&Ident>) -> Vec<String> {
    let mut out = target.map(|target| format!("→ {}", words::var(target))).unwrap_or_default();
    if let Some(error) = error {
        out = format!("{out} | {}", error.node).trim_start().to_owned();
    }
    let whole = format!("{given} {out}").trim().to_owned();
    let lines = if whole.chars().count() <= DETAIL { vec![whole] } else { vec![given, out] };
    lines.iter().map(|line| words::shortened(line, DETAIL)).filter(|line| !line.is_empty()).collect()
}

/// For each assignment of a variable: the constant `success` of the map it is given, if it is given one.
fn assigned(statements: &[Stmt], name: &str, found: &mut Vec<Option<bool>>) {
    for statement in statements {
        let target = match &statement.kind {
            StmtKind::Assign { target, value } => {
                if target.base.node == name {
                    let whole = target.accessors.is_empty();
                    let success = constant_success(value).filter(|_| whole);
                    let other_part = !whole
                        && !matches!(target.accessors.first(), Some(crate::ast::Accessor::Property(key)) if key.node == "success");
                    if !other_part {
                        found.push(success);
                    }
                }
                None
            }
            StmtKind::Rfac { target, .. } | StmtKind::Rrf { target, .. } => target.as_ref(),
            StmtKind::Trigger { target, error, .. } | StmtKind::Call { target, error, .. } => {
                if error.as_ref().is_some_and(|error| error.node == name) {
                    found.push(None);
                }
                target.as_ref()
            }
            StmtKind::When { then, otherwise, .. } => {
                assigned(then, name, found);
                assigned(otherwise, name, found);
                None
            }
            StmtKind::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| assigned(&arm.body, name, found));
                assigned(otherwise, name, found);
                None
            }
            StmtKind::Repeat { target, body, .. } | StmtKind::Iterate { target, body, .. } => {
                assigned(&body.before, name, found);
                if let Some(quit) = &body.quit {
                    assigned(&quit.after, name, found);
                }
                target.as_ref()
            }
            StmtKind::Log { .. } | StmtKind::Finish { .. } => None,
        };
        if target.is_some_and(|target| target.base.node == name) {
            found.push(None);
        }
    }
}

fn constant_success(value: &Expr) -> Option<bool> {
    let Expr::Map(entries, _) = value else { return None };
    entries.iter().rev().find(|(key, _)| key.node == "success").and_then(|(_, value)| match value {
        Expr::Simple(Simple::Bool(value)) => Some(value.node),
        _ => None,
    })
}

/// A way that leads nowhere yet: from which node, and its label.
type Loose = (usize, String);

struct Wiring<'a> {
    edges: Vec<Edge>,
    /// The `Quit` nodes of each open loop.
    quits: Vec<Vec<usize>>,
    nodes: &'a [Node],
}

impl Wiring<'_> {
    fn arrive(&mut self, loose: Vec<Loose>, to: usize, back: bool) {
        self.edges.extend(loose.into_iter().map(|(from, label)| Edge { from, to, label, back }));
    }

    fn block(&mut self, items: &[Item], mut loose: Vec<Loose>) -> Vec<Loose> {
        for item in items {
            loose = self.item(item, loose);
        }
        loose
    }

    fn item(&mut self, item: &Item, loose: Vec<Loose>) -> Vec<Loose> {
        match item {
            Item::Node(node) => {
                self.arrive(loose, *node, false);
                match self.nodes.get(*node).map(|node| node.kind) {
                    Some(Kind::Finish(_) | Kind::NoFinish) => Vec::new(),
                    Some(Kind::Quit) => {
                        if let Some(open) = self.quits.last_mut() {
                            open.push(*node);
                        }
                        Vec::new()
                    }
                    _ => vec![(*node, String::new())],
                }
            }
            Item::Choice { node, branches, otherwise, straight } => {
                self.arrive(loose, *node, false);
                let mut out = self.block(otherwise, vec![(*node, straight.clone())]);
                for branch in branches {
                    out.extend(self.block(&branch.items, vec![(*node, branch.label.clone())]));
                }
                out
            }
            Item::Loop { node, body, out } => {
                self.arrive(loose, *node, false);
                self.quits.push(Vec::new());
                let again = self.block(body, vec![(*node, String::new())]);
                self.arrive(again, *node, true);
                let quits = self.quits.pop().unwrap_or_default();
                let mut ways = vec![(*node, out.clone())];
                ways.extend(quits.into_iter().map(|quit| (quit, String::new())));
                ways
            }
        }
    }
}
