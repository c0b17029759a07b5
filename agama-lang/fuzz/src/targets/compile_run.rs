//! What compiles runs within its limits, is stored and read back at every effect, and goes on the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile_bytes;
use agama_lang::effect::{CallError, Catalog, Effect, Resume};
use agama_lang::ir::Program;
use agama_lang::state::State;
use agama_lang::value::{Map, Value};
use agama_lang::vm::{self, Limits};

use super::kind_of;

/// Small, so that they are met.
pub(super) const LIMITS: Limits =
    Limits { fuel: 20_000, heap_bytes: 32 * 1024, collection_size: 200, depth: 8 };
/// So many answers are given.
const ROUNDS: u32 = 60;

/// One flow, under its own name and under many others.
pub(super) struct One(pub(super) Option<Arc<Program>>);

impl Catalog for One {
    fn program(&self, flow: &str) -> Option<Arc<Program>> {
        self.0.clone().filter(|program| flow == program.name() || flow.len().is_multiple_of(2))
    }

    fn config(&self, _flow: &str) -> Map {
        Map::from_iter([("limit".to_owned(), Value::Number(2.0)), ("key".to_owned(), Value::from("value"))])
    }
}

pub(super) fn run(input: &[u8]) -> String {
    let Some(program) = compile_bytes(input, "a.b.flow", &NoFacts).program else {
        return "refused".to_owned();
    };
    let read = Program::from_bytes(&program.to_bytes());
    assert!(read.as_ref() == Ok(&*program), "a stored program is another one");
    let name = program.name().to_owned();
    let catalog = One(Some(program));
    let inputs = Map::from_iter([("given".to_owned(), Value::from("an input"))]);
    let (mut state, mut effect) = vm::start(&catalog, &name, inputs, &LIMITS);
    let mut seen = BTreeSet::new();
    for round in 0..ROUNDS {
        let (kind, answer) = answer(&effect, round);
        seen.insert(kind);
        let Some(answer) = answer else { break };
        let stored = state.encode();
        let again = State::decode(&stored);
        assert!(again.is_ok(), "a state that was stored can't be read: {again:?}");
        let Ok(again) = again else { break };
        assert_eq!(again.encode(), stored, "storing is not stable");
        let straight = vm::resume(&catalog, state, answer.clone(), &LIMITS);
        let (after, next) = vm::resume(&catalog, again, answer, &LIMITS);
        assert_eq!(after.encode(), straight.0.encode(), "a stored run goes on in another way");
        assert_eq!(format!("{next:?}"), format!("{:?}", straight.1), "a stored run does something else");
        (state, effect) = (after, next);
    }
    format!("{seen:?}")
}

/// What kind of effect it is, and an answer to it.
fn answer(effect: &Effect, round: u32) -> (String, Option<Resume>) {
    let data = || {
        let list = Value::List(vec![Value::Number(f64::from(round)), Value::Null, Value::from("text")]);
        Map::from_iter([("key".to_owned(), list), ("n".to_owned(), Value::Number(2.0))])
    };
    match effect {
        Effect::Finished(outcome) => (format!("finished {} {}", outcome.success, outcome.aborted), None),
        Effect::Crashed(crash) => (format!("crashed {}", kind_of(&crash.message)), None),
        Effect::Log { source, level, .. } => (format!("log {source:?} {level:?}"), Some(Resume::Continue)),
        Effect::Call(call) => {
            let result = match round % 3 {
                0 => Ok(Value::Map(data())),
                1 => Err(CallError::new("failed", "broken")),
                _ => Ok(Value::secret("secret")),
            };
            (format!("call {}", call.caught), Some(Resume::Returned(result)))
        }
        Effect::Render(page) => {
            let answer = match round % 4 {
                3 => Resume::Abort { form: data(), url: page.template.clone() },
                2 if page.callback => Resume::Callback(data()),
                _ => Resume::Form(data()),
            };
            (format!("page {}", page.callback), Some(answer))
        }
        Effect::Redirect { .. } => ("redirect".to_owned(), Some(Resume::Callback(data()))),
    }
}
