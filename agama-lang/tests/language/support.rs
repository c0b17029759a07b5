//! Fixtures, and a world that answers what a program asks.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use agama_lang::ast::{Stmt, StmtKind};
use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::diagnostic::render;
use agama_lang::effect::{CallError, Catalog, Effect, Resume};
use agama_lang::ir::Program;
use agama_lang::state::State;
use agama_lang::value::{Map, Value};
use agama_lang::vm::{self, Limits};

/// Names and sources of a folder of fixtures.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "flow"))
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// Compiled flows; each has the same properties.
#[derive(Default)]
pub(crate) struct Flows(BTreeMap<String, Arc<Program>>);

impl Flows {
    pub(crate) fn of(program: Arc<Program>) -> Self {
        Self(BTreeMap::from([(program.name().to_owned(), program)]))
    }
}

impl Catalog for Flows {
    fn program(&self, flow: &str) -> Option<Arc<Program>> {
        self.0.get(flow).cloned()
    }

    fn config(&self, flow: &str) -> Map {
        Map::from_iter([("flow".to_owned(), Value::from(flow)), ("limit".to_owned(), Value::Number(2.0))])
    }
}

/// A program with what it is answered.
pub(crate) struct Script {
    flows: Flows,
    first: String,
    answers: Vec<(String, String)>,
    /// Whether answers that are not written down are made up.
    by_rote: bool,
}

/// Reads a fixture: comment lines of its start are the answers, `//// ` begins a further flow.
pub(crate) fn script(name: &str, source: &str) -> Script {
    let mut script =
        Script { flows: Flows::default(), first: String::new(), answers: Vec::new(), by_rote: false };
    for line in source.lines().take_while(|line| line.starts_with("// ")) {
        let (word, rest) = line.trim_start_matches("// ").split_once(' ').unwrap_or((line, ""));
        script.answers.push((word.to_owned(), rest.to_owned()));
    }
    for part in source.split("//// next\n") {
        let compiled = compile(part, name, &NoFacts);
        let said: String = compiled.diagnostics.iter().map(|finding| render(finding, part)).collect();
        let program = compiled.program.unwrap_or_else(|| panic!("{name}:\n{said}"));
        if script.first.is_empty() {
            program.name().clone_into(&mut script.first);
        }
        script.flows.0.insert(program.name().to_owned(), program);
    }
    script
}

/// The source with a page before every statement.
pub(crate) fn paused_everywhere(source: &str) -> String {
    let (flow, _) = agama_lang::parse::parse(source, "a.b.flow");
    let mut places = Vec::new();
    starts(&flow.unwrap().body, &mut places);
    let mut paused = source.to_owned();
    places.sort_unstable();
    for at in places.into_iter().rev() {
        let line = source[..at].rfind('\n').map_or(0, |end| end + 1);
        let indent = &source[line..at];
        paused.insert_str(at, &format!("RRF \"pause.html\"\n{indent}"));
    }
    paused
}

/// Where statements begin, those inside others too.
fn starts(statements: &[Stmt], places: &mut Vec<usize>) {
    for statement in statements {
        places.push(usize::try_from(statement.span.start).unwrap());
        match &statement.kind {
            StmtKind::When { then, otherwise, .. } => {
                starts(then, places);
                starts(otherwise, places);
            }
            StmtKind::Match { arms, otherwise, .. } => {
                arms.iter().for_each(|arm| starts(&arm.body, places));
                starts(otherwise, places);
            }
            StmtKind::Repeat { body, .. } | StmtKind::Iterate { body, .. } => {
                starts(&body.before, places);
                body.quit.iter().for_each(|quit| starts(&quit.after, places));
            }
            _ => {}
        }
    }
}

impl Script {
    /// Flows without a script: pages and calls are answered by rote.
    pub(crate) fn of(sources: &[String]) -> Self {
        let mut script = script("generated", &sources.join("//// next\n"));
        script.by_rote = true;
        script
    }

    /// The states at the effects of the run, before each answer.
    pub(crate) fn states(self) -> (Flows, Vec<State>) {
        let mut states = Vec::new();
        self.play(|state| {
            states.push(state.clone());
            None
        });
        (self.flows, states)
    }

    /// Runs the script; at each effect `look` may give another state to go on with. Answers the transcript.
    pub(crate) fn play(&self, mut look: impl FnMut(&State) -> Option<State>) -> String {
        let mut answers =
            Answers { written: self.answers.iter().cloned().collect(), by_rote: self.by_rote, given: 0 };
        let inputs = Map::from_iter([("given".to_owned(), Value::from("an input"))]);
        let (mut state, mut effect) = vm::start(&self.flows, &self.first, inputs, &LIMITS);
        let mut out = String::new();
        for _ in 0..20_000 {
            state = look(&state).unwrap_or(state);
            if matches!(&effect, Effect::Render(page) if page.template.ends_with("pause.html")) {
                // Put in to pause: not a part of what is told.
                (state, effect) = vm::resume(&self.flows, state, Resume::Form(Map::new()), &LIMITS);
                continue;
            }
            let Some(answer) = respond(&mut answers, &mut out, effect) else { return readable(&out) };
            if !matches!(answer, Resume::Continue) {
                writeln!(out, "  <- {answer:?}").unwrap();
            }
            (state, effect) = vm::resume(&self.flows, state, answer, &LIMITS);
        }
        panic!("the script does not end:\n{out}");
    }
}

