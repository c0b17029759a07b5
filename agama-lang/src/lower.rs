//! From the syntax tree to instructions.

use std::collections::{HashMap, HashSet};

use crate::ast::{
    Accessor, Callee, Condition, Expr, Flow, FlowRef, Ident, LoopBody, Simple, Span, Stmt, StmtKind, VarExpr,
};
use crate::ir::{Access, Body, CalleeName, FlowName, IDX, Instruction, Operand, Path, Program};
use crate::source::{LineIndex, to_u32};

/// Compiles a checked flow.
pub fn lower(flow: &Flow, source: &str) -> Program {
    let mut lowering = Lowering {
        lines: LineIndex::new(source),
        slots: HashMap::new(),
        assigned: HashSet::from([IDX]),
        body: Body {
            name: flow.name.node.clone(),
            basepath: flow.basepath.node.clone(),
            timeout_seconds: flow.timeout_seconds.as_ref().map(|timeout| timeout.node),
            configs: None,
            inputs: flow.inputs.iter().map(|input| input.node.clone()).collect(),
            variables: Vec::new(),
            unassigned: Vec::new(),
            code: Vec::new(),
            lines: Vec::new(),
        },
    };
    for input in &flow.inputs {
        lowering.assigned(&input.node);
    }
    lowering.body.configs = flow.configs.as_ref().map(|configs| lowering.assigned(&configs.node));
    lowering.statements(&flow.body);
    let end = Span { start: to_u32(source.len()), end: to_u32(source.len()) };
    lowering.emit(Instruction::NoFinish, end);
    let slots = 0..to_u32(lowering.body.variables.len());
    lowering.body.unassigned = slots.filter(|slot| !lowering.assigned.contains(slot)).collect();
    Program::new(lowering.body)
}

struct Lowering<'a> {
    lines: LineIndex<'a>,
    slots: HashMap<String, u32>,
    /// Slots that something assigns.
    assigned: HashSet<u32>,
    body: Body,
}

