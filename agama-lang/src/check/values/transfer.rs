//! What a node changes of what is known.

use super::eval::{has_user_id, is_false, source};
use super::sets::Sets;
use super::state::State;
use super::value::{Null, Sources, Typed, Value};
use super::{Analysis, CallResult};
use crate::ast::{Accessor, Callee, Expr, FlowRef, Ident, Simple, Stmt, StmtKind, VarExpr};
use crate::check::cfg::{Kind, NodeId};
use crate::check::facts::Proof;
use crate::check::walk::target;
use crate::check::wit::Wit;

impl Analysis<'_, '_> {
    /// What holds once a node's expressions are evaluated: what a part was taken of is not null, or the run is over.
    pub(in crate::check) fn evaluated(&self, id: NodeId, state: &mut State) {
        let Some(node) = self.cfg.node(id) else { return };
        for expr in self.cfg.exprs_read(id) {
            if !expr.accessors.is_empty() {
                self.is_there(state, expr);
            }
        }
        match node.kind {
            Kind::Plain(statement) => {
                if let StmtKind::Call { callee: Callee::Method { object, .. }, .. } = &statement.kind {
                    self.is_there(state, object);
                }
                if let Some(target) = target(statement).filter(|target| !target.accessors.is_empty()) {
                    self.is_there(state, target);
                }
            }
            Kind::Round(Stmt { kind: StmtKind::Iterate { over, .. }, .. }) => self.is_there(state, over),
            _ => {}
        }
    }

    fn is_there(&self, state: &mut State, expr: &VarExpr) {
        let Some(at) = self.names.var(&expr.base.node) else { return };
        let Some(value) = state.vars.get(at).copied() else { return };
        state.vars.set(at, Value { null: Null::NEVER, ..value });
        let proof = value.proof;
        if self.null_means_failure(proof) {
            self.prove(state, proof);
        }
    }

    /// What a node does, behind [`Analysis::evaluated`].
    pub(super) fn transfer(&mut self, id: NodeId, state: &mut State) {
        self.evaluated(id, state);
        let Some(node) = self.cfg.node(id) else { return };
        match node.kind {
            Kind::Plain(statement) => self.statement(id, statement, state),
            Kind::Over(statement) => self.assign(state, target(statement), Value::PLAIN),
            Kind::End | Kind::Test { .. } | Kind::Round(_) => {}
        }
    }

    fn statement(&mut self, id: NodeId, statement: &Stmt, state: &mut State) {
        match &statement.kind {
            StmtKind::Assign { target, value } => {
                let found = self.assigned(state, target, value);
                let fields = self.fields(state, value);
                self.assign(state, Some(target), found);
                if let Some(at) = self.names.var(&target.base.node).filter(|_| target.accessors.is_empty()) {
                    fields.into_iter().for_each(|key| state.set_part(self.names.field(at, key)));
                }
            }
            StmtKind::Rrf { target, .. } | StmtKind::Rfac { target, .. } => {
                let forms = self.sets.of(id);
                let value =
                    Value { null: Null::NEVER, outside: true, forms, ..Value::unknown(source(id, "")) };
                self.assign(state, target.as_ref(), value);
            }
            StmtKind::Trigger { target, error, flow, args, .. } => {
                let sources = self.sources(state, args) | source(id, "");
                let known = match flow {
                    FlowRef::Name(name) => self.flow_proves(&name.node),
                    FlowRef::Variable(_) => None,
                };
                let mut value = Value { null: Null::NEVER, ..Value::unknown(sources) };
                match known {
                    None => self.perhaps_proved(state),
                    Some(true) => {
                        value.proof = self.sets.of(id);
                        *self.persons_of.entry(id).or_default() |= sources;
                    }
                    Some(false) => {}
                }
                if args.iter().any(|arg| self.simple(state, arg).typed.is_some()) {
                    self.forget_records(state);
                }
                self.result(id, state, target.as_ref(), error.as_ref(), value);
            }
            StmtKind::Call { target, error, args, .. } => {
                self.call(id, state, target.as_ref(), error.as_ref(), args);
            }
            _ => {}
        }
    }

