//! Flows that call flows: `Trigger`, `Finish`, template overrides, cancellation.

use super::heap::Val;
use super::machine::{Fault, Machine, Step};
use crate::effect::{Effect, Outcome};
use crate::ir::{Body, FlowName, Instruction, Operand};
use crate::state::Frame;
use crate::value::{Map, Value};

impl Machine<'_> {
    /// Makes the started flow's frame.
    pub(super) fn enter_first(&mut self, flow: &str, mut inputs: Map) -> Result<(), Fault> {
        let program = self.catalog.program(flow).ok_or_else(|| unknown(flow))?;
        let mut values = Vec::with_capacity(program.inputs().len());
        for name in program.inputs() {
            let value = inputs.shift_remove(name).unwrap_or_default();
            values.push(self.import(value)?);
        }
        self.enter(flow, values)
    }

    fn enter(&mut self, flow: &str, inputs: Vec<Val>) -> Result<(), Fault> {
        if self.state.frames.len() >= self.limits.depth {
            return Err(Fault::limit(format!(
                "more than {} flows are active: does one Trigger itself?",
                self.limits.depth
            )));
        }
        let program = self.catalog.program(flow).ok_or_else(|| unknown(flow))?;
        let mut slots = vec![Val::Null; program.body().variables.len()];
        for (slot, value) in slots.iter_mut().zip(inputs.into_iter().take(program.inputs().len())) {
            *slot = value;
        }
        self.push(Frame { flow: flow.into(), program: *program.digest(), at: 0, slots, loops: Vec::new() });
        if let Some(slot) = program.body().configs {
            let config = self.import(Value::Map(self.catalog.config(flow)))?;
            self.set_slot(slot, config)?;
        }
        Ok(())
    }

    pub(super) fn trigger(&mut self, body: &Body, flow: &FlowName, args: &[Operand]) -> Result<Step, Fault> {
        let name = match flow {
            FlowName::Literal(name) => name.clone(),
            FlowName::Variable(path) => match self.read(body, path)? {
                Val::Text(text) => {
                    if self.catalog.program(text.as_str()).is_none() {
                        // `Display` hides secret text.
                        return Err(unknown(&text.to_string()));
                    }
                    text.as_str().to_owned()
                }
                other => {
                    let variable = body.path(path, path.accessors.len());
                    return Err(Fault::new(format!(
                        "the flow's name is not a string: {variable} is {}",
                        other.kind()
                    )));
                }
            },
        };
        let args = self.evaluate_all(body, args)?;
        self.enter(&name, args)?;
        Ok(Step::Reframed)
    }

    /// `Finish`: the result goes to the parent's `Trigger`, or out.
    pub(super) fn finish_flow(&mut self, value: Val, name: impl FnOnce() -> String) -> Result<Step, Fault> {
        let result = self.result_of(value, name)?;
        self.leave(result)
    }

    /// Ends the innermost flow with a result.
    fn leave(&mut self, result: Val) -> Result<Step, Fault> {
        if self.state.frames.len() <= 1 {
            let Value::Map(map) = self.export(&result)? else {
                return Err(Fault::limit("a result is always a map"));
            };
            return Ok(Step::leave(Effect::Finished(outcome(map))));
        }
        self.state.frames.pop();
        let program = self.program()?;
        let Instruction::Trigger { target, error, .. } = Self::instruction(program.body(), self.frame()?)?
        else {
            return Err(Fault::limit("the saved state returns to a place that is no Trigger"));
        };
        if let Some(error) = error {
            self.set_slot(*error, Val::Null)?;
        }
        if let Some(target) = target {
            self.assign(program.body(), target, result)?;
        }
        self.advance();
        Ok(Step::Reframed)
    }

    fn result_of(&mut self, value: Val, name: impl FnOnce() -> String) -> Result<Val, Fault> {
        match &value {
            Val::Text(_) => {
                let data = self.state.heap.new_record([("userId", value)]);
                Ok(self.state.heap.new_record([("success", Val::Bool(true)), ("data", data)]))
            }
            Val::Bool(_) => Ok(self.state.heap.new_record([("success", value)])),
            Val::Map(at) => {
                let success = self.state.heap.map(*at).and_then(|entries| entries.get("success"));
                match success.unwrap_or(&Val::Null) {
                    Val::Bool(_) => Ok(value),
                    other => {
                        let message = format!("{}.success is {}", name(), other.kind());
                        Err(Fault::new(format!("Finish needs a map with a boolean \"success\": {message}")))
                    }
                }
            }
            other => Err(Fault::new(format!(
                "Finish can't tell success from failure: {} is {}; it needs a boolean, a string or a map with a boolean \"success\"",
                name(),
                other.kind()
            ))),
        }
    }

    /// The path of a page: below the flow's base path, with the overrides of all parents, nearest first.
    pub(super) fn page_path(&self, basepath: &str, template: &str) -> Result<String, Fault> {
        let mut path = normalise(&join(basepath, template))?;
        for frame in self.state.frames.iter().rev().skip(1) {
            for (original, replacement) in self.overrides_of(frame)? {
                if original == path {
                    path = replacement;
                    break;
                }
            }
        }
        if path.rsplit('/').next().is_some_and(|file| file.contains('.')) {
            Ok(path)
        } else {
            Err(Fault::new(format!("the template {path:?} has no file extension")))
        }
    }

    /// The overrides of the `Trigger` at work in a parent: (original path, path to show instead).
    fn overrides_of(&self, parent: &Frame) -> Result<Vec<(String, String)>, Fault> {
        let program = self.program_of(parent)?;
        let Instruction::Trigger { overrides, .. } = Self::instruction(program.body(), parent)? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::with_capacity(overrides.len());
        for (original, replacement) in overrides {
            let original = normalise(original)?;
            let file = if replacement.is_empty() {
                original.rsplit('/').next().unwrap_or_default()
            } else {
                replacement.as_str()
            };
            let replacement = normalise(&join(program.basepath(), file))?;
            found.push((original, replacement));
        }
        Ok(found)
    }

    /// The person gave up on `page`: the nearest parent that overrides it goes on, else the run is over.
    pub(super) fn abort(&mut self, page: &str, form: Map, url: String) -> Result<Step, Fault> {
        let mut catcher = None;
        for (depth, frame) in self.state.frames.iter().enumerate().rev().skip(1) {
            if self.overrides_of(frame)?.iter().any(|(_, shown)| shown == page) {
                catcher = Some(depth);
                break;
            }
        }
        let Some(depth) = catcher else {
            let outcome =
                Outcome { aborted: true, data: Value::Map(form), url: Some(url), ..Outcome::default() };
            return Ok(Step::leave(Effect::Finished(outcome)));
        };
        // Keep the catching parent and its child; leaving the child hands the result over.
        self.state.frames.truncate(depth + 2);
        let data = self.import(Value::Map(form))?;
        let entries = [("aborted", Val::Bool(true)), ("data", data), ("url", Val::text(&url))];
        let result = self.state.heap.new_record(entries);
        self.leave(result)
    }
}

fn unknown(flow: &str) -> Fault {
    Fault::new(format!("there is no flow {flow}"))
}

fn outcome(mut map: Map) -> Outcome {
    let mut take = |key: &str| map.shift_remove(key).unwrap_or_default();
    Outcome {
        success: take("success") == Value::Bool(true),
        data: take("data"),
        error: take("error"),
        aborted: take("aborted") == Value::Bool(true),
        url: take("url").as_str().map(str::to_owned),
    }
}

fn join(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

/// Resolves `.` and `..`; leaving the templates root is an error.
fn normalise(path: &str) -> Result<String, Fault> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(Fault::new(format!(
                        "the template path {path:?} leaves the templates folder"
                    )));
                }
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}
