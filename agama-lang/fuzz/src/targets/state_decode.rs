//! Any bytes are a state, or are refused; what is read goes on within its limits, whatever it holds.
//!
//! An input is a state without its checksum, so that mutations get past it.

use std::sync::LazyLock;

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::effect::{Effect, Resume};
use agama_lang::state::State;
use agama_lang::value::{Map, Value};
use agama_lang::vm;

use super::compile_run::{LIMITS, One};
use super::kind_of;

/// Holds everything that a state can hold: frames, loops of each kind, sharing, cycles, secrets, pages.
const SOURCE: &str = r#"Flow a.bc
    Basepath "base"
    Configs conf
    Inputs given

l = [1, -2.5, "text", null, true]
m = {list: l, deep: {a: [l, l]}}
m.self = m
word = "añ🦎"
name = "a.bc"
s | E = Call test.secrets#get m
Iterate over m using key
    Iterate over l using item
        Iterate over word using letter
            x = 1
        Log item
        Repeat 3 times max
            page = {title: key, item: item}
            form = RRF "p.html" page
            back = RFAC "https://a.example"
            Log "%" s
    Trigger $name given
        Override templates "base/p.html" "q.html"
Finish true
"#;

static FLOW: LazyLock<One> = LazyLock::new(|| One(compile(SOURCE, "a.bc.flow", &NoFacts).program));

pub(super) fn run(input: &[u8]) -> String {
    let unsealed = State::decode(input);
    assert!(unsealed.is_err() || input.len() > 4, "nothing is no state");
    let mut bytes = input.to_vec();
    bytes.extend(crc32fast::hash(input).to_be_bytes());
    let state = match State::decode(&bytes) {
        Ok(state) => state,
        Err(error) => return kind_of(&error.to_string()),
    };
    let again = State::decode(&state.encode());
    assert!(again.is_ok(), "a state that was read can't be stored: {again:?}");
    let page = state.page();
    let mut behaviour =
        format!("{} {} {}", page.is_some(), state.waits_for_callback(), state.flows().count().min(3));
    let data = Map::from_iter([("key".to_owned(), Value::from("value"))]);
    let answers = [
        Resume::Form(data.clone()),
        Resume::Callback(data.clone()),
        Resume::Abort { form: data, url: "base/p.html".to_owned() },
        Resume::Continue,
        Resume::Returned(Ok(Value::List(vec![Value::Null]))),
    ];
    for answer in answers {
        let (_, effect) = vm::resume(&*FLOW, state.clone(), answer, &LIMITS);
        behaviour.push_str(&match effect {
            Effect::Crashed(crash) => format!(" {}", kind_of(&crash.message)),
            Effect::Finished(_) => " finished".to_owned(),
            Effect::Render(_) => " page".to_owned(),
            Effect::Redirect { .. } => " redirect".to_owned(),
            Effect::Call(_) => " call".to_owned(),
            Effect::Log { .. } => " log".to_owned(),
        });
    }
    behaviour
}

/// The states of a run of the flow, at each of its effects.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let (mut state, mut effect) = vm::start(&*FLOW, "a.bc", Map::new(), &LIMITS);
    for _ in 0..40 {
        let stored = state.encode();
        seeds.push(stored.get(..stored.len().saturating_sub(4)).unwrap_or_default().to_vec());
        let answer = match effect {
            Effect::Finished(_) | Effect::Crashed(_) => break,
            Effect::Log { .. } => Resume::Continue,
            Effect::Call(_) => Resume::Returned(Ok(Value::secret("s3cret"))),
            Effect::Render(_) => Resume::Form(Map::new()),
            Effect::Redirect { .. } => Resume::Callback(Map::new()),
        };
        (state, effect) = vm::resume(&*FLOW, state, answer, &LIMITS);
    }
    seeds
}