    fn call(
        &mut self,
        id: NodeId,
        state: &mut State,
        target: Option<&VarExpr>,
        error: Option<&Ident>,
        args: &[Simple],
    ) {
        let (result, proof) = self
            .calls
            .get(&id)
            .map_or((CallResult::Unknown, Proof::Unknown), |call| (call.result, call.proof));
        let sources = self.sources(state, args) | source(id, "");
        let mut value = match result {
            CallResult::Unknown => Value::unknown(sources),
            CallResult::Nothing => Value::NULL,
            CallResult::Typed(ty) => self.of_type(Typed { ty, call: id }, sources),
        };
        let proved = match proof {
            Proof::Unknown => {
                self.perhaps_proved(state);
                None
            }
            Proof::Nobody => None,
            Proof::Result => Some(sources),
            Proof::Argument(at) => {
                Some(args.get(at).map_or(Sources::MAX, |arg| self.simple(state, arg).sources))
            }
        };
        if let Some(persons) = proved {
            value.proof = self.sets.of(id);
            *self.persons_of.entry(id).or_default() |= persons;
            if error.is_none() && self.cannot_fail_quietly(id) {
                self.prove(state, value.proof);
            }
        }
        self.result(id, state, target, error, value);
    }

    /// Assigns the result of a call, or its error.
    fn result(
        &mut self,
        id: NodeId,
        state: &mut State,
        target: Option<&VarExpr>,
        error: Option<&Ident>,
        mut value: Value,
    ) {
        if let (Some(_), Some(target)) = (error, target) {
            // When the call fails, the variable keeps what it had.
            let old = self.var(state, target);
            value = value.or(&old, &mut self.sets);
        }
        self.assign(state, target, value);
        if let Some(at) = error.and_then(|error| self.names.var(&error.node)) {
            let error_of = self.sets.of(id);
            let value = Value { null: Null::SOMETIMES, error_of, ..Value::unknown(0) };
            self.set(state, at, value);
        }
    }

    fn sources(&self, state: &State, args: &[Simple]) -> Sources {
        args.iter().fold(0, |all, arg| all | self.simple(state, arg).sources)
    }

    fn perhaps_proved(&self, state: &mut State) {
        state.proved = true;
        state.persons = Sources::MAX;
    }

    /// The value that an assignment gives to the whole variable, or to a part of it.
    fn assigned(&mut self, state: &State, target: &VarExpr, value: &Expr) -> Value {
        let mut found = self.expr(state, value);
        // A result names somebody by its `data.userId`, and fails by its `success`.
        match target.accessors.as_slice() {
            [] => {}
            [Accessor::Property(_)] => {
                found.names_person = has_user_id(value);
                found.fails = is_false(value);
            }
            [_, Accessor::Property(second)] => found.names_person = second.node == "userId",
            _ => {}
        }
        found
    }