/// What the runs of fixtures may use up.
pub(crate) const LIMITS: Limits =
    Limits { fuel: 20_000, heap_bytes: 64 * 1024, collection_size: 1_000, depth: 8 };

/// Long lines cut, equal lines counted.
fn readable(transcript: &str) -> String {
    let mut out = String::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        let mut times = 1;
        while lines.next_if_eq(&line).is_some() {
            times += 1;
        }
        let shown: String = line.chars().take(300).collect();
        out.push_str(&shown);
        if shown.len() < line.len() {
            write!(out, "… ({} bytes)", line.len()).unwrap();
        }
        out.push_str(&if times > 1 { format!(" (×{times})\n") } else { "\n".to_owned() });
    }
    out
}

fn json(text: &str) -> Value {
    Value::from_json(serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn map(text: &str) -> Map {
    match json(text) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no form"),
    }
}

/// All effects of a run, a line each. With `pausing` the state is stored and read back at each of them.
pub(crate) fn transcript(script: &Script, pausing: bool) -> String {
    script.play(|state| {
        pausing.then(|| {
            let stored = state.encode();
            let read = State::decode(&stored).unwrap();
            assert_eq!(read.encode(), stored, "storing is stable");
            read
        })
    })
}

/// Writes down an effect and answers it from the script; nothing answers the last one.
fn respond(answers: &mut Answers, out: &mut String, effect: Effect) -> Option<Resume> {
    Some(match effect {
        Effect::Log { level, message, source, at } => {
            writeln!(out, "log {level:?} {source:?} {}:{} {message}", at.flow, at.line).unwrap();
            Resume::Continue
        }
        Effect::Finished(outcome) => {
            let (data, error) = (outcome.data.redacted(), outcome.error.redacted());
            write!(out, "finished success={} data={data} error={error}", outcome.success).unwrap();
            writeln!(out, " aborted={} url={:?}", outcome.aborted, outcome.url).unwrap();
            return None;
        }
        Effect::Crashed(crash) => {
            writeln!(out, "crashed {}:{} {}", crash.at.flow, crash.at.line, crash.message).unwrap();
            return None;
        }
        Effect::Render(page) => {
            let model = Value::Map(page.model.clone()).redacted();
            writeln!(out, "page {} {model} callback={}", page.template, page.callback).unwrap();
            waiting(answers, &page.template)
        }
        Effect::Redirect { url, .. } => {
            writeln!(out, "away {url}").unwrap();
            match waiting(answers, "") {
                Resume::Form(form) => Resume::Callback(form),
                other => other,
            }
        }
        Effect::Call(call) => {
            let args: Vec<String> = call.args.iter().map(|arg| arg.redacted().to_string()).collect();
            writeln!(out, "call {}({}) caught={}", call.routine, args.join(", "), call.caught).unwrap();
            returned(answers)
        }
    })
}

/// What is answered, in order.
struct Answers {
    written: VecDeque<(String, String)>,
    by_rote: bool,
    given: usize,
}

/// Answers by rote, in turn.
const PAGES: [&str; 3] = [r#"{}"#, r#"{"key": "value", "list": ["a", "b"]}"#, r#"{"key": null, "n": 5}"#];
const CALLS: [(&str, &str); 5] = [
    ("value", "7"),
    ("error", "broken"),
    ("value", r#"{"key": [1, {"deep": "x"}]}"#),
    ("value", "null"),
    ("secret", "s"),
];

impl Answers {
    fn next(&mut self, url: &str) -> (String, String) {
        let owned = |(word, text): (&str, &str)| (word.to_owned(), text.to_owned());
        if let Some(written) = self.written.pop_front() {
            return written;
        }
        assert!(self.by_rote, "no answer for {url}");
        self.given += 1;
        owned(match url {
            "a call" => CALLS.into_iter().cycle().nth(self.given).unwrap(),
            _ => ("form", PAGES.into_iter().cycle().nth(self.given).unwrap()),
        })
    }
}

fn waiting(answers: &mut Answers, url: &str) -> Resume {
    let (word, text) = answers.next(url);
    match word.as_str() {
        "form" => Resume::Form(map(&text)),
        "callback" => Resume::Callback(map(&text)),
        "abort" => Resume::Abort { form: map(&text), url: url.to_owned() },
        other => panic!("{other} answers no page"),
    }
}

fn returned(answers: &mut Answers) -> Resume {
    let (word, text) = answers.next("a call");
    match word.as_str() {
        "value" => Resume::Returned(Ok(json(&text))),
        "secret" => Resume::Returned(Ok(Value::secret(text))),
        "error" => Resume::Returned(Err(CallError::new("failed", text))),
        "deep" => {
            let depth: usize = text.parse().unwrap();
            Resume::Returned(Ok((0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]))))
        }
        other => panic!("{other} answers no call"),
    }
}
