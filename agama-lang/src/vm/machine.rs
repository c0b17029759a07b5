//! The loop over instructions.

use std::sync::Arc;

use super::Limits;
use super::heap::{Val, collect, frame_cost, loop_cost};
use crate::effect::{Call, Catalog, Crash, Effect, Level, LogSource, Page, Place, Routine};
use crate::ir::{Body, CalleeName, Instruction, Operand, Path, Program};
use crate::state::{Frame, LARGEST_VALUE, Loop, Note, Over, SavedPage, State, Waiting};
use crate::value::{Map, Marks, Text, Value};

/// What a log line and a call burn: they cost whoever runs the machine more than an instruction does.
const LOG_COST: usize = 100;
const CALL_COST: usize = 500;

/// Why an instruction failed.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// The error's code and data, when a routine raised it.
    pub(crate) raised: Option<Box<(String, Value)>>,
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
    Leave(Box<Effect>),
}

impl Step {
    pub(super) fn leave(effect: Effect) -> Self {
        Step::Leave(Box::new(effect))
    }
}

/// A state at work.
pub(super) struct Machine<'a> {
    pub(super) catalog: &'a dyn Catalog,
    pub(super) state: State,
    pub(super) limits: &'a Limits,
    /// The map that the page just rendered shows.
    model: Option<Val>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(catalog: &'a dyn Catalog, state: State, limits: &'a Limits) -> Self {
        Self { catalog, state, limits, model: None }
    }

    /// The state as it is handed out beside an effect.
    pub(super) fn finish(mut self, effect: Effect) -> (State, Effect) {
        self.state.waiting = match &effect {
            Effect::Render(page) => Waiting::Page(SavedPage {
                template: page.template.clone(),
                model: self.model.take(),
                callback: page.callback,
                line: page.at.line,
            }),
            Effect::Redirect { .. } => Waiting::Callback,
            Effect::Call(_) => Waiting::Call,
            Effect::Log { source: LogSource::Flow, .. } => Waiting::Log,
            Effect::Log { .. } => Waiting::Note,
            Effect::Finished(_) | Effect::Crashed(_) => {
                self.state.frames.clear();
                self.state.notes.clear();
                Waiting::Ended
            }
        };
        if !matches!(effect, Effect::Call(_) | Effect::Log { .. }) {
            // A person is waited for, or nobody: what comes next has fuel of its own.
            self.state.burnt = 0;
            collect(&mut self.state);
        }
        (self.state, effect)
    }

    /// Runs until something is needed.
    pub(super) fn run(&mut self) -> Effect {
        loop {
            if let Some(effect) = self.say_note() {
                return effect;
            }
            match self.stretch() {
                Ok(Some(effect)) => return effect,
                Ok(None) => {}
                Err(fault) => {
                    if let Some(effect) = self.unwind(fault) {
                        return effect;
                    }
                }
            }
        }
    }

    /// Runs inside one frame, until it is another's turn or there is something to say.
    fn stretch(&mut self) -> Result<Option<Effect>, Fault> {
        let program = self.program()?;
        loop {
            self.burn(1)?;
            self.check_heap()?;
            match self.step(program.body())? {
                Step::Leave(effect) => return Ok(Some(*effect)),
                Step::Next => self.advance(),
                Step::Jump(to) => self.frame_mut()?.at = to,
                Step::Reframed => return Ok(None),
            }
            if !self.state.notes.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Something the machine has to say about the instruction at work.
    pub(super) fn note(&mut self, text: String) {
        let line = self.place().line;
        self.state.notes.push(Note { line, text });
    }

    fn say_note(&mut self) -> Option<Effect> {
        if self.state.notes.is_empty() {
            return None;
        }
        let note = self.state.notes.remove(0);
        if let Err(fault) = self.burn(LOG_COST) {
            return Some(Effect::Crashed(Crash { message: fault.message, at: self.place() }));
        }
        let at = Place { line: note.line, ..self.place() };
        Some(Effect::Log { level: Level::Warn, message: note.text, source: LogSource::Engine, at })
    }

    pub(super) fn advance(&mut self) {
        if let Some(frame) = self.state.frames.last_mut() {
            frame.at = frame.at.saturating_add(1);
        }
    }

    pub(super) fn burn(&mut self, amount: usize) -> Result<(), Fault> {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.state.burnt = self.state.burnt.saturating_add(amount);
        if self.state.burnt > self.limits.fuel {
            let most = self.limits.fuel;
            return Err(Fault::limit(format!("the flow did more than {most} steps without a pause")));
        }
        Ok(())
    }

    /// For work that grows with a text.
    pub(super) fn burn_text(&mut self, text: &str) -> Result<(), Fault> {
        self.burn(text.len() / 64)
    }

    /// Keeps what the run holds below its limit.
    pub(super) fn check_heap(&mut self) -> Result<(), Fault> {
        if self.state.heap.bytes() <= self.limits.heap_bytes {
            return Ok(());
        }
        collect(&mut self.state);
        if self.state.heap.bytes() > self.limits.heap_bytes {
            return Err(Fault::limit(format!("the flow holds more than {} bytes", self.limits.heap_bytes)));
        }
        // A collection costs as much as what it kept.
        let kept = self.state.heap.bytes() / 64;
        self.burn(kept)
    }

    pub(super) fn frame(&self) -> Result<&Frame, Fault> {
        self.state.frames.last().ok_or_else(|| Fault::limit("no flow is active"))
    }

    pub(super) fn frame_mut(&mut self) -> Result<&mut Frame, Fault> {
        self.state.frames.last_mut().ok_or_else(|| Fault::limit("no flow is active"))
    }

    /// Puts a frame on top.
    pub(super) fn push(&mut self, frame: Frame) {
        self.state.heap.charge(frame_cost(&frame));
        self.state.frames.push(frame);
    }

    /// The program of a frame, exactly the one it began with.
    pub(super) fn program_of(&self, frame: &Frame) -> Result<Arc<Program>, Fault> {
        match self.catalog.program(&frame.flow) {
            Some(program) if *program.digest() == frame.program => {
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
    pub(super) fn instruction<'p>(body: &'p Body, frame: &Frame) -> Result<&'p Instruction, Fault> {
        let at = usize::try_from(frame.at).unwrap_or(usize::MAX);
        body.code.get(at).ok_or_else(|| Fault::limit("the saved state points outside its program"))
    }

    pub(super) fn place(&self) -> Place {
        let Ok(frame) = self.frame() else { return Place::default() };
        let at = usize::try_from(frame.at).unwrap_or(usize::MAX);
        let line = self.program_of(frame).ok().and_then(|program| program.body().lines.get(at).copied());
        Place { flow: frame.flow.as_ref().to_owned(), line: line.unwrap_or(0) }
    }

    fn step(&mut self, body: &Body) -> Result<Step, Fault> {
        match Self::instruction(body, self.frame()?)? {
            Instruction::Assign { target, value } => {
                let value = self.evaluate(body, value)?;
                self.assign(body, target, value)?;
                Ok(Step::Next)
            }
            Instruction::Log { args } => {
                self.burn(LOG_COST)?;
                let args = self.evaluate_all(body, args)?;
                let (level, message) = self.log_line(&args)?;
                Ok(Step::leave(Effect::Log { level, message, source: LogSource::Flow, at: self.place() }))
            }
            Instruction::Finish { value } => {
                let result = self.evaluate(body, value)?;
                self.finish_flow(result, || named(body, value))
            }
            Instruction::Redirect { url, .. } => match self.evaluate(body, url)? {
                Val::Text(url) => Ok(Step::leave(Effect::Redirect { url, at: self.place() })),
                other => Err(unfit("RFAC needs a string", body, url, &other)),
            },
            Instruction::Render { template, model, callback, .. } => {
                self.render(body, template, model.as_ref(), *callback)
            }
            Instruction::Trigger { flow, args, .. } => self.trigger(body, flow, args),
            Instruction::Call { callee, args, error, .. } => self.call(body, callee, args, error.is_some()),
            Instruction::JumpUnless { left, right, negated, to } => {
                let left = self.evaluate(body, left)?;
                let right = self.evaluate(body, right)?;
                let holds = self.equal(&left, &right)? != *negated;
                Ok(if holds { Step::Next } else { Step::Jump(*to) })
            }
            Instruction::Jump(to) => Ok(Step::Jump(*to)),
            Instruction::BeginRepeat { count } => match self.evaluate(body, count)? {
                Val::Number(count) => self.open(Over::Count(count)),
                other => Err(unfit("Repeat needs a number", body, count, &other)),
            },
            Instruction::BeginIterate { over } => {
                let value = self.read(body, over)?;
                let over = self.over(body, over, value)?;
                self.open(over)
            }
            Instruction::Next { item, exit } => self.next_round(*item, *exit),
            Instruction::Again(start) => {
                let open = self.frame_mut()?.loops.last_mut();
                let open = open.ok_or_else(lost_loop)?;
                open.rounds = open.rounds.saturating_add(1);
                Ok(Step::Jump(*start))
            }
            Instruction::EndLoop { target } => {
                let rounds = self.frame_mut()?.loops.pop().ok_or_else(lost_loop)?.rounds;
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
        let mut values = Vec::with_capacity(operands.len());
        for operand in operands {
            values.push(self.evaluate(body, operand)?);
        }
        Ok(values)
    }

    pub(super) fn evaluate(&mut self, body: &Body, operand: &Operand) -> Result<Val, Fault> {
        Ok(match operand {
            Operand::Null => Val::Null,
            Operand::Bool(b) => Val::Bool(*b),
            Operand::Number(n) => Val::Number(*n),
            Operand::Text(text) => Val::Text(Text::new(Arc::clone(text))),
            Operand::Variable(path) => self.read(body, path)?,
            Operand::Negated(path) => match self.read(body, path)? {
                Val::Number(n) => Val::Number(-n),
                other => {
                    let name = body.full(path);
                    return Err(Fault::new(format!("-{name} needs a number: {name} is {}", other.kind())));
                }
            },
            Operand::List(items) => {
                self.check_size(items.len())?;
                self.burn(items.len())?;
                let items = self.evaluate_all(body, items)?;
                self.state.heap.new_list(items)
            }
            Operand::Map(entries) => {
                self.check_size(entries.len())?;
                self.burn(entries.len())?;
                let mut made = indexmap::IndexMap::with_capacity(entries.len());
                for (key, value) in entries {
                    made.insert(Arc::clone(key), self.evaluate(body, value)?);
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
        self.model = None;
        let mut shown = Map::new();
        if let Some(path) = model {
            match self.read(body, path)? {
                value @ Val::Map(_) => {
                    if let Value::Map(map) = self.export(&value)? {
                        shown = map;
                    }
                    self.model = Some(value);
                }
                other => {
                    let message = format!("RRF needs a map: {} is {}", body.full(path), other.kind());
                    return Err(Fault::new(message));
                }
            }
        }
        let template = self.page_path(&body.basepath, template)?;
        Ok(Step::leave(Effect::Render(Page { template, model: shown, callback, at: self.place() })))
    }

    fn call(
        &mut self,
        body: &Body,
        callee: &CalleeName,
        args: &[Operand],
        caught: bool,
    ) -> Result<Step, Fault> {
        self.burn(CALL_COST)?;
        let routine = match callee {
            CalleeName::Static { package, function } => {
                Routine::Static { package: package.clone(), function: function.clone() }
            }
            CalleeName::Method { object, method } => {
                let value = self.read(body, object)?;
                if value == Val::Null {
                    let name = body.full(object);
                    return Err(Fault::new(format!("cannot call method {method} of null: {name} is null")));
                }
                Routine::Method { object: self.export(&value)?, method: method.clone() }
            }
        };
        let values = self.evaluate_all(body, args)?;
        let mut args = Vec::with_capacity(values.len());
        for value in &values {
            args.push(self.export(value)?);
        }
        Ok(Step::leave(Effect::Call(Call { routine, args, caught, at: self.place() })))
    }

    /// Hands a value out as a tree, no larger than the run itself may be.
    pub(super) fn export(&mut self, value: &Val) -> Result<Value, Fault> {
        let budget = self.limits.heap_bytes.min(LARGEST_VALUE);
        let mut left = budget;
        let tree = self.state.heap.export(value, &mut left)?;
        self.burn((budget - left) / 64)?;
        Ok(tree)
    }

    /// Takes a tree in.
    pub(super) fn import(&mut self, value: Value) -> Result<Val, Fault> {
        self.state.heap.import(value, self.limits.collection_size)
    }

    fn open(&mut self, over: Over) -> Result<Step, Fault> {
        let open = Loop { rounds: 0, over };
        self.state.heap.charge(loop_cost(&open));
        self.frame_mut()?.loops.push(open);
        Ok(Step::Next)
    }

    fn over(&mut self, body: &Body, path: &Path, value: Val) -> Result<Over, Fault> {
        match value {
            Val::List(at) => Ok(Over::List(at)),
            Val::Map(at) => {
                let keys: Vec<Arc<str>> =
                    self.state.heap.map(at).map(|map| map.keys().cloned().collect()).unwrap_or_default();
                self.burn(keys.len())?;
                Ok(Over::Keys(keys))
            }
            Val::Text(text) => Ok(Over::Chars { text, next: 0 }),
            other => {
                let name = body.full(path);
                let message = format!("Iterate over needs a list, map or string: {name} is {}", other.kind());
                Err(Fault::new(message))
            }
        }
    }

    fn next_round(&mut self, item: Option<u32>, exit: u32) -> Result<Step, Fault> {
        let frame = self.state.frames.last_mut().ok_or_else(lost_loop)?;
        let open = frame.loops.last_mut().ok_or_else(lost_loop)?;
        let at = usize::try_from(open.rounds).unwrap_or(usize::MAX);
        let element = match &mut open.over {
            Over::Count(limit) => {
                return Ok(if count(open.rounds) < *limit { Step::Next } else { Step::Jump(exit) });
            }
            Over::List(list) => self.state.heap.list(*list).get(at).cloned(),
            Over::Keys(keys) => {
                keys.get(at).map(|key| Val::Text(Text::marked(Arc::clone(key), Marks::default())))
            }
            Over::Chars { text, next } => next_char(text, next),
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
        match Self::instruction(program.body(), frame).ok()? {
            Instruction::Trigger { error, .. } | Instruction::Call { error, .. } => *error,
            _ => None,
        }
    }

    fn error_value(&mut self, fault: &Fault) -> Val {
        let (code, data) =
            fault.raised.as_deref().cloned().unwrap_or_else(|| ("crash".to_owned(), Value::Null));
        // Data that is too large or too deep is left out: the error itself must arrive.
        let data = self.import(data).unwrap_or(Val::Null);
        let (message, code) = (Val::text(&fault.message), Val::text(&code));
        self.state.heap.new_record([("message", message), ("code", code), ("data", data)])
    }
}

fn next_char(text: &Text, next: &mut u32) -> Option<Val> {
    let from = usize::try_from(*next).unwrap_or(usize::MAX);
    let c = text.as_str().get(from..)?.chars().next()?;
    *next = next.saturating_add(u32::try_from(c.len_utf8()).unwrap_or(0));
    Some(Val::Text(text.derived(c.to_string())))
}

fn lost_loop() -> Fault {
    Fault::limit("the saved state lost a loop")
}

/// An operand as its author wrote it; a literal is just called that.
fn named(body: &Body, operand: &Operand) -> String {
    match operand {
        Operand::Variable(path) => body.full(path),
        Operand::Negated(path) => format!("-{}", body.full(path)),
        _ => "the literal".to_owned(),
    }
}

fn unfit(needs: &str, body: &Body, operand: &Operand, found: &Val) -> Fault {
    Fault::new(format!("{needs}: {} is {}", named(body, operand), found.kind()))
}

/// A counter as a number of the language.
#[expect(clippy::cast_precision_loss, reason = "fuel ends a loop long before 2^53 rounds")]
pub(super) fn count(n: u64) -> f64 {
    n as f64
}
