//! Visiting every statement of a flow, and the variables that a statement reads and writes.

use crate::ast::{
    Accessor, Callee, Condition, Expr, Flow, FlowRef, Ident, LoopBody, Simple, Span, Stmt, StmtKind, VarExpr,
};

/// Visits every statement, outer before inner.
pub(super) fn statements<'a>(flow: &'a Flow, visit: &mut dyn FnMut(&'a Stmt)) {
    within(&flow.body, visit);
}

/// Visits every statement of a block and of the blocks in it, outer before inner.
pub(super) fn within<'a>(block: &'a [Stmt], visit: &mut dyn FnMut(&'a Stmt)) {
    lists(block, &mut |block| block.iter().for_each(&mut *visit));
}

/// The flows that a flow Triggers by name, each once. Answers [`super::facts::Facts::triggers`] for a parsed flow.
pub fn triggers(flow: &Flow) -> Vec<String> {
    let mut found = Vec::new();
    statements(flow, &mut |statement| {
        if let StmtKind::Trigger { flow: FlowRef::Name(name), .. } = &statement.kind {
            found.push(name.node.clone());
        }
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// The logical lines of a flow: headers of statements, and the `Quit`s, in the order of the source.
pub(crate) fn lines(flow: &Flow) -> Vec<Span> {
    let mut found = Vec::new();
    statements(flow, &mut |statement| {
        found.push(statement.span);
        if let StmtKind::Repeat { body, .. } | StmtKind::Iterate { body, .. } = &statement.kind {
            found.extend(body.quit.as_ref().map(|quit| quit.span));
        }
    });
    found.sort_unstable_by_key(|span| span.start);
    found
}

/// Visits every block: the flow's body, and those of its statements.
pub(super) fn blocks<'a>(flow: &'a Flow, visit: &mut dyn FnMut(&'a [Stmt])) {
    lists(&flow.body, visit);
}

fn lists<'a>(statements: &'a [Stmt], visit: &mut dyn FnMut(&'a [Stmt])) {
    visit(statements);
    for statement in statements {
        match &statement.kind {
            StmtKind::When { then, otherwise, .. } => {
                lists(then, visit);
                lists(otherwise, visit);
            }
            StmtKind::Match { arms, otherwise, .. } => {
                for arm in arms {
                    lists(&arm.body, visit);
                }
                lists(otherwise, visit);
            }
            StmtKind::Repeat { body, .. } | StmtKind::Iterate { body, .. } => {
                lists(&body.before, visit);
                if let Some(quit) = &body.quit {
                    lists(&quit.after, visit);
                }
            }
            _ => {}
        }
    }
}

/// The variables of one statement, without those of the statements inside it.
#[derive(Default)]
pub(super) struct Variables<'a> {
    /// Names that the statement assigns as a whole.
    pub(super) assigned: Vec<&'a Ident>,
    /// Names that it reads.
    pub(super) read: Vec<&'a Ident>,
    /// Names of which it assigns a part.
    pub(super) changed: Vec<&'a Ident>,
    /// The expressions that it reads.
    pub(super) exprs: Vec<&'a VarExpr>,
}

/// The variables of a comparison.
pub(super) fn compared<'a>(left: &'a Simple, right: &'a Simple) -> Variables<'a> {
    let mut found = Variables::default();
    found.simple(left);
    found.simple(right);
    found
}

/// What a statement assigns its result to.
pub(super) fn target(statement: &Stmt) -> Option<&VarExpr> {
    match &statement.kind {
        StmtKind::Assign { target, .. } => Some(target),
        StmtKind::Rfac { target, .. }
        | StmtKind::Rrf { target, .. }
        | StmtKind::Trigger { target, .. }
        | StmtKind::Call { target, .. }
        | StmtKind::Repeat { target, .. }
        | StmtKind::Iterate { target, .. } => target.as_ref(),
        _ => None,
    }
}

/// Collects the variables of a statement.
pub(super) fn variables(statement: &Stmt) -> Variables<'_> {
    let mut found = Variables::default();
    match &statement.kind {
        StmtKind::Assign { target, value } => {
            found.target(Some(target));
            found.expr(value);
        }
        StmtKind::Log { args } => found.simples(args),
        StmtKind::Finish { value } => found.simple(value),
        StmtKind::Rfac { target, url } => {
            found.target(target.as_ref());
            found.simple(url);
        }
        StmtKind::Rrf { target, model, .. } => {
            found.target(target.as_ref());
            if let Some(model) = model {
                found.var(model);
            }
        }
        StmtKind::Trigger { target, error, flow, args, .. } => {
            found.target(target.as_ref());
            found.assigned.extend(error);
            if let FlowRef::Variable(var) = flow {
                found.var(var);
            }
            found.simples(args);
        }
        StmtKind::Call { target, error, callee, args } => {
            found.target(target.as_ref());
            found.assigned.extend(error);
            if let Callee::Method { object, .. } = callee {
                found.var(object);
            }
            found.simples(args);
        }
        StmtKind::When { condition, .. } => found.condition(condition),
        StmtKind::Match { subject, arms, .. } => {
            found.simple(subject);
            for arm in arms {
                found.simple(&arm.label);
            }
        }
        StmtKind::Repeat { target, count, body } => {
            found.target(target.as_ref());
            found.simple(count);
            found.quit(body);
        }
        StmtKind::Iterate { target, over, item, body } => {
            found.target(target.as_ref());
            found.var(over);
            found.assigned.push(item);
            found.quit(body);
        }
    }
    found
}

impl<'a> Variables<'a> {
    fn target(&mut self, target: Option<&'a VarExpr>) {
        match target {
            Some(var) if var.accessors.is_empty() => self.assigned.push(&var.base),
            Some(var) => {
                self.changed.push(&var.base);
                self.accessors(var);
            }
            None => {}
        }
    }

    fn var(&mut self, var: &'a VarExpr) {
        self.read.push(&var.base);
        self.exprs.push(var);
        self.accessors(var);
    }

    fn accessors(&mut self, var: &'a VarExpr) {
        for accessor in &var.accessors {
            if let Accessor::DynamicProperty(name) | Accessor::DynamicIndex(name) = accessor {
                self.read.push(name);
            }
        }
    }

    fn simple(&mut self, simple: &'a Simple) {
        if let Simple::Var(var) | Simple::Negated(var) = simple {
            self.var(var);
        }
    }

    fn simples(&mut self, simples: &'a [Simple]) {
        for simple in simples {
            self.simple(simple);
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Simple(simple) => self.simple(simple),
            Expr::List(items, _) => items.iter().for_each(|item| self.expr(item)),
            Expr::Map(entries, _) => entries.iter().for_each(|(_, value)| self.expr(value)),
        }
    }

    fn condition(&mut self, condition: &'a Condition) {
        match condition {
            Condition::Compare { left, right, .. } => {
                self.simple(left);
                self.simple(right);
            }
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().for_each(|part| self.condition(part))
            }
        }
    }

    fn quit(&mut self, body: &'a LoopBody) {
        if let Some(quit) = &body.quit {
            self.condition(&quit.condition);
        }
    }
}
