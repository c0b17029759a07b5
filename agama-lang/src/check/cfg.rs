//! The control-flow graph of a flow: what can follow what.
//!
//! It is built from the end backwards, so that what follows is always known. A condition becomes one node for each of its
//! comparisons. A loop with a literal count runs at least once, and is entered behind its head.

use super::walk::{compared, variables};
use crate::ast::{Condition, Flow, Ident, LoopBody, Simple, Span, Stmt, StmtKind, VarExpr};
use crate::source::to_u32;

/// A node of the graph.
pub(super) type NodeId = u32;

/// No node.
const NONE: NodeId = NodeId::MAX;

/// What a node stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// The end of the file: the run crashes.
    End,
    /// A statement without blocks.
    Plain(&'a Stmt),
    /// A comparison: of a `When`, a `Quit` or an arm of a `Match`.
    Test {
        /// Left side, or the subject of a `Match`.
        left: &'a Simple,
        /// Right side, or the label.
        right: &'a Simple,
        /// `is not`.
        negated: bool,
    },
    /// The head of a loop: another round, or the end.
    Round(&'a Stmt),
    /// A loop is over; its target is assigned.
    Over(&'a Stmt),
}

/// One node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) kind: Kind<'a>,
    /// The line it belongs to: the header of its statement, or its `Quit`.
    pub(super) line: Span,
    /// What it is within that line.
    pub(super) span: Span,
    /// Where it goes on: when the comparison holds, with another round, or simply.
    yes: NodeId,
    /// Where it goes on otherwise.
    no: NodeId,
}

/// The graph of one flow.
pub(super) struct Cfg<'a> {
    nodes: Vec<Node<'a>>,
    start: NodeId,
    end: NodeId,
    /// The reachable nodes, each before what it leads to, loops aside.
    order: Vec<NodeId>,
    reached: Vec<bool>,
    /// What each node reads: whole expressions, and single names with those inside accessors.
    reads: Vec<(Vec<&'a VarExpr>, Vec<&'a Ident>)>,
}

impl<'a> Cfg<'a> {
    pub(super) fn of(flow: &'a Flow) -> Self {
        let mut cfg = Self {
            nodes: Vec::new(),
            start: NONE,
            end: NONE,
            order: Vec::new(),
            reached: Vec::new(),
            reads: Vec::new(),
        };
        let last = flow.body.last().map_or(flow.name.span, |statement| statement.span);
        cfg.end = cfg.add(Kind::End, last, last, NONE, NONE);
        cfg.start = cfg.block(&flow.body, cfg.end);
        cfg.sort();
        cfg.reads = cfg.nodes.iter().map(|node| reads(node.kind)).collect();
        cfg
    }

    /// The expressions that a node reads.
    pub(super) fn exprs_read(&self, id: NodeId) -> &[&'a VarExpr] {
        self.reads.get(index(id)).map(|(exprs, _)| exprs.as_slice()).unwrap_or_default()
    }

    /// The variables that a node reads.
    pub(super) fn names_read(&self, id: NodeId) -> &[&'a Ident] {
        self.reads.get(index(id)).map(|(_, names)| names.as_slice()).unwrap_or_default()
    }

    pub(super) fn start(&self) -> NodeId {
        self.start
    }

    pub(super) fn end(&self) -> NodeId {
        self.end
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node<'a>> {
        self.nodes.get(index(id))
    }

    /// The reachable nodes, each before what it leads to, loops aside.
    pub(super) fn order(&self) -> &[NodeId] {
        &self.order
    }

    pub(super) fn reached(&self, id: NodeId) -> bool {
        self.reached.get(index(id)).copied().unwrap_or(false)
    }

