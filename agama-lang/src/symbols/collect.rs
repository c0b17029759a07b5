//! The walk over the tree.

use super::{CallSite, Definition, OutlineItem, OutlineKind, Role, Symbols, TemplateSite, TriggerSite, Use};
use crate::ast::{
    Accessor, Callee, Condition, Expr, Flow, FlowRef, Ident, LoopBody, MatchArm, Simple, Span, Stmt,
    StmtKind, VarExpr,
};

pub(super) fn collect(flow: &Flow) -> Symbols {
    let mut walk = Walk { basepath: &flow.basepath.node, found: Symbols::default() };
    if let Some(name) = &flow.configs {
        walk.define(name, Role::Configs, name.span);
    }
    for name in &flow.inputs {
        walk.define(name, Role::Input, name.span);
    }
    walk.found.outline = walk.block(&flow.body);
    walk.found
}

struct Walk<'a> {
    basepath: &'a str,
    found: Symbols,
}

impl Walk<'_> {
    fn define(&mut self, name: &Ident, role: Role, statement: Span) {
        let variable = self.found.variables.entry(name.node.clone()).or_default();
        variable.definitions.push(Definition { span: name.span, role, statement });
    }

    fn read(&mut self, name: &Ident) {
        let place = Use { span: name.span, changes: false };
        self.found.variables.entry(name.node.clone()).or_default().uses.push(place);
    }

    fn property(&mut self, variable: &str, key: &Ident) {
        let properties = &mut self.found.variables.entry(variable.to_owned()).or_default().properties;
        properties.entry(key.node.clone()).or_default().push(key.span);
    }

    fn target(&mut self, target: Option<&VarExpr>, statement: Span) {
        match target {
            Some(var) if var.accessors.is_empty() => self.define(&var.base, Role::Assigned, statement),
            Some(var) => self.var(var, true),
            None => {}
        }
    }

    fn var(&mut self, var: &VarExpr, changes: bool) {
        let place = Use { span: var.base.span, changes };
        self.found.variables.entry(var.base.node.clone()).or_default().uses.push(place);
        if let Some(Accessor::Property(key)) = var.accessors.first() {
            self.property(&var.base.node, key);
        }
        for accessor in &var.accessors {
            if let Accessor::DynamicProperty(name) | Accessor::DynamicIndex(name) = accessor {
                self.read(name);
            }
        }
    }

    fn simple(&mut self, simple: &Simple) {
        if let Simple::Var(var) | Simple::Negated(var) = simple {
            self.var(var, false);
        }
    }

    fn simples(&mut self, simples: &[Simple]) {
        simples.iter().for_each(|simple| self.simple(simple));
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Simple(simple) => self.simple(simple),
            Expr::List(items, _) => items.iter().for_each(|item| self.expr(item)),
            Expr::Map(entries, _) => entries.iter().for_each(|(_, value)| self.expr(value)),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Compare { left, right, .. } => {
                self.simple(left);
                self.simple(right);
            }
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().for_each(|part| self.condition(part));
            }
        }
    }

    fn block(&mut self, statements: &[Stmt]) -> Vec<OutlineItem> {
        statements.iter().filter_map(|statement| self.statement(statement)).collect()
    }

    /// Collects a statement; answers its entry in the outline, if it has one.
    fn statement(&mut self, statement: &Stmt) -> Option<OutlineItem> {
        let span = statement.span;
        let (kind, children) = match &statement.kind {
            StmtKind::Assign { target, value } => {
                self.target(Some(target), span);
                if let (true, Expr::Map(entries, _)) = (target.accessors.is_empty(), value) {
                    entries.iter().for_each(|(key, _)| self.property(&target.base.node, key));
                }
                self.expr(value);
                return None;
            }
            StmtKind::Log { args } => {
                self.simples(args);
                return None;
            }
            StmtKind::Finish { value } => {
                self.simple(value);
                (OutlineKind::End, Vec::new())
            }
            StmtKind::Rfac { target, url } => {
                self.target(target.as_ref(), span);
                self.simple(url);
                (OutlineKind::Redirect, Vec::new())
            }
            StmtKind::Rrf { target, model, .. } => {
                self.target(target.as_ref(), span);
                model.iter().for_each(|model| self.var(model, false));
                self.template(statement);
                (OutlineKind::Page, Vec::new())
            }
            StmtKind::Trigger { target, error, flow, args, .. } => {
                self.target(target.as_ref(), span);
                error.iter().for_each(|error| self.define(error, Role::Error, span));
                self.trigger(flow, args, span);
                (OutlineKind::Subflow, Vec::new())
            }
            StmtKind::Call { target, error, callee, args } => {
                self.target(target.as_ref(), span);
                error.iter().for_each(|error| self.define(error, Role::Error, span));
                self.call(callee, span);
                self.simples(args);
                (OutlineKind::Call, Vec::new())
            }
            StmtKind::When { condition, then, otherwise } => {
                self.condition(condition);
                let mut children = self.block(then);
                children.extend(self.block(otherwise));
                (OutlineKind::Condition, children)
            }
            StmtKind::Match { subject, arms, otherwise } => {
                self.simple(subject);
                let mut children: Vec<OutlineItem> = arms.iter().map(|arm| self.arm(arm)).collect();
                children.extend(self.block(otherwise));
                (OutlineKind::Choice, children)
            }
            StmtKind::Repeat { target, count, body } => {
                self.target(target.as_ref(), span);
                self.simple(count);
                (OutlineKind::Loop, self.loop_body(body))
            }
            StmtKind::Iterate { target, over, item, body } => {
                self.target(target.as_ref(), span);
                self.var(over, false);
                self.define(item, Role::LoopItem, span);
                (OutlineKind::Loop, self.loop_body(body))
            }
        };
        let whole = Span { start: span.start, end: end_of(statement) };
        Some(OutlineItem { kind, span, whole, children })
    }

    fn loop_body(&mut self, body: &LoopBody) -> Vec<OutlineItem> {
        let mut children = self.block(&body.before);
        if let Some(quit) = &body.quit {
            self.condition(&quit.condition);
            children.extend(self.block(&quit.after));
        }
        children
    }

    fn arm(&mut self, arm: &MatchArm) -> OutlineItem {
        self.simple(&arm.label);
        let span = simple_span(&arm.label);
        let whole = Span { start: span.start, end: end_of_block(&arm.body).max(span.end) };
        OutlineItem { kind: OutlineKind::Label, span, whole, children: self.block(&arm.body) }
    }

    fn template(&mut self, statement: &Stmt) {
        let StmtKind::Rrf { target, template, model, .. } = &statement.kind else { return };
        let path = if self.basepath.is_empty() {
            template.node.clone()
        } else {
            format!("{}/{}", self.basepath, template.node)
        };
        let plain = |var: &VarExpr| var.accessors.is_empty().then(|| var.base.node.clone());
        self.found.templates.push(TemplateSite {
            template: template.clone(),
            path,
            target: target.as_ref().and_then(plain),
            model: model.as_ref().and_then(plain),
            span: statement.span,
        });
    }

    fn trigger(&mut self, flow: &FlowRef, args: &[Simple], span: Span) {
        match flow {
            FlowRef::Variable(var) => self.var(var, false),
            FlowRef::Name(name) => {
                let site = TriggerSite { flow: name.clone(), arguments: args.len(), span };
                self.found.triggers.push(site);
            }
        }
        self.simples(args);
    }

    fn call(&mut self, callee: &Callee, span: Span) {
        match callee {
            Callee::Method { object, .. } => self.var(object, false),
            Callee::Static { package, function } => {
                let site = CallSite { package: package.clone(), function: function.clone(), span };
                self.found.calls.push(site);
            }
        }
    }
}

