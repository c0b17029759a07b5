//! The loop over instructions.

use std::sync::Arc;

use super::Limits;
use super::heap::{Val, collect};
use super::text::number_text;
use crate::effect::{Call, Catalog, Crash, Effect, Level, LogSource, Page, Place, Routine};
use crate::ir::{Body, CalleeName, Instruction, Operand, Path, Program};
use crate::source::to_u32;
use crate::state::{Frame, Loop, Over, SavedPage, State, Waiting};
use crate::value::{Map, Text, Value};

/// Why an instruction failed.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// The error's code and data, when a routine raised it.
    pub(crate) raised: Option<(String, Value)>,
    /// Breaches of limits can't be caught.
    pub(crate) limit: bool,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), raised: None, limit: false }
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self { message: message.into(), raised: None, limit: true }
    }
}

/// What an instruction leads to.
pub(super) enum Step {
    /// The next one.
    Next,
    /// Another one.
    Jump(u32),
    /// The frames changed; look again.
    Reframed,
    /// Out of the machine.
    Leave(Effect),
}

/// A state at work.
pub(super) struct Machine<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) state: State,
    pub(super) limits: &'a Limits,
    fuel: u64,
    /// The program of the last frame, and how many frames there were: one step adds or removes one at most.
    at_work: Option<(usize, Arc<Program>)>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(catalog: &'a dyn Catalog, state: State, limits: &'a Limits) -> Self {
        Self { catalog, state, limits, fuel: limits.fuel, at_work: None }
    }

    /// The state as it is handed out beside an effect.
    pub(super) fn finish(mut self, effect: Effect) -> (State, Effect) {
        self.state.waiting = match &effect {
            Effect::Render(page) => Waiting::Page(SavedPage::of(page)),
            Effect::Redirect { at, .. } => Waiting::Callback(at.clone()),
            Effect::Call(_) => Waiting::Call,
            Effect::Log { source: LogSource::Flow, .. } => Waiting::Log,
            Effect::Log { .. } => Waiting::Note,
            Effect::Finished(_) | Effect::Crashed(_) => {
                self.state.frames.clear();
                Waiting::Ended
            }
        };
        if matches!(effect, Effect::Render(_) | Effect::Redirect { .. }) {
            collect(&mut self.state);
        }
        (self.state, effect)
    }

    /// Runs until something is needed.
    pub(super) fn run(&mut self) -> Effect {
        loop {
            if let Some(effect) = self.note() {
                return effect;
            }
            match self.step() {
                Ok(Step::Leave(effect)) => return effect,
                Ok(Step::Next) => self.advance(),
                Ok(Step::Jump(to)) => {
                    if let Some(frame) = self.state.frames.last_mut() {
                        frame.at = to;
                    }
                }
                Ok(Step::Reframed) => {}
                Err(fault) => {
                    self.at_work = None;
                    if let Some(effect) = self.unwind(fault) {
                        return effect;
                    }
                }
            }
        }
    }

    /// A line the machine has to say about the flow.
    fn note(&mut self) -> Option<Effect> {
        if self.state.notes.is_empty() {
            return None;
        }
        let message = self.state.notes.remove(0);
        Some(Effect::Log { level: Level::Warn, message, source: LogSource::Engine, at: self.place() })
    }

    pub(super) fn advance(&mut self) {
        if let Some(frame) = self.state.frames.last_mut() {
            frame.at = frame.at.saturating_add(1);
        }
    }

    pub(super) fn burn(&mut self, amount: usize) -> Result<(), Fault> {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.fuel = self.fuel.checked_sub(amount).ok_or_else(|| {
            Fault::limit(format!("the flow ran more than {} instructions without a pause", self.limits.fuel))
        })?;
        Ok(())
    }

    /// Keeps the heap below its limit.
    pub(super) fn check_heap(&mut self) -> Result<(), Fault> {
        if self.state.heap.bytes() <= self.limits.heap_bytes {
            return Ok(());
        }
        collect(&mut self.state);
        if self.state.heap.bytes() > self.limits.heap_bytes {
            return Err(Fault::limit(format!("the flow holds more than {} bytes", self.limits.heap_bytes)));
        }
        // Garbage is collected at most once in a while: a collection costs as much as what it kept.
        let kept = self.state.heap.bytes() / 64;
        self.burn(kept)
    }

    pub(super) fn frame(&self) -> Result<&Frame, Fault> {
        self.state.frames.last().ok_or_else(|| Fault::limit("no flow is active"))
    }

    pub(super) fn frame_mut(&mut self) -> Result<&mut Frame, Fault> {
        self.state.frames.last_mut().ok_or_else(|| Fault::limit("no flow is active"))
    }

    /// The program of a frame, exactly the one it began with.
    pub(super) fn program_of(&self, frame: &Frame) -> Result<Arc<Program>, Fault> {
        match self.catalog.program(&frame.flow) {
            Some(program) if program.hash() == frame.hash => {
                if frame.slots.len() == program.body().variables.len() {
                    Ok(program)
                } else {
                    Err(Fault::limit("the saved state does not fit its program"))
                }
            }
            Some(_) => {
                Err(Fault::limit(format!("the program of {} is not the one this run began with", frame.flow)))
            }
            None => Err(Fault::limit(format!("the program of {} is gone", frame.flow))),
        }
    }

    pub(super) fn program(&self) -> Result<Arc<Program>, Fault> {
        self.program_of(self.frame()?)
    }

    /// The instruction at work in a frame.
    pub(super) fn instruction<'p>(program: &'p Program, frame: &Frame) -> Result<&'p Instruction, Fault> {
        let at = usize::try_from(frame.at).unwrap_or(usize::MAX);
        program.body().code.get(at).ok_or_else(|| Fault::limit("the saved state points outside its program"))
    }

    pub(super) fn place(&self) -> Place {
        let Ok(frame) = self.frame() else { return Place::default() };
        let at = usize::try_from(frame.at).unwrap_or(usize::MAX);
        let line = self.program_of(frame).ok().and_then(|program| program.body().lines.get(at).copied());
        Place { flow: frame.flow.clone(), line: line.unwrap_or(0) }
    }

    fn step(&mut self) -> Result<Step, Fault> {
        self.burn(1)?;
        self.check_heap()?;
        let depth = self.state.frames.len();
        let program = match &self.at_work {
            Some((known, program)) if *known == depth => Arc::clone(program),
            _ => {
                let program = self.program()?;
                self.at_work = Some((depth, Arc::clone(&program)));
                program
            }
        };
        let body = program.body();
        match Self::instruction(&program, self.frame()?)? {
            Instruction::Assign { target, value } => {
                let value = self.evaluate(body, value)?;
                self.assign(body, target, value)?;
                Ok(Step::Next)
            }
            Instruction::Log { args } => {
                let args = self.evaluate_all(body, args)?;
                let (level, message) = self.log_line(&args)?;
                Ok(Step::Leave(Effect::Log { level, message, source: LogSource::Flow, at: self.place() }))
            }
            Instruction::Finish { value } => {
                let value = self.evaluate(body, value)?;
                self.finish_flow(value)
            }
            Instruction::Redirect { url, .. } => match self.evaluate(body, url)? {
                Val::Text(url) => Ok(Step::Leave(Effect::Redirect { url, at: self.place() })),
                other => Err(Fault::new(format!("RFAC needs a string, this is {}", other.kind()))),
            },
            Instruction::Render { template, model, callback, .. } => {
                self.render(body, template, model.as_ref(), *callback)
            }
            Instruction::Trigger { flow, args, .. } => self.trigger(body, flow, args),
            Instruction::Call { callee, args, error, .. } => self.call(body, callee, args, error.is_some()),
            Instruction::JumpUnless { left, right, negated, to } => {
                let left = self.evaluate(body, left)?;
                let right = self.evaluate(body, right)?;
                let holds = self.equal(&left, &right) != *negated;
                Ok(if holds { Step::Next } else { Step::Jump(*to) })
            }
            Instruction::Jump(to) => Ok(Step::Jump(*to)),
            Instruction::BeginRepeat { count } => match self.evaluate(body, count)? {
                Val::Number(count) => self.open(Over::Count(count)),
                other => Err(Fault::new(format!("Repeat needs a number, this is {}", other.kind()))),
            },
            Instruction::BeginIterate { over } => {
                let value = self.read(body, over)?;
                let over = self.over(body, over, value)?;
                self.open(over)
            }
            Instruction::Next { item, exit } => self.next_round(*item, *exit),
            Instruction::Again(start) => {
                let open = self.frame_mut()?.loops.last_mut();
                let open = open.ok_or_else(|| Fault::limit("the saved state lost a loop"))?;
                open.rounds = open.rounds.saturating_add(1);
                Ok(Step::Jump(*start))
            }
            Instruction::EndLoop { target } => {
                let closed = self.frame_mut()?.loops.pop();
                let rounds = closed.ok_or_else(|| Fault::limit("the saved state lost a loop"))?.rounds;
                if let Some(target) = target {
                    self.assign(body, target, Val::Number(count(rounds)))?;
                }
                Ok(Step::Next)
            }
            Instruction::NoFinish => Err(Fault::new("no Finish was reached: the flow came to its end")),
        }
    }

    /// Evaluates operands from left to right.
    pub(super) fn evaluate_all(&mut self, body: &Body, operands: &[Operand]) -> Result<Vec<Val>, Fault> {
        operands.iter().map(|operand| self.evaluate(body, operand)).collect()
    }

    pub(super) fn evaluate(&mut self, body: &Body, operand: &Operand) -> Result<Val, Fault> {
        Ok(match operand {
            Operand::Null => Val::Null,
            Operand::Bool(b) => Val::Bool(*b),
            Operand::Number(n) => Val::Number(*n),
            Operand::Text(text) => Val::text(text),
            Operand::Variable(path) => self.read(body, path)?,
            Operand::Negated(path) => match self.read(body, path)? {
                Val::Number(n) => Val::Number(-n),
                other => {
                    let name = body.path(path, path.accessors.len());
                    return Err(Fault::new(format!("-{name} needs a number, {name} is {}", other.kind())));
                }
            },
            Operand::List(items) => {
                self.burn(items.len())?;
                let items = self.evaluate_all(body, items)?;
                self.state.heap.new_list(items)
            }
            Operand::Map(entries) => {
                self.burn(entries.len())?;
                let mut made = indexmap::IndexMap::new();
                for (key, value) in entries {
                    made.insert(key.clone(), self.evaluate(body, value)?);
                }
                self.state.heap.new_map(made)
            }
        })
    }

    fn render(
        &mut self,
        body: &Body,
        template: &str,
        model: Option<&Path>,
        callback: bool,
    ) -> Result<Step, Fault> {
        let model = match model {
            None => Map::new(),
            Some(path) => match self.read(body, path)? {
                value @ Val::Map(_) => match self.export(&value)? {
                    Value::Map(map) => map,
                    _ => Map::new(),
                },
                other => {
                    let name = body.path(path, path.accessors.len());
                    return Err(Fault::new(format!("RRF needs a map, {name} is {}", other.kind())));
                }
            },
        };
        let template = self.page_path(&body.basepath, template)?;
        Ok(Step::Leave(Effect::Render(Page { template, model, callback, at: self.place() })))
    }

    fn call(
        &mut self,
        body: &Body,
        callee: &CalleeName,
        args: &[Operand],
        caught: bool,
    ) -> Result<Step, Fault> {
        let routine = match callee {
            CalleeName::Static { package, function } => {
                Routine::Static { package: package.clone(), function: function.clone() }
            }
            CalleeName::Method { object, method } => {
                let value = self.read(body, object)?;
                if value == Val::Null {
                    let name = body.path(object, object.accessors.len());
                    return Err(Fault::new(format!("cannot call method {method} of null: {name} is null")));
                }
                Routine::Method { object: self.export(&value)?, method: method.clone() }
            }
        };
        let args = self.evaluate_all(body, args)?;
        let args: Result<Vec<Value>, Fault> = args.iter().map(|arg| self.export(arg)).collect();
        Ok(Step::Leave(Effect::Call(Call { routine, args: args?, caught, at: self.place() })))
    }

    /// Hands a value out as a tree, within what fuel is left.
    pub(super) fn export(&mut self, value: &Val) -> Result<Value, Fault> {
        let budget = usize::try_from(self.fuel).unwrap_or(usize::MAX);
        let mut left = budget;
        let tree = self.state.heap.export(value, &mut left)?;
        self.burn(budget - left)?;
        Ok(tree)
    }

    fn open(&mut self, over: Over) -> Result<Step, Fault> {
        self.frame_mut()?.loops.push(Loop { rounds: 0, over });
        Ok(Step::Next)
    }

    fn over(&mut self, body: &Body, path: &Path, value: Val) -> Result<Over, Fault> {
        match value {
            Val::List(at) => Ok(Over::List(at)),
            Val::Map(at) => {
                let keys: Vec<String> =
                    self.state.heap.map(at).into_iter().flatten().map(|(k, _)| k.clone()).collect();
                self.burn(keys.len())?;
                Ok(Over::Texts(keys, false))
            }
            Val::Text(text) => {
                self.burn(text.as_str().len())?;
                Ok(Over::Texts(text.as_str().chars().map(String::from).collect(), text.marks().secret))
            }
            other => {
                let name = body.path(path, path.accessors.len());
                Err(Fault::new(format!(
                    "Iterate over needs a list, map or string; {name} is {}",
                    other.kind()
                )))
            }
        }
    }

    fn next_round(&mut self, item: Option<u32>, exit: u32) -> Result<Step, Fault> {
        let open = self.frame()?.loops.last().ok_or_else(|| Fault::limit("the saved state lost a loop"))?;
        let at = usize::try_from(open.rounds).unwrap_or(usize::MAX);
        let element = match &open.over {
            Over::Count(limit) => {
                return Ok(if count(open.rounds) < *limit { Step::Next } else { Step::Jump(exit) });
            }
            Over::List(list) => self.state.heap.list(*list).get(at).cloned(),
            Over::Texts(texts, secret) => texts.get(at).map(|text| {
                let marks = crate::value::Marks { secret: *secret, owner: None };
                Val::Text(Text::marked(text.as_str(), marks))
            }),
        };
        let Some(element) = element else { return Ok(Step::Jump(exit)) };
        if let Some(slot) = item {
            self.set_slot(slot, element)?;
        }
        Ok(Step::Next)
    }

    /// Finds who catches an error. `None` means that the machine goes on.
    pub(super) fn unwind(&mut self, fault: Fault) -> Option<Effect> {
        let origin = self.place();
        while !fault.limit && !self.state.frames.is_empty() {
            if let Some(slot) = self.catcher() {
                let error = self.error_value(&fault);
                if self.set_slot(slot, error).is_ok() {
                    self.advance();
                    return None;
                }
            }
            self.state.frames.pop();
        }
        Some(Effect::Crashed(Crash { message: fault.message, at: origin }))
    }

    /// The error variable of the instruction at work in the innermost frame.
    fn catcher(&self) -> Option<u32> {
        let frame = self.state.frames.last()?;
        let program = self.program_of(frame).ok()?;
        match Self::instruction(&program, frame).ok()? {
            Instruction::Trigger { error, .. } | Instruction::Call { error, .. } => *error,
            _ => None,
        }
    }

    fn error_value(&mut self, fault: &Fault) -> Val {
        let (code, data) = fault.raised.clone().unwrap_or_else(|| ("crash".to_owned(), Value::Null));
        let data = self.state.heap.import(data);
        let entries = [("message", Val::text(&fault.message)), ("code", Val::text(&code)), ("data", data)];
        self.state.heap.new_map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    pub(super) fn slot_count(program: &Program) -> u32 {
        to_u32(program.body().variables.len())
    }
}

/// A counter as a number of the language.
#[expect(clippy::cast_precision_loss, reason = "fuel ends a loop long before 2^53 rounds")]
pub(super) fn count(n: u64) -> f64 {
    n as f64
}

/// A key made of a number: `x[2]` on a map.
pub(super) fn key_of(n: f64) -> String {
    number_text(n)
}
