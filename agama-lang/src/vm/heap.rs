//! Lists and maps, shared by reference.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::machine::Fault;
use crate::state::{Frame, Loop, Over, State, Waiting};
use crate::value::{Map, Text, Value};

/// A value inside the machine. Lists and maps are references into the heap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Val {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    List(u32),
    Map(u32),
}

/// The entries of a map, in the order in which they came.
pub(crate) type Entries = IndexMap<Arc<str>, Val>;

/// A list or map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Object {
    List(Vec<Val>),
    Map(Entries),
}

/// All lists and maps of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Heap {
    objects: Vec<Object>,
    /// Bytes that the run holds, its variables and garbage included; exact after a collection.
    bytes: usize,
}

/// What one value costs, without its text.
const CELL: usize = 32;
/// Values that cross the border nest at most this deep.
const MAX_DEPTH: usize = 200;

fn cost(value: &Val) -> usize {
    match value {
        Val::Text(text) => CELL + text.as_str().len(),
        _ => CELL,
    }
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl Val {
    pub(crate) fn text(chars: &str) -> Self {
        Val::Text(Text::new(chars))
    }

    /// The kind, as messages name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Val::Null => "null",
            Val::Bool(_) => "a boolean",
            Val::Number(_) => "a number",
            Val::Text(_) => "a string",
            Val::List(_) => "a list",
            Val::Map(_) => "a map",
        }
    }
}

impl Heap {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts what lies outside lists and maps: variables, loops.
    pub(crate) fn charge(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Counts a value that takes the place of another one.
    pub(crate) fn swap_cost(&mut self, old: &Val, new: &Val) {
        self.bytes = (self.bytes + cost(new)).saturating_sub(cost(old));
    }

    fn add(&mut self, object: Object) -> u32 {
        let at = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        self.bytes += object_cost(&object);
        self.objects.push(object);
        at
    }

    pub(crate) fn new_list(&mut self, items: Vec<Val>) -> Val {
        Val::List(self.add(Object::List(items)))
    }

    pub(crate) fn new_map(&mut self, entries: Entries) -> Val {
        Val::Map(self.add(Object::Map(entries)))
    }

    /// A map of a few known keys.
    pub(crate) fn new_record<const N: usize>(&mut self, entries: [(&str, Val); N]) -> Val {
        self.new_map(entries.into_iter().map(|(key, value)| (Arc::from(key), value)).collect())
    }

    pub(crate) fn list(&self, at: u32) -> &[Val] {
        match self.objects.get(index(at)) {
            Some(Object::List(items)) => items,
            _ => &[],
        }
    }

    pub(crate) fn map(&self, at: u32) -> Option<&Entries> {
        match self.objects.get(index(at)) {
            Some(Object::Map(entries)) => Some(entries),
            _ => None,
        }
    }

    /// An entry of a map.
    pub(crate) fn entry(&self, at: u32, key: &str) -> Option<&Val> {
        let entries = self.map(at)?;
        place(entries, key).and_then(|place| entries.get_index(place)).map(|(_, value)| value)
    }

    /// Gives an entry that is there another value; hands the value back when there is none.
    pub(crate) fn replace_entry(&mut self, at: u32, key: &str, value: Val) -> Option<Val> {
        let Some(Object::Map(entries)) = self.objects.get_mut(index(at)) else { return Some(value) };
        match place(entries, key).and_then(|place| entries.get_index_mut(place)) {
            Some((_, old)) => {
                self.bytes = (self.bytes + cost(&value)).saturating_sub(cost(old));
                *old = value;
                None
            }
            None => Some(value),
        }
    }

    /// Adds an entry that is not there.
    pub(crate) fn add_entry(&mut self, at: u32, key: Arc<str>, value: Val) {
        let added = cost(&value) + key.len();
        if let Some(Object::Map(entries)) = self.objects.get_mut(index(at)) {
            entries.insert(key, value);
            self.bytes += added;
        }
    }

    /// Sets an element; a list grows with nulls up to it.
    pub(crate) fn set_item(&mut self, at: u32, position: usize, value: Val) {
        if let Some(Object::List(items)) = self.objects.get_mut(index(at)) {
            if position >= items.len() {
                self.bytes += (position + 1 - items.len()) * CELL;
                items.resize(position + 1, Val::Null);
            }
            if let Some(item) = items.get_mut(position) {
                self.bytes = (self.bytes + cost(&value)).saturating_sub(cost(item));
                *item = value;
            }
        }
    }

    /// Cuts a list, or grows it with nulls.
    pub(crate) fn resize(&mut self, at: u32, length: usize) {
        if let Some(Object::List(items)) = self.objects.get_mut(index(at)) {
            self.bytes += length.saturating_sub(items.len()) * CELL;
            items.resize(length, Val::Null);
        }
    }

    /// Takes a tree in; its lists and maps have at most `most` elements each.
    pub(crate) fn import(&mut self, value: Value, most: usize) -> Result<Val, Fault> {
        self.import_at(value, 0, most)
    }

    fn import_at(&mut self, value: Value, depth: usize, most: usize) -> Result<Val, Fault> {
        let size = match &value {
            Value::List(items) => items.len(),
            Value::Map(entries) => entries.len(),
            _ => 0,
        };
        if size > most {
            return Err(too_many(most));
        }
        if depth > MAX_DEPTH {
            return Err(Fault::new(format!("a value taken in nests more than {MAX_DEPTH} deep")));
        }
        Ok(match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(b),
            Value::Number(n) => Val::Number(n),
            Value::String(text) => Val::Text(text),
            Value::List(items) => {
                let mut taken = Vec::with_capacity(items.len());
                for item in items {
                    taken.push(self.import_at(item, depth + 1, most)?);
                }
                self.new_list(taken)
            }
            Value::Map(entries) => {
                let mut taken = Entries::with_capacity(entries.len());
                for (key, value) in entries {
                    taken.insert(key.into(), self.import_at(value, depth + 1, most)?);
                }
                self.new_map(taken)
            }
        })
    }

