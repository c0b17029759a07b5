//! `cargo bench -p agama-lang-bench`: how fast flows compile, run, pause and go on, and how large a pause is; beside
//! the same logic in QuickJS, the usual embedded script engine, in the same run. Medians of many rounds.
//!
//! QuickJS can't store a running script, so its half of "resume" rebuilds what a host would have to: it evaluates the
//! script in a fresh context and calls it with the answers so far.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program: it stops where something is wrong, and time is what it measures"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::effect::{Catalog, Effect, Resume};
use agama_lang::ir::Program;
use agama_lang::state::State;
use agama_lang::value::{Map, Value};
use agama_lang::vm::{self, Limits};

/// A login of 60 lines: password, lock-out, second factor.
const LOGIN: &str = include_str!("login.flow");
/// The same in JavaScript.
const LOGIN_JS: &str = include_str!("login.js");
/// A loop without pauses, for counting instructions.
const LOOP: &str = include_str!("loop.flow");
const LOOP_JS: &str = include_str!("loop.js");
const ROUNDS: usize = 200_000;

struct One(Arc<Program>);

impl Catalog for One {
    fn program(&self, flow: &str) -> Option<Arc<Program>> {
        (flow == self.0.name()).then(|| Arc::clone(&self.0))
    }

    fn config(&self, _flow: &str) -> Map {
        let text = |text: &str| Value::from(text);
        Map::from_iter([
            ("attempts".to_owned(), Value::Number(3.0)),
            ("issuer".to_owned(), text("https://login.example.com")),
            ("support".to_owned(), text("support@example.com")),
        ])
    }
}

/// The median time of a piece of work, measured in batches long enough for the clock.
fn median(mut work: impl FnMut()) -> Duration {
    let mut batch = 1_u32;
    loop {
        let begin = Instant::now();
        (0..batch).for_each(|_| work());
        if begin.elapsed() > Duration::from_millis(5) || batch > 1_000_000 {
            break;
        }
        batch *= 2;
    }
    let mut times: Vec<Duration> = (0..41)
        .map(|_| {
            let begin = Instant::now();
            (0..batch).for_each(|_| work());
            begin.elapsed() / batch
        })
        .collect();
    times.sort();
    times.into_iter().nth(20).unwrap()
}