    /// The nodes with their ids, reachable or not.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node<'a>)> {
        (0..).zip(&self.nodes)
    }

    /// Where a node goes on, and whether that is its `yes` side.
    pub(super) fn follow(&self, id: NodeId) -> impl Iterator<Item = (NodeId, bool)> + use<> {
        let (yes, no) = self.node(id).map_or((NONE, NONE), |node| (node.yes, node.no));
        [(yes, true), (no, false)].into_iter().filter(|(to, _)| *to != NONE)
    }

    fn add(&mut self, kind: Kind<'a>, line: Span, span: Span, yes: NodeId, no: NodeId) -> NodeId {
        self.nodes.push(Node { kind, line, span, yes, no });
        to_u32(self.nodes.len() - 1)
    }

    fn block(&mut self, statements: &'a [Stmt], next: NodeId) -> NodeId {
        statements.iter().rev().fold(next, |next, statement| self.statement(statement, next))
    }

    fn statement(&mut self, statement: &'a Stmt, next: NodeId) -> NodeId {
        let line = statement.span;
        match &statement.kind {
            StmtKind::Finish { .. } => self.add(Kind::Plain(statement), line, line, NONE, NONE),
            StmtKind::When { condition, then, otherwise } => {
                let then = self.block(then, next);
                let otherwise = self.block(otherwise, next);
                self.condition(condition, line, then, otherwise)
            }
            StmtKind::Match { subject, arms, otherwise } => {
                let otherwise = self.block(otherwise, next);
                arms.iter().rev().fold(otherwise, |no, arm| {
                    let yes = self.block(&arm.body, next);
                    let label = &arm.label;
                    let test = Kind::Test { left: subject, right: label, negated: false };
                    self.add(test, line, span_of(label), yes, no)
                })
            }
            StmtKind::Repeat { count, body, .. } => {
                let once = matches!(count, Simple::Number(n) if n.node >= 1.0);
                self.loop_(statement, body, once, next)
            }
            StmtKind::Iterate { body, .. } => self.loop_(statement, body, false, next),
            _ => self.add(Kind::Plain(statement), line, line, next, NONE),
        }
    }

    fn loop_(&mut self, statement: &'a Stmt, body: &'a LoopBody, once: bool, next: NodeId) -> NodeId {
        let line = statement.span;
        let over = self.add(Kind::Over(statement), line, line, next, NONE);
        let head = self.add(Kind::Round(statement), line, line, NONE, over);
        let mut entry = head;
        if let Some(quit) = &body.quit {
            let after = self.block(&quit.after, head);
            entry = self.condition(&quit.condition, quit.span, over, after);
        }
        let entry = self.block(&body.before, entry);
        if let Some(node) = self.nodes.get_mut(index(head)) {
            node.yes = entry;
        }
        if once { entry } else { head }
    }

    fn condition(&mut self, condition: &'a Condition, line: Span, yes: NodeId, no: NodeId) -> NodeId {
        match condition {
            Condition::Compare { left, right, negated, span } => {
                self.add(Kind::Test { left, right, negated: *negated }, line, *span, yes, no)
            }
            Condition::And(parts) => {
                parts.iter().rev().fold(yes, |yes, part| self.condition(part, line, yes, no))
            }
            Condition::Or(parts) => {
                parts.iter().rev().fold(no, |no, part| self.condition(part, line, yes, no))
            }
        }
    }

    /// Finds the reachable nodes, in reverse postorder.
    fn sort(&mut self) {
        self.reached = vec![false; self.nodes.len()];
        let mut stack = vec![(self.start, 0u8)];
        self.mark(self.start);
        while let Some((id, tried)) = stack.pop() {
            let Some(node) = self.nodes.get(index(id)) else { continue };
            let next = match tried {
                0 => node.no,
                1 => node.yes,
                _ => {
                    self.order.push(id);
                    continue;
                }
            };
            stack.push((id, tried + 1));
            if next != NONE && self.mark(next) {
                stack.push((next, 0));
            }
        }
        self.order.reverse();
    }

    /// Marks a node as reached; whether it was not before.
    fn mark(&mut self, id: NodeId) -> bool {
        self.reached.get_mut(index(id)).is_some_and(|reached| !std::mem::replace(reached, true))
    }
}

fn reads<'a>(kind: Kind<'a>) -> (Vec<&'a VarExpr>, Vec<&'a Ident>) {
    let found = match kind {
        Kind::Plain(statement) => variables(statement),
        Kind::Test { left, right, .. } => compared(left, right),
        // The condition of the loop's Quit has nodes of its own.
        Kind::Round(statement) => match &statement.kind {
            StmtKind::Iterate { over, .. } => return (vec![over], vec![&over.base]),
            StmtKind::Repeat { count: count @ Simple::Var(_), .. } => compared(count, count),
            _ => return Default::default(),
        },
        Kind::End | Kind::Over(_) => return Default::default(),
    };
    (found.exprs, found.read)
}

/// A node's place in a list with one element for each node.
pub(super) fn index(id: NodeId) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// Where a simple expression stands.
pub(super) fn span_of(simple: &Simple) -> Span {
    match simple {
        Simple::String(text) => text.span,
        Simple::Number(number) => number.span,
        Simple::Bool(b) => b.span,
        Simple::Null(span) => *span,
        Simple::Var(var) => var.span,
        // The minus stands directly before the variable.
        Simple::Negated(var) => Span { start: var.span.start.saturating_sub(1), end: var.span.end },
    }
}