    /// Hands a value out as a tree. A cycle, or sharing that blows up beyond `budget` bytes, is an error.
    pub(crate) fn export(&self, value: &Val, budget: &mut usize) -> Result<Value, Fault> {
        self.export_at(value, 0, budget)
    }

    fn export_at(&self, value: &Val, depth: usize, budget: &mut usize) -> Result<Value, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new(format!(
                "a list or map can't leave the flow: it contains itself, or nests more than {MAX_DEPTH} deep"
            )));
        }
        let left = budget.checked_sub(cost(value));
        *budget = left.ok_or_else(|| {
            Fault::new(
                "a list or map can't leave the flow: it contains itself, or is larger than a flow may hold",
            )
        })?;
        Ok(match value {
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(*b),
            Val::Number(n) => Value::Number(*n),
            Val::Text(text) => Value::String(text.clone()),
            Val::List(at) => {
                let items: Result<Vec<_>, _> =
                    self.list(*at).iter().map(|item| self.export_at(item, depth + 1, budget)).collect();
                Value::List(items?)
            }
            Val::Map(at) => {
                let mut entries = Map::new();
                for (key, value) in self.map(*at).into_iter().flatten() {
                    entries.insert(key.as_ref().to_owned(), self.export_at(value, depth + 1, budget)?);
                }
                Value::Map(entries)
            }
        })
    }

    /// Whether a value refers to something of the right kind.
    pub(crate) fn holds(&self, value: &Val) -> bool {
        match value {
            Val::List(at) => matches!(self.objects.get(index(*at)), Some(Object::List(_))),
            Val::Map(at) => matches!(self.objects.get(index(*at)), Some(Object::Map(_))),
            _ => true,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.objects.iter().all(|object| match object {
            Object::List(items) => items.iter().all(|item| self.holds(item)),
            Object::Map(entries) => entries.values().all(|value| self.holds(value)),
        })
    }
}

