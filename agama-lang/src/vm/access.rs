//! Reading and writing variables.

use super::heap::Val;
use super::machine::{Fault, Machine, count, key_of};
use crate::ir::{Access, Body, IDX, Path};

/// One step into a value, its variable already read.
enum Key {
    Name(String),
    Index(u64),
}

impl Machine<'_> {
    fn slot(&mut self, slot: u32) -> Result<Val, Fault> {
        if slot == IDX {
            let counters = self.frame()?.loops.iter().map(|open| Val::Number(count(open.rounds))).collect();
            return Ok(self.state.heap.new_list(counters));
        }
        let frame = self.frame()?;
        let value = usize::try_from(slot).ok().and_then(|slot| frame.slots.get(slot));
        value.cloned().ok_or_else(|| Fault::limit("the saved state lost a variable"))
    }

    pub(super) fn set_slot(&mut self, slot: u32, value: Val) -> Result<(), Fault> {
        let frame = self.frame_mut()?;
        let place = usize::try_from(slot).ok().and_then(|slot| frame.slots.get_mut(slot));
        *place.ok_or_else(|| Fault::limit("the saved state lost a variable"))? = value;
        Ok(())
    }

    /// Reads `x.y[0].z`.
    pub(super) fn read(&mut self, body: &Body, path: &Path) -> Result<Val, Fault> {
        self.read_steps(body, path, path.accessors.len())
    }

    fn read_steps(&mut self, body: &Body, path: &Path, steps: usize) -> Result<Val, Fault> {
        let mut value = self.slot(path.slot)?;
        for (step, access) in path.accessors.iter().take(steps).enumerate() {
            self.burn(1)?;
            let key = self.key(body, access)?;
            if value == Val::Null {
                return Err(null_access("read", &key, &body.path(path, step)));
            }
            value = self.get(&value, &key);
        }
        Ok(value)
    }

    fn key(&mut self, body: &Body, access: &Access) -> Result<Key, Fault> {
        match access {
            Access::Name(name) => Ok(Key::Name(name.clone())),
            Access::Index(index) => Ok(Key::Index(*index)),
            Access::NameIn(slot) => match self.slot(*slot)? {
                Val::Text(text) => Ok(Key::Name(text.as_str().to_owned())),
                other => {
                    Err(Fault::new(format!("{} is not a string, but {}", body.variable(*slot), other.kind())))
                }
            },
            Access::IndexIn(slot) => match self.slot(*slot)? {
                Val::Number(n) if n >= 0.0 && n.fract() == 0.0 => Ok(Key::Index(whole(n))),
                other => {
                    let shown = match other {
                        Val::Number(n) => key_of(n),
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

    fn get(&self, value: &Val, key: &Key) -> Val {
        match (value, key) {
            (Val::Map(at), key) => {
                let entries = self.state.heap.map(*at);
                let name = key.name();
                match entries.and_then(|entries| entries.get(&name)) {
                    Some(value) => value.clone(),
                    None if name == "empty" => Val::Bool(entries.is_none_or(indexmap::IndexMap::is_empty)),
                    None => Val::Null,
                }
            }
            (Val::List(at), Key::Index(index)) => {
                let index = usize::try_from(*index).unwrap_or(usize::MAX);
                self.state.heap.list(*at).get(index).cloned().unwrap_or(Val::Null)
            }
            (Val::List(at), Key::Name(name)) => sized(self.state.heap.list(*at).len(), name),
            (Val::Text(text), Key::Index(index)) => {
                let index = usize::try_from(*index).unwrap_or(usize::MAX);
                let found = text.as_str().chars().nth(index);
                found.map_or(Val::Null, |c| Val::Text(text.derived(c.to_string())))
            }
            (Val::Text(text), Key::Name(name)) => sized(text.as_str().chars().count(), name),
            _ => Val::Null,
        }
    }

    /// Writes `x.y[0].z = value`.
    pub(super) fn assign(&mut self, body: &Body, path: &Path, value: Val) -> Result<(), Fault> {
        let Some((last, _)) = path.accessors.split_last() else {
            return self.set_slot(path.slot, value);
        };
        let steps = path.accessors.len() - 1;
        let container = self.read_steps(body, path, steps)?;
        let key = self.key(body, last)?;
        match (container, key) {
            (Val::Null, key) => Err(null_access("write", &key, &body.path(path, steps))),
            (Val::Map(at), key) => {
                let name = key.name();
                let size = self.state.heap.map(at).map_or(0, indexmap::IndexMap::len);
                self.check_size(size + 1)?;
                self.state.heap.set_entry(at, &name, value);
                self.check_heap()
            }
            (Val::List(at), Key::Index(index)) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                self.check_size(index.saturating_add(1))?;
                self.burn(index.saturating_sub(self.state.heap.list(at).len()))?;
                self.state.heap.set_item(at, index, value);
                self.check_heap()
            }
            (Val::List(at), Key::Name(name)) if name == "length" => match value {
                Val::Number(n) if n >= 0.0 && n.fract() == 0.0 => {
                    let length = usize::try_from(whole(n)).unwrap_or(usize::MAX);
                    self.check_size(length)?;
                    self.burn(length)?;
                    self.state.heap.resize(at, length);
                    self.check_heap()
                }
                other => Err(Fault::new(format!(
                    "the length of {} must be zero or a positive integer, this is {}",
                    body.path(path, steps),
                    other.kind()
                ))),
            },
            // As the reference: strings, numbers and booleans can't be changed, and saying so is no error.
            _ => Ok(()),
        }
    }

    pub(super) fn check_size(&self, size: usize) -> Result<(), Fault> {
        let most = self.limits.collection_size;
        if size > most {
            return Err(Fault::limit(format!("a list or map has more than {most} elements")));
        }
        Ok(())
    }
}

impl Key {
    fn name(&self) -> String {
        match self {
            Key::Name(name) => name.clone(),
            Key::Index(index) => index.to_string(),
        }
    }
}

fn null_access(verb: &str, key: &Key, variable: &str) -> Fault {
    Fault::new(format!("cannot {verb} property \"{}\" of null: {variable} is null", key.name()))
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
