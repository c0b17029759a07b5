//! Reading and writing variables.

use std::sync::Arc;

use super::heap::{Val, too_many};
use super::machine::{Fault, Machine, count};
use super::text::number_text;
use crate::ir::{Access, Body, IDX, Path};
use crate::value::Text;

/// One step into a value, its variable already read.
enum Key<'b> {
    /// As it stands in the program.
    Name(&'b Arc<str>),
    /// From a variable.
    Found(Text),
    Index(u64),
}

impl Machine<'_> {
    /// The value of a variable as a whole.
    fn slot(&mut self, body: &Body, slot: u32) -> Result<Val, Fault> {
        let frame = self.frame()?;
        if slot == IDX {
            let counters = frame.loops.iter().map(|open| Val::Number(count(open.rounds))).collect();
            return Ok(self.state.heap.new_list(counters));
        }
        let value = usize::try_from(slot).ok().and_then(|slot| frame.slots.get(slot));
        let value = value.ok_or_else(|| Fault::limit("the saved state lost a variable"))?;
        if *value == Val::Null && body.unassigned.binary_search(&slot).is_ok() {
            return Err(Fault::new(format!("nothing assigns the variable {}", body.variable(slot))));
        }
        Ok(value.clone())
    }

    pub(super) fn set_slot(&mut self, slot: u32, value: Val) -> Result<(), Fault> {
        let frame = self.state.frames.last_mut().ok_or_else(|| Fault::limit("no flow is active"))?;
        let place = usize::try_from(slot).ok().and_then(|slot| frame.slots.get_mut(slot));
        let place = place.ok_or_else(|| Fault::limit("the saved state lost a variable"))?;
        self.state.heap.swap_cost(place, &value);
        *place = value;
        Ok(())
    }

    /// Reads `x.y[0].z`.
    pub(super) fn read(&mut self, body: &Body, path: &Path) -> Result<Val, Fault> {
        self.read_steps(body, path, path.accessors.len())
    }

    fn read_steps(&mut self, body: &Body, path: &Path, steps: usize) -> Result<Val, Fault> {
        if let (IDX, Some(Access::Index(depth)), 1) = (path.slot, path.accessors.first(), steps) {
            // Without making the list.
            let open = usize::try_from(*depth).ok().and_then(|depth| self.frame().ok()?.loops.get(depth));
            return Ok(open.map_or(Val::Null, |open| Val::Number(count(open.rounds))));
        }
        let mut value = self.slot(body, path.slot)?;
        for (step, access) in path.accessors.iter().take(steps).enumerate() {
            self.burn(1)?;
            let key = self.key(body, access)?;
            if value == Val::Null {
                return Err(null_access("read", &key, &body.path(path, step)));
            }
            value = self.get(&value, &key)?;
        }
        Ok(value)
    }

    fn key<'b>(&mut self, body: &Body, access: &'b Access) -> Result<Key<'b>, Fault> {
        match access {
            Access::Name(name) => Ok(Key::Name(name)),
            Access::Index(index) => Ok(Key::Index(*index)),
            Access::NameIn(slot) => match self.slot(body, *slot)? {
                Val::Text(text) => {
                    self.burn_text(text.as_str())?;
                    Ok(Key::Found(text))
                }
                other => {
                    Err(Fault::new(format!("{} is not a string, but {}", body.variable(*slot), other.kind())))
                }
            },
            Access::IndexIn(slot) => match self.slot(body, *slot)? {
                Val::Number(n) if n >= 0.0 && n.fract() == 0.0 => Ok(Key::Index(whole(n))),
                other => {
                    let shown = match other {
                        Val::Number(n) => number_text(n),
                        other => other.kind().to_owned(),
                    };
                    Err(Fault::new(format!(
                        "{} is not zero or a positive integer, but {shown}",
                        body.variable(*slot)
                    )))
                }
            },
        }
    }

    fn get(&mut self, value: &Val, key: &Key<'_>) -> Result<Val, Fault> {
        Ok(match value {
            Val::Map(at) => key.with(|name| match self.state.heap.entry(*at, name) {
                Some(value) => value.clone(),
                None if name == "empty" => {
                    Val::Bool(self.state.heap.map(*at).is_none_or(indexmap::IndexMap::is_empty))
                }
                None => Val::Null,
            }),
            Val::List(at) => match key.position() {
                Some(position) => self.state.heap.list(*at).get(position).cloned().unwrap_or(Val::Null),
                None => key.with(|name| sized(self.state.heap.list(*at).len(), name)),
            },
            Val::Text(text) => {
                self.burn_text(text.as_str())?;
                match key.position() {
                    Some(position) => {
                        let found = text.as_str().chars().nth(position);
                        found.map_or(Val::Null, |c| Val::Text(text.derived(c.to_string())))
                    }
                    None => key.with(|name| sized(text.as_str().chars().count(), name)),
                }
            }
            _ => Val::Null,
        })
    }

    /// Writes `x.y[0].z = value`.
    pub(super) fn assign(&mut self, body: &Body, path: &Path, value: Val) -> Result<(), Fault> {
        let Some((last, _)) = path.accessors.split_last() else {
            return self.set_slot(path.slot, value);
        };
        let steps = path.accessors.len() - 1;
        let container = self.read_steps(body, path, steps)?;
        let key = self.key(body, last)?;
        match container {
            Val::Null => Err(null_access("write", &key, &body.path(path, steps))),
            Val::Map(at) => {
                let name = key.owned();
                let value = match self.state.heap.replace_entry(at, &name, value) {
                    None => return self.check_heap(),
                    Some(value) => value,
                };
                self.check_size(self.state.heap.map(at).map_or(0, indexmap::IndexMap::len) + 1)?;
                self.state.heap.add_entry(at, name, value);
                self.check_heap()
            }
            Val::List(at) => match key.position() {
                Some(position) => {
                    self.check_size(position.saturating_add(1))?;
                    self.burn(position.saturating_sub(self.state.heap.list(at).len()))?;
                    self.state.heap.set_item(at, position, value);
                    self.check_heap()
                }
                None if key.with(|name| name == "length") => {
                    self.set_length(&body.path(path, steps), at, value)
                }
                None => {
                    self.ignored(body, path, "a list");
                    Ok(())
                }
            },
            // As the reference: strings, numbers and booleans can't be changed, and trying it is no error.
            other => {
                self.ignored(body, path, other.kind());
                Ok(())
            }
        }
    }

    fn set_length(&mut self, name: &str, at: u32, value: Val) -> Result<(), Fault> {
        match value {
            Val::Number(n) if n >= 0.0 && n.fract() == 0.0 => {
                let length = usize::try_from(whole(n)).unwrap_or(usize::MAX);
                self.check_size(length)?;
                self.burn(length)?;
                self.state.heap.resize(at, length);
                self.check_heap()
            }
            other => {
                let shown = match other {
                    Val::Number(n) => number_text(n),
                    other => other.kind().to_owned(),
                };
                Err(Fault::new(format!(
                    "the length of {name} must be zero or a positive integer, this is {shown}"
                )))
            }
        }
    }

    fn ignored(&mut self, body: &Body, path: &Path, kind: &str) {
        let container = body.path(path, path.accessors.len() - 1);
        self.note(format!("{} is not written: {container} is {kind}", body.full(path)));
    }

    pub(super) fn check_size(&self, size: usize) -> Result<(), Fault> {
        let most = self.limits.collection_size;
        if size > most { Err(too_many(most)) } else { Ok(()) }
    }
}

