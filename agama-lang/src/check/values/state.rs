//! What is known at one place of a flow.

use std::collections::HashMap;
use std::rc::Rc;

use super::sets::Sets;
use super::value::{Sources, Value};
use crate::ast::{Accessor, VarExpr};
use crate::source::to_u32;

/// A part of a variable, such as `form.code`, that comparisons speak of.
pub(super) type PartId = u32;

/// Parts that are remembered at one place; of further ones nothing is known.
const MOST_PARTS: usize = 64;
/// Values in one chunk.
const CHUNK: usize = 32;

/// What is known of each variable, in chunks that states share as long as they agree.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::check) struct Vars(Vec<Rc<Vec<Value>>>);

impl Vars {
    /// So many variables, all null.
    pub(super) fn new(count: usize) -> Self {
        let full = Rc::new(vec![Value::NULL; CHUNK]);
        Self(vec![full; count.div_ceil(CHUNK)])
    }

    pub(super) fn get(&self, at: usize) -> Option<&Value> {
        self.0.get(at / CHUNK)?.get(at % CHUNK)
    }

    pub(super) fn set(&mut self, at: usize, value: Value) {
        if self.get(at).is_some_and(|old| *old != value)
            && let Some(place) = self.0.get_mut(at / CHUNK).and_then(|c| Rc::make_mut(c).get_mut(at % CHUNK))
        {
            *place = value;
        }
    }

    /// Changes all of them alike.
    pub(super) fn map(&mut self, change: impl Fn(&Value) -> Value) {
        for chunk in &mut self.0 {
            if chunk.iter().any(|value| change(value) != *value) {
                Rc::make_mut(chunk).iter_mut().for_each(|value| *value = change(value));
            }
        }
    }

    /// Joins what two ways know; `proved` tells on which of them somebody was proved.
    fn join(&mut self, other: &Vars, proved: (bool, bool), sets: &mut Sets) -> bool {
        let known = |value: &Value, here: bool, there: bool| {
            if here && !there { value.where_proved() } else { *value }
        };
        let mut changed = false;
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            if Rc::ptr_eq(mine, theirs) {
                continue;
            }
            let pairs = mine.iter().zip(theirs.iter());
            let both: Vec<Value> = pairs
                .map(|(a, b)| known(a, proved.0, proved.1).or(&known(b, proved.1, proved.0), sets))
                .collect();
            if both != **mine {
                *mine = Rc::new(both);
                changed = true;
            }
        }
        changed
    }
}

/// What is known at one place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::check) struct State {
    /// Of each variable.
    pub(super) vars: Vars,
    /// The parts that are not null, ascending.
    pub(super) parts: Vec<PartId>,
    /// On every way here somebody was proved.
    pub(in crate::check) proved: bool,
    /// Where the people come from who were proved on some way.
    pub(in crate::check) persons: Sources,
}

impl State {
    pub(super) fn set_part(&mut self, part: PartId) {
        if let Err(at) = self.parts.binary_search(&part)
            && self.parts.len() < MOST_PARTS
        {
            self.parts.insert(at, part);
        }
    }

    /// Takes in what another way here knows; whether that changed anything.
    pub(super) fn join(&mut self, other: &State, sets: &mut Sets) -> bool {
        let mut changed = self.vars.join(&other.vars, (self.proved, other.proved), sets);
        let before = self.parts.len();
        self.parts.retain(|part| other.parts.binary_search(part).is_ok());
        changed |= self.parts.len() != before;
        let proved = self.proved && other.proved;
        let persons = self.persons | other.persons;
        changed |= proved != self.proved || persons != self.persons;
        self.proved = proved;
        self.persons = persons;
        changed
    }
}

/// The variables and parts of a flow, numbered.
#[derive(Default)]
pub(super) struct Names<'a> {
    vars: HashMap<&'a str, usize>,
    parts: HashMap<String, PartId>,
    /// The variable of each part.
    bases: Vec<usize>,
}

impl<'a> Names<'a> {
    pub(super) fn add(&mut self, name: &'a str) -> usize {
        let next = self.vars.len();
        *self.vars.entry(name).or_insert(next)
    }

    pub(super) fn var(&self, name: &str) -> Option<usize> {
        self.vars.get(name).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.vars.len()
    }

    /// The part that an expression names; none for whole variables, and where an accessor is only known at run time.
    pub(super) fn part(&mut self, expr: &VarExpr) -> Option<PartId> {
        let (base, key) = self.key(expr)?;
        Some(self.intern(base, key))
    }

    /// The part of a variable that a key of a map makes.
    pub(super) fn field(&mut self, base: usize, key: &str) -> PartId {
        self.intern(base, format!("{base}.{key:?}"))
    }

    fn intern(&mut self, base: usize, key: String) -> PartId {
        let next = to_u32(self.bases.len());
        let id = *self.parts.entry(key).or_insert(next);
        if id == next {
            self.bases.push(base);
        }
        id
    }

    /// Like [`Names::part`], for parts that were met before.
    pub(super) fn known_part(&self, expr: &VarExpr) -> Option<PartId> {
        let (_, key) = self.key(expr)?;
        self.parts.get(&key).copied()
    }

    fn key(&self, expr: &VarExpr) -> Option<(usize, String)> {
        let base = self.var(&expr.base.node).filter(|_| !expr.accessors.is_empty())?;
        let mut key = base.to_string();
        for accessor in &expr.accessors {
            match accessor {
                Accessor::Property(name) => key.push_str(&format!(".{:?}", name.node)),
                Accessor::Index(index) => key.push_str(&format!("[{}", index.node)),
                Accessor::DynamicProperty(_) | Accessor::DynamicIndex(_) => return None,
            }
        }
        Some((base, key))
    }

    /// The variable that a part belongs to.
    pub(super) fn base(&self, part: PartId) -> Option<usize> {
        usize::try_from(part).ok().and_then(|at| self.bases.get(at)).copied()
    }
}