fn simple_span(simple: &Simple) -> Span {
    match simple {
        Simple::String(text) => text.span,
        Simple::Number(number) => number.span,
        Simple::Bool(value) => value.span,
        Simple::Null(span) => *span,
        Simple::Var(var) | Simple::Negated(var) => var.span,
    }
}

fn end_of_block(statements: &[Stmt]) -> u32 {
    statements.last().map_or(0, end_of)
}

/// Where the last line of a statement and all that is inside it ends.
fn end_of(statement: &Stmt) -> u32 {
    let inside = match &statement.kind {
        StmtKind::Trigger { overrides, .. } => overrides.last().map_or(0, |pair| pair.replacement.span.end),
        StmtKind::When { then, otherwise, .. } => end_of_block(then).max(end_of_block(otherwise)),
        StmtKind::Match { arms, otherwise, .. } => {
            arms.last().map_or(0, |arm| end_of_block(&arm.body)).max(end_of_block(otherwise))
        }
        StmtKind::Repeat { body, .. } | StmtKind::Iterate { body, .. } => {
            let quit = body.quit.as_ref();
            let after = quit.map_or(0, |quit| end_of_block(&quit.after).max(quit.span.end));
            end_of_block(&body.before).max(after)
        }
        _ => 0,
    };
    inside.max(statement.span.end)
}
