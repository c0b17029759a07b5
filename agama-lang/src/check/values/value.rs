//! What is known of one value.

use super::sets::{SetId, Sets};
use crate::check::cfg::NodeId;
use crate::check::wit::TypeId;

/// Whether a value can be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct Null(u8);

impl Null {
    /// It is something.
    pub(in crate::check) const NEVER: Null = Null(1);
    /// It is null.
    pub(in crate::check) const ALWAYS: Null = Null(2);
    /// There is a way on which it is null.
    pub(in crate::check) const SOMETIMES: Null = Null(3);
    /// Nobody knows.
    pub(in crate::check) const UNKNOWN: Null = Null(5);

    pub(in crate::check) fn or(self, other: Null) -> Null {
        Null(self.0 | other.0)
    }

    /// Whether it can be null at all.
    pub(in crate::check) fn possible(self) -> bool {
        self.0 & 6 != 0
    }

    /// Whether there is a way on which it is null.
    pub(in crate::check) fn seen(self) -> bool {
        self.0 & 2 != 0
    }
}

/// Marks of where a value comes from. Two values that share one may speak of the same person.
pub(in crate::check) type Sources = u64;

/// Where a typed value comes from: its type, and the call that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::check) struct Typed {
    pub(in crate::check) ty: TypeId,
    pub(in crate::check) call: NodeId,
}

/// What is known of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::check) struct Value {
    pub(in crate::check) null: Null,
    /// Its WIT type.
    pub(in crate::check) typed: Option<Typed>,
    /// It is, or holds, a secret that this page or call gave.
    pub(in crate::check) secret: Option<NodeId>,
    /// It comes from a browser.
    pub(in crate::check) outside: bool,
    /// It is what one of these pages, or a callback, posted.
    pub(in crate::check) forms: SetId,
    pub(in crate::check) sources: Sources,
    /// It tells whether one of these calls proved somebody.
    pub(in crate::check) proof: SetId,
    /// It is the error of one of these calls, null when the call went well.
    pub(in crate::check) error_of: SetId,
    /// A successful `Finish` with it may log somebody in.
    pub(in crate::check) names_person: bool,
    /// A `Finish` with it has no success.
    pub(in crate::check) fails: bool,
    /// It is this boolean, unless it is null.
    pub(in crate::check) truth: Option<bool>,
}

impl Value {
    /// Null, and all that no statement has assigned yet.
    pub(in crate::check) const NULL: Value = Value {
        null: Null::ALWAYS,
        typed: None,
        secret: None,
        outside: false,
        forms: Sets::EMPTY,
        sources: 0,
        proof: Sets::EMPTY,
        error_of: Sets::EMPTY,
        names_person: false,
        fails: true,
        truth: None,
    };

    /// False, a number, a list: something without success.
    pub(in crate::check) const PLAIN: Value =
        Value { null: Null::NEVER, proof: Sets::IF_TRUE, ..Value::NULL };

    /// The value, known at a place where somebody was proved.
    pub(super) fn where_proved(&self) -> Value {
        match self.proof {
            Sets::EMPTY | Sets::IF_TRUE => Value { proof: Sets::SURE, ..*self },
            _ => *self,
        }
    }

    /// Something of which nothing is known.
    pub(in crate::check) fn unknown(sources: Sources) -> Value {
        Value { null: Null::UNKNOWN, sources, names_person: true, fails: false, ..Value::NULL }
    }

    /// Whether it equals another value, where that is certain.
    pub(super) fn equals(&self, other: &Value) -> Option<bool> {
        match (self.null, other.null) {
            (Null::ALWAYS, Null::ALWAYS) => Some(true),
            (Null::ALWAYS, Null::NEVER) | (Null::NEVER, Null::ALWAYS) => Some(false),
            (Null::NEVER, Null::NEVER) => self.truth.zip(other.truth).map(|(a, b)| a == b),
            _ => None,
        }
    }

    /// What is known of a value that is one of two. Null adds nothing to the other but that it may be null.
    pub(in crate::check) fn or(&self, other: &Value, sets: &mut Sets) -> Value {
        if self == other {
            return *self;
        }
        let null = self.null.or(other.null);
        if self.null == Null::ALWAYS && self.error_of == Sets::EMPTY {
            return Value { null, ..*other };
        }
        if other.null == Null::ALWAYS && other.error_of == Sets::EMPTY {
            return Value { null, ..*self };
        }
        Value {
            null,
            typed: self.typed.filter(|typed| other.typed.is_some_and(|other| other.ty == typed.ty)),
            secret: self.secret.or(other.secret),
            outside: self.outside || other.outside,
            forms: sets.join(self.forms, other.forms),
            sources: self.sources | other.sources,
            proof: sets.join(self.proof, other.proof),
            error_of: sets.join(self.error_of, other.error_of),
            names_person: self.names_person || other.names_person,
            fails: self.fails && other.fails,
            truth: self.truth.filter(|truth| other.truth == Some(*truth)),
        }
    }
}