    /// The keys of a map that have a value.
    fn fields<'e>(&self, state: &State, value: &'e Expr) -> Vec<&'e str> {
        let Expr::Map(entries, _) = value else { return Vec::new() };
        let there = |value: &Expr| match value {
            Expr::Simple(simple) => !self.simple(state, simple).null.possible(),
            Expr::List(..) | Expr::Map(..) => true,
        };
        let named = entries.iter().filter(|(_, value)| there(value));
        named.map(|(key, _)| key.node.as_str()).collect()
    }

    fn assign(&mut self, state: &mut State, target: Option<&VarExpr>, value: Value) {
        let Some(target) = target else { return };
        let Some(at) = self.names.var(&target.base.node) else { return };
        if target.accessors.is_empty() {
            self.set(state, at, value);
            return;
        }
        let Some(old) = state.vars.get(at).copied() else { return };
        let mut new = Value {
            secret: old.secret.or(value.secret),
            sources: old.sources | value.sources,
            null: Null::NEVER,
            ..old
        };
        match target.accessors.as_slice() {
            [Accessor::Property(name)] if name.node == "success" => new.fails = value.fails,
            [Accessor::Property(name), ..] => new.names_person |= name.node == "data" && value.names_person,
            _ => {
                new.names_person = true;
                new.fails = false;
            }
        }
        if !new.fails {
            new.proof = Sets::EMPTY;
        }
        self.set(state, at, new);
        self.forget_records(state);
        if !value.null.possible()
            && let Some(part) = self.names.part(target)
        {
            state.set_part(part);
        }
    }

    /// A record got or may have got further fields, and it may be in several variables.
    fn forget_records(&mut self, state: &mut State) {
        self.work += self.names.len();
        state.vars.map(|one| Value {
            typed: one.typed.filter(|typed| !matches!(self.types.get(typed.ty), Wit::Record(_))),
            ..*one
        });
    }

    /// A variable has a new value, or another part.
    fn set(&self, state: &mut State, at: usize, value: Value) {
        state.vars.set(at, value);
        state.parts.retain(|part| self.names.base(*part) != Some(at));
    }

    /// Whether a way out of a node can be taken at all.
    pub(super) fn open(&self, id: NodeId, yes: bool, state: &State) -> bool {
        let Some(Kind::Test { left, right, negated }) = self.cfg.node(id).map(|node| node.kind) else {
            return true;
        };
        // A part may change by another name of its value.
        let whole = |side: &Simple| match side {
            Simple::Var(expr) => expr.accessors.is_empty(),
            _ => true,
        };
        let certain = || self.simple(state, left).equals(&self.simple(state, right));
        !(whole(left) && whole(right)) || certain().is_none_or(|equal| (equal != negated) == yes)
    }

    /// What a node's way out tells: a comparison that held or not, the item of a round.
    pub(super) fn along(&mut self, id: NodeId, yes: bool, state: &mut State) {
        let Some(node) = self.cfg.node(id) else { return };
        match node.kind {
            Kind::Test { left, right, negated } => {
                let equal = yes != negated;
                self.compared(state, left, right, equal);
                self.compared(state, right, left, equal);
            }
            Kind::Round(Stmt { kind: StmtKind::Iterate { over, item, .. }, .. }) if yes => {
                let over = self.var(state, over);
                let list = over.typed.and_then(|typed| match self.types.get(typed.ty) {
                    Wit::List(item) => Some(Typed { ty: *item, call: typed.call }),
                    _ => None,
                });
                let value = match list {
                    Some(typed) => self.of_type(typed, over.sources),
                    None => {
                        Value { secret: over.secret, outside: over.outside, ..Value::unknown(over.sources) }
                    }
                };
                if let Some(at) = self.names.var(&item.node) {
                    self.set(state, at, value);
                }
            }
            _ => {}
        }
    }

    /// What is known of one side of a comparison, now that it is equal to the other, or is not.
    fn compared(&mut self, state: &mut State, side: &Simple, other: &Simple, equal: bool) {
        let Simple::Var(expr) = side else { return };
        let value = self.var(state, expr);
        let other_value = self.simple(state, other);
        let not_null = if equal { !other_value.null.possible() } else { matches!(other, Simple::Null(_)) };
        let is_null = equal && matches!(other, Simple::Null(_));
        let is_true = match other {
            Simple::Bool(b) => b.node == equal,
            _ => false,
        };
        let is_false = equal && matches!(other, Simple::Bool(b) if !b.node);
        let proof = value.proof;
        if is_true && (equal || self.is_bool(proof))
            || not_null && !is_false && self.null_means_failure(proof)
        {
            self.prove(state, proof);
        }
        if is_null && self.error_means_failure(value.error_of) {
            self.prove(state, value.error_of);
        }
        if not_null || is_null {
            let truth = if equal { other_value.truth } else { None };
            self.note(state, expr, not_null, truth);
        }
    }

    fn note(&mut self, state: &mut State, expr: &VarExpr, not_null: bool, truth: Option<bool>) {
        if expr.accessors.is_empty() {
            let null = if not_null { Null::NEVER } else { Null::ALWAYS };
            if let Some(at) = self.names.var(&expr.base.node)
                && let Some(value) = state.vars.get(at).copied()
            {
                state.vars.set(at, Value { null, truth: truth.or(value.truth), ..value });
            }
        } else if not_null && let Some(part) = self.names.part(expr) {
            state.set_part(part);
        }
    }
}