fn line(what: &str, figure: String, aim: &str) {
    println!("{what:<58} {figure:>14}   {aim}");
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn program(source: &str) -> Arc<Program> {
    let compiled = compile(source, "bench.flow", &NoFacts);
    compiled.program.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn compiling() {
    assert!((58..=62).contains(&LOGIN.lines().count()), "the login has {} lines", LOGIN.lines().count());
    line("compile a flow of 60 lines", micros(median(|| drop(black_box(program(LOGIN))))), "aim: 200 µs");
    let body = LOGIN.split_once("\n\n").unwrap().1;
    let header = LOGIN.split_once("\n\n").unwrap().0;
    let long = format!("{header}\n\n{}", format!("{body}\n").repeat(10_000 / body.lines().count()));
    line("compile a flow of 10,000 lines", micros(median(|| drop(black_box(program(&long))))), "");
    let begin = Instant::now();
    (0..1_000).for_each(|_| drop(black_box(program(LOGIN))));
    line("compile and check 1,000 flows of 60 lines", micros(begin.elapsed()), "aim: 1 s");
}

/// Runs until a page is shown or the run is over; calls are answered at once.
fn until_page(catalog: &One, mut state: State, mut effect: Effect, limits: &Limits) -> (State, Effect) {
    loop {
        let answer = match &effect {
            Effect::Log { .. } => Resume::Continue,
            Effect::Call(_) => Resume::Returned(Ok(user())),
            _ => return (state, effect),
        };
        (state, effect) = vm::resume(catalog, state, answer, limits);
    }
}

fn user() -> Value {
    Value::Map(Map::from_iter([
        ("id".to_owned(), Value::from("0193e1a2-7c4e-7cc1-a2d5-1f5b3f0c9d11")),
        ("displayName".to_owned(), Value::from("Alice Example")),
        ("secondFactor".to_owned(), Value::from("totp")),
        ("locked".to_owned(), Value::Bool(false)),
    ]))
}

fn form(fields: &[(&str, &str)]) -> Map {
    fields.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
}

fn running() {
    let catalog = One(program(LOGIN));
    let limits = Limits::default();
    let start = || {
        let (state, effect) = vm::start(&catalog, "bench.login", Map::new(), &limits);
        until_page(&catalog, state, effect, &limits)
    };
    line("start to first page", micros(median(|| drop(black_box(start())))), "aim: 20 µs");
    let (state, effect) = start();
    assert!(matches!(effect, Effect::Render(_)), "{effect:?}");
    let first = state.encode();
    let credentials = form(&[("username", "alice"), ("password", "correct horse"), ("loginBtn", "")]);
    let resume = |bytes: &[u8]| {
        let state = State::decode(bytes).unwrap();
        let (state, effect) = vm::resume(&catalog, state, Resume::Form(credentials.clone()), &limits);
        let (state, effect) = until_page(&catalog, state, effect, &limits);
        (state.encode(), effect)
    };
    line(
        "resume from stored bytes, run to the next page, store again",
        micros(median(|| drop(black_box(resume(&first))))),
        "aim: 20 µs",
    );
    let (second, effect) = resume(&first);
    assert!(matches!(effect, Effect::Render(_)), "{effect:?}");
    line("read stored bytes", micros(median(|| drop(black_box(State::decode(&second))))), "");
    let state = State::decode(&second).unwrap();
    line("store a state", micros(median(|| drop(black_box(state.encode())))), "");
    line("bytes of a login paused at its first page", format!("{} bytes", first.len()), "aim: 1 KiB");
    line("bytes of a login paused at its second page", format!("{} bytes", second.len()), "aim: 1 KiB");
}

fn instructions() {
    let catalog = One(program(LOOP));
    let limits = Limits { fuel: u64::MAX, ..Limits::default() };
    let inputs =
        Map::from_iter([("rounds".to_owned(), Value::Number(f64::from(u32::try_from(ROUNDS).unwrap())))]);
    let run = || vm::start(&catalog, "bench.loop", inputs.clone(), &limits).1;
    let effect = run();
    assert!(matches!(&effect, Effect::Finished(outcome) if outcome.success), "{effect:?}");
    let time = median(|| drop(black_box(run())));
    // Next, three assignments, a comparison, its jump or not, an assignment, Again.
    let count = ROUNDS * 7;
    let rate = f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64() / 1e6;
    line("instructions", format!("{rate:.0} M/s"), "");
    line("a loop of 200,000 rounds", micros(time), "");
}

fn quickjs() {
    use rquickjs::{Context, Function, Object, Runtime};

    let runtime = Runtime::new().unwrap();
    let start = || {
        let context = Context::full(&runtime).unwrap();
        context.with(|ctx| {
            ctx.eval::<(), _>(LOGIN_JS).unwrap();
            let login: Function<'_> = ctx.globals().get("login").unwrap();
            let page: Object<'_> = login.call((0,)).unwrap();
            black_box(page.get::<_, String>("template").unwrap());
        });
    };
    line("QuickJS: fresh context, compile, start to first page", micros(median(start)), "");
    let resume = || {
        let context = Context::full(&runtime).unwrap();
        context.with(|ctx| {
            ctx.eval::<(), _>(LOGIN_JS).unwrap();
            let login: Function<'_> = ctx.globals().get("login").unwrap();
            let page: Object<'_> = login.call((1,)).unwrap();
            black_box(page.get::<_, String>("template").unwrap());
        });
    };
    line("QuickJS: fresh context, replay to the second page", micros(median(resume)), "");
    let context = Context::full(&runtime).unwrap();
    context.with(|ctx| {
        ctx.eval::<(), _>(LOGIN_JS).unwrap();
        ctx.eval::<(), _>(LOOP_JS).unwrap();
        let login: Function<'_> = ctx.globals().get("login").unwrap();
        let warm = median(|| drop(black_box(login.call::<_, Object<'_>>((0,)).unwrap())));
        line("QuickJS: warm context, start to first page", micros(warm), "");
        let run: Function<'_> = ctx.globals().get("run").unwrap();
        let time = median(|| {
            black_box(run.call::<_, bool>((ROUNDS,)).unwrap());
        });
        line("QuickJS: the loop of 200,000 rounds", micros(time), "");
    });
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    compiling();
    running();
    instructions();
    quickjs();
}
