//! Answers coming in.

use super::heap::Val;
use super::machine::{Fault, Machine, Step};
use crate::effect::{CallError, Effect, Resume};
use crate::ir::Instruction;
use crate::state::Waiting;
use crate::value::Value;

impl Machine<'_> {
    /// Takes the answer to what the state waits for, and goes on.
    pub(super) fn answer(&mut self, answer: Resume) -> Effect {
        let waiting = std::mem::replace(&mut self.state.waiting, Waiting::Ended);
        let step = match (&waiting, answer) {
            (Waiting::Log, Resume::Continue) => Ok(Step::Next),
            // A note stood before an instruction that is still to do.
            (Waiting::Note, Resume::Continue) => Ok(Step::Reframed),
            (Waiting::Call, Resume::Returned(Ok(value))) => self.deliver(value),
            (Waiting::Call, Resume::Returned(Err(error))) => Err(raised(error)),
            (Waiting::Page(_), Resume::Form(form)) => self.deliver(Value::Map(form)),
            (Waiting::Page(page), Resume::Abort { form, url }) => self.abort(&page.template, form, url),
            (Waiting::Callback, Resume::Callback(parameters)) => self.deliver(Value::Map(parameters)),
            (Waiting::Page(page), Resume::Callback(parameters)) if page.callback => {
                self.deliver(Value::Map(parameters))
            }
            (Waiting::Ended, _) => Err(Fault::limit("this run is over")),
            _ => Err(Fault::limit("this answer is not the one that the flow waits for")),
        };
        match step {
            Ok(Step::Leave(effect)) => return *effect,
            Ok(Step::Next) => self.advance(),
            Ok(Step::Jump(_) | Step::Reframed) => {}
            Err(fault) => {
                if let Some(effect) = self.unwind(fault) {
                    return effect;
                }
            }
        }
        self.run()
    }

    /// Gives a value to the target of the instruction at work.
    fn deliver(&mut self, value: Value) -> Result<Step, Fault> {
        let value = self.import(value)?;
        let program = self.program()?;
        let target = match Self::instruction(program.body(), self.frame()?)? {
            Instruction::Call { target, error, .. } => {
                if let Some(error) = error {
                    self.set_slot(*error, Val::Null)?;
                }
                target
            }
            Instruction::Render { target, .. } | Instruction::Redirect { target, .. } => target,
            _ => return Err(Fault::limit("the saved state waits at an instruction that waits for nothing")),
        };
        if let Some(target) = target {
            self.assign(program.body(), target, value)?;
        }
        Ok(Step::Next)
    }
}

fn raised(error: CallError) -> Fault {
    Fault { message: error.message, raised: Some(Box::new((error.code, error.data))), limit: false }
}
