//! What is known of an expression's value.

use super::Analysis;
use super::sets::Sets;
use super::state::State;
use super::value::{Null, Sources, Typed, Value};
use crate::ast::{Accessor, Expr, Simple, VarExpr};
use crate::check::cfg::NodeId;
use crate::check::wit::{TypeId, Wit};

impl Analysis<'_, '_> {
    pub(in crate::check) fn simple(&self, state: &State, simple: &Simple) -> Value {
        match simple {
            Simple::String(_) => Value { null: Null::NEVER, ..Value::unknown(0) },
            Simple::Bool(b) if b.node => {
                Value { proof: Sets::EMPTY, fails: false, truth: Some(true), ..Value::PLAIN }
            }
            Simple::Bool(_) => Value { truth: Some(false), ..Value::PLAIN },
            Simple::Null(_) => Value::NULL,
            Simple::Var(expr) => self.var(state, expr),
            Simple::Number(_) | Simple::Negated(_) => Value::PLAIN,
        }
    }

    pub(in crate::check) fn expr(&mut self, state: &State, expr: &Expr) -> Value {
        match expr {
            Expr::Simple(simple) => self.simple(state, simple),
            Expr::List(items, _) => {
                let mut value = Value::PLAIN;
                for item in items {
                    self.put_in(&mut value, state, item);
                }
                value
            }
            Expr::Map(entries, _) => self.map(state, entries),
        }
    }

    fn put_in(&mut self, whole: &mut Value, state: &State, part: &Expr) {
        let part = self.expr(state, part);
        whole.secret = whole.secret.or(part.secret);
        whole.sources |= part.sources;
    }

    /// A map logs somebody in by the `userId` in its `data`.
    fn map(&mut self, state: &State, entries: &[(crate::ast::Ident, Expr)]) -> Value {
        let mut value = Value::PLAIN;
        for (key, part) in entries {
            self.put_in(&mut value, state, part);
            match (key.node.as_str(), part) {
                ("success", part) => value.fails = is_false(part),
                ("data", part) => value.names_person = has_user_id(part),
                _ => {}
            }
        }
        if let Some((_, data)) = entries.iter().find(|(key, _)| key.node == "data" && value.names_person) {
            value.sources = self.expr(state, data).sources;
        }
        if !value.fails {
            value.proof = Sets::EMPTY;
        }
        value
    }

    pub(in crate::check) fn var(&self, state: &State, expr: &VarExpr) -> Value {
        let base = match self.names.var(&expr.base.node) {
            Some(at) => state.vars.get(at).copied().unwrap_or(Value::NULL),
            None if expr.base.node == "idx" => Value::PLAIN,
            None => Value::unknown(0),
        };
        let mut value = base;
        for accessor in &expr.accessors {
            value = self.step(&value, accessor);
        }
        if !state.parts.is_empty()
            && let Some(part) = self.names.known_part(expr)
            && state.parts.binary_search(&part).is_ok()
        {
            value.null = Null::NEVER;
        }
        value
    }

    /// A part of a value.
    pub(super) fn step(&self, value: &Value, accessor: &Accessor) -> Value {
        if value.forms != Sets::EMPTY {
            return self.posted(value, accessor);
        }
        if let Some(typed) = value.typed
            && let Some((ty, there)) = self.part_type(typed.ty, accessor)
        {
            let part = self.of_type(Typed { ty, call: typed.call }, value.sources);
            return if there { part } else { Value { null: Null::SOMETIMES, ..part } };
        }
        let success = matches!(accessor, Accessor::Property(name) if name.node == "success");
        Value {
            null: if value.outside { Null::SOMETIMES } else { Null::UNKNOWN },
            secret: value.secret.filter(|_| value.typed.is_none()),
            outside: value.outside,
            proof: if success && value.proof != Sets::IF_TRUE { value.proof } else { Sets::EMPTY },
            ..Value::unknown(value.sources)
        }
    }

    /// A field of a form, or of a callback.
    fn posted(&self, value: &Value, accessor: &Accessor) -> Value {
        let mut field = Value { null: Null::SOMETIMES, outside: true, ..Value::unknown(Sources::MAX) };
        if let Accessor::Property(name) = accessor {
            field.sources = 0;
            for site in self.sets.get(value.forms) {
                field.sources |= source(*site, &name.node);
                if self.page(*site).is_some_and(|page| {
                    page.posts.iter().any(|posted| posted.secret && posted.name == name.node)
                }) {
                    field.secret = Some(*site);
                }
            }
        }
        field
    }

    /// The type of a part, and whether it is always there; none when that is unknown or can't be.
    fn part_type(&self, ty: TypeId, accessor: &Accessor) -> Option<(TypeId, bool)> {
        match (self.types.get(ty), accessor) {
            (Wit::Record(fields), Accessor::Property(name)) => {
                fields.iter().find(|(field, _)| *field == name.node).map(|(_, ty)| (*ty, true))
            }
            // The list may be shorter.
            (Wit::List(item), Accessor::Index(_) | Accessor::DynamicIndex(_)) => Some((*item, false)),
            _ => None,
        }
    }

    /// What a call gives whose result has this type.
    pub(in crate::check) fn of_type(&self, typed: Typed, sources: Sources) -> Value {
        let (ty, optional) = self.types.unwrap(typed.ty);
        let known = self.types.get(ty);
        let fails = matches!(known, Wit::Integer(..) | Wit::Float | Wit::List(_) | Wit::Tuple(_));
        let names_person = !fails && !matches!(known, Wit::Bool);
        let null = match known {
            Wit::Unknown => Null::UNKNOWN,
            _ if optional => Null::SOMETIMES,
            _ => Null::NEVER,
        };
        let secret = self.types.secret(ty).then_some(typed.call);
        let typed = Some(Typed { ty, call: typed.call }).filter(|_| *known != Wit::Unknown);
        Value { null, typed, secret, names_person, fails, ..Value::unknown(sources) }
    }
}

/// Whether the `success` of a result is plainly false.
pub(super) fn is_false(success: &Expr) -> bool {
    matches!(success, Expr::Simple(Simple::Bool(b)) if !b.node)
}

/// Whether the `data` of a result names somebody.
pub(super) fn has_user_id(data: &Expr) -> bool {
    match data {
        Expr::Map(entries, _) => entries.iter().any(|(key, _)| key.node == "userId"),
        Expr::List(..) => false,
        Expr::Simple(simple) => matches!(simple, Simple::Var(_)),
    }
}

/// The mark of a node's result, or of one field of it.
pub(super) fn source(node: NodeId, field: &str) -> Sources {
    // FNV-1a; two that fall together only make a warning less.
    let bytes = node.to_le_bytes().into_iter().chain(field.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    1 << (hash >> 58)
}