impl Key<'_> {
    /// The key as text, where that need not be kept.
    fn with<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        match self {
            Key::Name(name) => read(name),
            Key::Found(name) => read(name.as_str()),
            Key::Index(index) => read(&index.to_string()),
        }
    }

    fn owned(&self) -> Arc<str> {
        match self {
            Key::Name(name) => Arc::clone(name),
            Key::Found(name) => name.shared(),
            Key::Index(index) => index.to_string().into(),
        }
    }

    /// The key as a place in a list or string: `x[2]`, and `x."2"` as well.
    fn position(&self) -> Option<usize> {
        match self {
            Key::Index(index) => Some(usize::try_from(*index).unwrap_or(usize::MAX)),
            Key::Name(name) => position(name),
            Key::Found(name) => position(name.as_str()),
        }
    }
}

/// The number that a key is, if it is written like one.
fn position(name: &str) -> Option<usize> {
    if !name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    name.parse().ok().filter(|position: &usize| position.to_string() == name)
}

fn null_access(verb: &str, key: &Key<'_>, variable: &str) -> Fault {
    let shown = match key {
        // `Display` hides secret text.
        Key::Found(name) => name.to_string(),
        other => other.owned().to_string(),
    };
    Fault::new(format!("cannot {verb} property \"{shown}\" of null: {variable} is null"))
}

/// The properties that lists and strings have.
fn sized(length: usize, name: &str) -> Val {
    match name {
        "length" => Val::Number(count(u64::try_from(length).unwrap_or(u64::MAX))),
        "empty" => Val::Bool(length == 0),
        _ => Val::Null,
    }
}

/// A non-negative integral number; saturates.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be integral and not negative; `as` saturates"
)]
fn whole(n: f64) -> u64 {
    n as u64
}
