//! Lists and maps, shared by reference.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::machine::Fault;
use crate::state::{Frame, Over, State};
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

/// A list or map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Object {
    List(Vec<Val>),
    Map(IndexMap<String, Val>),
}

/// All lists and maps of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Heap {
    objects: Vec<Object>,
    /// Bytes in use, garbage included; exact after a collection.
    bytes: usize,
}

/// What one value costs, without its text.
const CELL: usize = 32;
/// Trees that cross the border are at most this deep.
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

    fn add(&mut self, object: Object) -> u32 {
        let at = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        self.bytes += object_cost(&object);
        self.objects.push(object);
        at
    }

    pub(crate) fn new_list(&mut self, items: Vec<Val>) -> Val {
        Val::List(self.add(Object::List(items)))
    }

    pub(crate) fn new_map(&mut self, entries: IndexMap<String, Val>) -> Val {
        Val::Map(self.add(Object::Map(entries)))
    }

    pub(crate) fn list(&self, at: u32) -> &[Val] {
        match self.objects.get(index(at)) {
            Some(Object::List(items)) => items,
            _ => &[],
        }
    }

    pub(crate) fn map(&self, at: u32) -> Option<&IndexMap<String, Val>> {
        match self.objects.get(index(at)) {
            Some(Object::Map(entries)) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn set_entry(&mut self, at: u32, key: &str, value: Val) {
        let added = cost(&value) + key.len();
        if let Some(Object::Map(entries)) = self.objects.get_mut(index(at)) {
            entries.insert(key.to_owned(), value);
            self.bytes += added;
        }
    }

    /// Sets an element; a list grows with nulls up to it.
    pub(crate) fn set_item(&mut self, at: u32, position: usize, value: Val) {
        let mut added = cost(&value);
        if let Some(Object::List(items)) = self.objects.get_mut(index(at)) {
            if position >= items.len() {
                added += (position - items.len()) * CELL;
                items.resize(position + 1, Val::Null);
            }
            if let Some(item) = items.get_mut(position) {
                *item = value;
            }
            self.bytes += added;
        }
    }

    /// Cuts a list, or grows it with nulls.
    pub(crate) fn resize(&mut self, at: u32, length: usize) {
        if let Some(Object::List(items)) = self.objects.get_mut(index(at)) {
            self.bytes += length.saturating_sub(items.len()) * CELL;
            items.resize(length, Val::Null);
        }
    }

    /// Takes a tree in.
    pub(crate) fn import(&mut self, value: Value) -> Val {
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(b),
            Value::Number(n) => Val::Number(n),
            Value::String(text) => Val::Text(text),
            Value::List(items) => {
                let items = items.into_iter().map(|item| self.import(item)).collect();
                self.new_list(items)
            }
            Value::Map(entries) => {
                let entries = entries.into_iter().map(|(key, value)| (key, self.import(value))).collect();
                self.new_map(entries)
            }
        }
    }

    /// Hands a value out as a tree. A cycle, or sharing that blows up beyond `budget` elements, is an error.
    pub(crate) fn export(&self, value: &Val, budget: &mut usize) -> Result<Value, Fault> {
        self.export_at(value, 0, budget)
    }

    fn export_at(&self, value: &Val, depth: usize, budget: &mut usize) -> Result<Value, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::new("a list or map that contains itself can't leave the flow"));
        }
        *budget = budget.checked_sub(1).ok_or_else(|| Fault::limit("a value handed out is too large"))?;
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
                    entries.insert(key.clone(), self.export_at(value, depth + 1, budget)?);
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

fn object_cost(object: &Object) -> usize {
    CELL + match object {
        Object::List(items) => items.iter().map(cost).sum::<usize>(),
        Object::Map(entries) => entries.iter().map(|(key, value)| key.len() + cost(value)).sum(),
    }
}

/// Drops what no variable reaches, and numbers the rest anew in the order of reaching.
pub(crate) fn collect(state: &mut State) {
    let mut moved: Vec<Option<u32>> = vec![None; state.heap.objects.len()];
    let mut order: Vec<usize> = Vec::new();
    let reach = |value: &Val, order: &mut Vec<usize>, moved: &mut Vec<Option<u32>>| {
        if let Val::List(at) | Val::Map(at) = value
            && let Some(slot @ None) = moved.get_mut(index(*at))
        {
            *slot = Some(u32::try_from(order.len()).unwrap_or(u32::MAX));
            order.push(index(*at));
        }
    };
    for frame in &state.frames {
        for value in &frame.slots {
            reach(value, &mut order, &mut moved);
        }
        for open in &frame.loops {
            if let Over::List(at) = open.over {
                reach(&Val::List(at), &mut order, &mut moved);
            }
        }
    }
    let mut next = 0;
    while let Some(at) = order.get(next).copied() {
        next += 1;
        match state.heap.objects.get(at) {
            Some(Object::List(items)) => items.iter().for_each(|item| reach(item, &mut order, &mut moved)),
            Some(Object::Map(entries)) => {
                entries.values().for_each(|value| reach(value, &mut order, &mut moved))
            }
            None => {}
        }
    }
    let renumber = |value: &mut Val| {
        if let Val::List(at) | Val::Map(at) = value
            && let Some(Some(new)) = moved.get(index(*at))
        {
            *at = *new;
        }
    };
    let mut old: Vec<Option<Object>> =
        std::mem::take(&mut state.heap.objects).into_iter().map(Some).collect();
    let mut kept = Vec::with_capacity(order.len());
    for at in order {
        let Some(mut object) = old.get_mut(at).and_then(Option::take) else { continue };
        match &mut object {
            Object::List(items) => items.iter_mut().for_each(renumber),
            Object::Map(entries) => entries.values_mut().for_each(renumber),
        }
        kept.push(object);
    }
    state.heap.bytes = kept.iter().map(object_cost).sum();
    state.heap.objects = kept;
    for Frame { slots, loops, .. } in &mut state.frames {
        slots.iter_mut().for_each(renumber);
        for open in loops {
            if let Over::List(at) = &mut open.over
                && let Some(Some(new)) = moved.get(index(*at))
            {
                *at = *new;
            }
        }
    }
}