impl Lowering<'_> {
    fn here(&self) -> u32 {
        to_u32(self.body.code.len())
    }

    fn emit(&mut self, instruction: Instruction, span: Span) -> u32 {
        let at = self.here();
        self.body.code.push(instruction);
        self.body.lines.push(self.lines.line_column(span.start).0);
        at
    }

    /// Points a jump emitted earlier to here.
    fn land(&mut self, at: u32) {
        let here = self.here();
        let index = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(
            Instruction::JumpUnless { to, .. } | Instruction::Jump(to) | Instruction::Next { exit: to, .. },
        ) = self.body.code.get_mut(index)
        {
            *to = here;
        }
    }

    fn slot(&mut self, name: &str) -> u32 {
        if name == "idx" {
            return IDX;
        }
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        let slot = to_u32(self.body.variables.len());
        self.body.variables.push(name.to_owned());
        self.slots.insert(name.to_owned(), slot);
        slot
    }

    /// The slot of a variable that is assigned as a whole.
    fn assigned(&mut self, name: &str) -> u32 {
        let slot = self.slot(name);
        self.assigned.insert(slot);
        slot
    }

    fn path(&mut self, var: &VarExpr) -> Path {
        let slot = self.slot(&var.base.node);
        let accessors = var
            .accessors
            .iter()
            .map(|accessor| match accessor {
                Accessor::Property(name) => Access::Name(name.node.as_str().into()),
                Accessor::DynamicProperty(name) => Access::NameIn(self.slot(&name.node)),
                Accessor::Index(index) => Access::Index(index.node),
                Accessor::DynamicIndex(name) => Access::IndexIn(self.slot(&name.node)),
            })
            .collect();
        Path { slot, accessors }
    }

    fn target(&mut self, target: Option<&VarExpr>) -> Option<Path> {
        target.map(|var| self.goal(var))
    }

    /// Where a value goes.
    fn goal(&mut self, var: &VarExpr) -> Path {
        let path = self.path(var);
        if path.accessors.is_empty() {
            self.assigned.insert(path.slot);
        }
        path
    }

    fn error(&mut self, error: Option<&Ident>) -> Option<u32> {
        error.map(|name| self.assigned(&name.node))
    }

    fn simple(&mut self, simple: &Simple) -> Operand {
        match simple {
            Simple::String(text) => Operand::Text(text.node.as_str().into()),
            Simple::Number(number) => Operand::Number(number.node),
            Simple::Bool(b) => Operand::Bool(b.node),
            Simple::Null(_) => Operand::Null,
            Simple::Var(var) => Operand::Variable(self.path(var)),
            Simple::Negated(var) => Operand::Negated(self.path(var)),
        }
    }

    fn simples(&mut self, simples: &[Simple]) -> Vec<Operand> {
        simples.iter().map(|simple| self.simple(simple)).collect()
    }

    fn expr(&mut self, expr: &Expr) -> Operand {
        match expr {
            Expr::Simple(simple) => self.simple(simple),
            Expr::List(items, _) => Operand::List(items.iter().map(|item| self.expr(item)).collect()),
            Expr::Map(entries, _) => Operand::Map(
                entries.iter().map(|(key, value)| (key.node.as_str().into(), self.expr(value))).collect(),
            ),
        }
    }

    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        let span = statement.span;
        match &statement.kind {
            StmtKind::When { condition, then, otherwise } => {
                let misses = self.condition(condition, span);
                self.branch(misses, then, otherwise, span);
            }
            StmtKind::Match { subject, arms, otherwise } => self.match_(subject, arms, otherwise, span),
            StmtKind::Repeat { target, count, body } => {
                let count = self.simple(count);
                self.emit(Instruction::BeginRepeat { count }, span);
                self.loop_(target.as_ref(), None, body, span);
            }
            StmtKind::Iterate { target, over, item, body } => {
                let over = self.path(over);
                self.emit(Instruction::BeginIterate { over }, span);
                let item = self.assigned(&item.node);
                self.loop_(target.as_ref(), Some(item), body, span);
            }
            other => {
                let instruction = self.straight(other);
                self.emit(instruction, span);
            }
        }
    }

    /// Statements that are one instruction.
    fn straight(&mut self, kind: &StmtKind) -> Instruction {
        match kind {
            StmtKind::Assign { target, value } => {
                let target = self.goal(target);
                Instruction::Assign { target, value: self.expr(value) }
            }
            StmtKind::Log { args } => Instruction::Log { args: self.simples(args) },
            StmtKind::Finish { value } => Instruction::Finish { value: self.simple(value) },
            StmtKind::Rfac { target, url } => {
                Instruction::Redirect { target: self.target(target.as_ref()), url: self.simple(url) }
            }
            StmtKind::Rrf { target, template, model, callback } => Instruction::Render {
                target: self.target(target.as_ref()),
                template: template.node.clone(),
                model: model.as_ref().map(|model| self.path(model)),
                callback: *callback,
            },
            StmtKind::Trigger { target, error, flow, args, overrides } => Instruction::Trigger {
                target: self.target(target.as_ref()),
                error: self.error(error.as_ref()),
                flow: match flow {
                    FlowRef::Name(name) => FlowName::Literal(name.node.clone()),
                    FlowRef::Variable(var) => FlowName::Variable(self.path(var)),
                },
                args: self.simples(args),
                overrides: overrides
                    .iter()
                    .map(|pair| (pair.original.node.clone(), pair.replacement.node.clone()))
                    .collect(),
            },
            StmtKind::Call { target, error, callee, args } => Instruction::Call {
                target: self.target(target.as_ref()),
                error: self.error(error.as_ref()),
                callee: match callee {
                    Callee::Static { package, function } => {
                        CalleeName::Static { package: package.node.clone(), function: function.node.clone() }
                    }
                    Callee::Method { object, method } => {
                        CalleeName::Method { object: self.path(object), method: method.node.clone() }
                    }
                },
                args: self.simples(args),
            },
            StmtKind::When { .. }
            | StmtKind::Match { .. }
            | StmtKind::Repeat { .. }
            | StmtKind::Iterate { .. } => Instruction::NoFinish,
        }
    }

    /// Emits a condition; falls through when it holds. Answers the jumps taken when it does not.
    fn condition(&mut self, condition: &Condition, span: Span) -> Vec<u32> {
        match condition {
            Condition::Compare { left, right, negated, span } => {
                let (left, right) = (self.simple(left), self.simple(right));
                vec![self.emit(Instruction::JumpUnless { left, right, negated: *negated, to: 0 }, *span)]
            }
            Condition::And(parts) => parts.iter().flat_map(|part| self.condition(part, span)).collect(),
            Condition::Or(parts) => {
                let mut hits = Vec::new();
                let mut misses = Vec::new();
                for (number, part) in parts.iter().enumerate() {
                    for miss in std::mem::take(&mut misses) {
                        self.land(miss);
                    }
                    misses = self.condition(part, span);
                    if number + 1 < parts.len() {
                        hits.push(self.emit(Instruction::Jump(0), span));
                    }
                }
                for hit in hits {
                    self.land(hit);
                }
                misses
            }
        }
    }

    fn branch(&mut self, misses: Vec<u32>, then: &[Stmt], otherwise: &[Stmt], span: Span) {
        self.statements(then);
        let leave = (!otherwise.is_empty()).then(|| self.emit(Instruction::Jump(0), span));
        for miss in misses {
            self.land(miss);
        }
        self.statements(otherwise);
        if let Some(leave) = leave {
            self.land(leave);
        }
    }

    fn match_(&mut self, subject: &Simple, arms: &[crate::ast::MatchArm], otherwise: &[Stmt], span: Span) {
        let mut leave = Vec::new();
        for arm in arms {
            let (left, right) = (self.simple(subject), self.simple(&arm.label));
            // A literal can't go wrong: what does is the subject.
            let label = match &arm.label {
                Simple::Var(var) | Simple::Negated(var) => var.span,
                _ => span,
            };
            let miss = self.emit(Instruction::JumpUnless { left, right, negated: false, to: 0 }, label);
            self.statements(&arm.body);
            leave.push(self.emit(Instruction::Jump(0), span));
            self.land(miss);
        }
        self.statements(otherwise);
        for jump in leave {
            self.land(jump);
        }
    }

    fn loop_(&mut self, target: Option<&VarExpr>, item: Option<u32>, body: &LoopBody, span: Span) {
        let next = self.emit(Instruction::Next { item, exit: 0 }, span);
        self.statements(&body.before);
        let mut quits = None;
        if let Some(quit) = &body.quit {
            let misses = self.condition(&quit.condition, quit.span);
            quits = Some(self.emit(Instruction::Jump(0), quit.span));
            for miss in misses {
                self.land(miss);
            }
            self.statements(&quit.after);
        }
        self.emit(Instruction::Again(next), span);
        self.land(next);
        if let Some(quit) = quits {
            self.land(quit);
        }
        let target = self.target(target);
        self.emit(Instruction::EndLoop { target }, span);
    }
}