/// Where an entry stands. Looking along a few keys is faster than hashing one.
fn place(entries: &Entries, key: &str) -> Option<usize> {
    const FEW: usize = 8;
    if entries.len() <= FEW {
        entries.keys().position(|known| **known == *key)
    } else {
        entries.get_index_of(key)
    }
}

pub(super) fn too_many(most: usize) -> Fault {
    Fault::limit(format!("a list or map has more than {most} elements"))
}

fn object_cost(object: &Object) -> usize {
    CELL + match object {
        Object::List(items) => items.iter().map(cost).sum::<usize>(),
        Object::Map(entries) => entries.iter().map(|(key, value)| key.len() + cost(value)).sum(),
    }
}

/// What a frame holds besides lists and maps.
pub(crate) fn frame_cost(frame: &Frame) -> usize {
    let loops: usize = frame.loops.iter().map(loop_cost).sum();
    CELL + frame.slots.iter().map(cost).sum::<usize>() + loops
}

pub(crate) fn loop_cost(open: &Loop) -> usize {
    CELL + match &open.over {
        Over::Keys(keys) => keys.iter().map(|key| CELL + key.len()).sum(),
        Over::Chars { text, .. } => text.as_str().len(),
        Over::Count(_) | Over::List(_) => 0,
    }
}

/// The references that variables, loops and the page shown hold.
fn roots(state: &mut State) -> impl Iterator<Item = &mut u32> {
    let frames = state.frames.iter_mut().flat_map(|frame| {
        let loops = frame.loops.iter_mut().filter_map(|open| match &mut open.over {
            Over::List(at) => Some(at),
            _ => None,
        });
        frame.slots.iter_mut().filter_map(reference).chain(loops)
    });
    let page = match &mut state.waiting {
        Waiting::Page(page) => page.model.as_mut().and_then(reference),
        _ => None,
    };
    frames.chain(page)
}

fn reference(value: &mut Val) -> Option<&mut u32> {
    match value {
        Val::List(at) | Val::Map(at) => Some(at),
        _ => None,
    }
}

fn references(object: &mut Object) -> impl Iterator<Item = &mut u32> {
    let (items, entries) = match object {
        Object::List(items) => (Some(items.iter_mut()), None),
        Object::Map(entries) => (None, Some(entries.values_mut())),
    };
    items.into_iter().flatten().chain(entries.into_iter().flatten()).filter_map(reference)
}

/// Drops what nothing reaches, and numbers the rest anew in the order of reaching.
pub(crate) fn collect(state: &mut State) {
    let mut old: Vec<Option<Object>> =
        std::mem::take(&mut state.heap.objects).into_iter().map(Some).collect();
    let mut moved: Vec<Option<u32>> = vec![None; old.len()];
    let mut kept: Vec<Object> = Vec::new();
    // Gives a reference its new number; what it refers to moves at the first meeting.
    let mut follow = |at: &mut u32, kept: &mut Vec<Object>| {
        let place = index(*at);
        match moved.get_mut(place) {
            Some(Some(new)) => *at = *new,
            Some(unmoved) => {
                if let Some(object) = old.get_mut(place).and_then(Option::take) {
                    *at = u32::try_from(kept.len()).unwrap_or(u32::MAX);
                    *unmoved = Some(*at);
                    kept.push(object);
                }
            }
            None => {}
        }
    };
    roots(state).for_each(|at| follow(at, &mut kept));
    let mut next = 0;
    while let Some(object) = kept.get_mut(next) {
        let mut object = std::mem::replace(object, Object::List(Vec::new()));
        references(&mut object).for_each(|at| follow(at, &mut kept));
        if let Some(place) = kept.get_mut(next) {
            *place = object;
        }
        next += 1;
    }
    let outside: usize = state.frames.iter().map(frame_cost).sum();
    state.heap.bytes = kept.iter().map(object_cost).sum::<usize>() + outside;
    state.heap.objects = kept;
}
