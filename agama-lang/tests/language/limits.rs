//! Bad input is refused, and runaway programs are stopped: soon, saying why, with the number.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::{Compiled, compile, compile_bytes};
use agama_lang::diagnostic::Severity;
use agama_lang::effect::{Effect, Resume};
use agama_lang::state::{State, StateError};
use agama_lang::value::{Map, Value};
use agama_lang::vm::{self, Limits};

use crate::support::Flows;

const HEADER: &str = "Flow a.b\n    Basepath \"\"\n\n";
/// What a release build must keep on a quiet machine is 100 ms; a debug build on a busy one gets very much more.
const SOON: Duration = Duration::from_millis(if cfg!(debug_assertions) { 60_000 } else { 200 });

/// Compiles within the time, and answers what it is refused for.
fn said(source: &str) -> Vec<String> {
    messages(&timed(|| compile(source, "a.b.flow", &NoFacts)))
}

fn messages(compiled: &Compiled) -> Vec<String> {
    let errors = compiled.diagnostics.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.message.clone()).collect()
}

#[expect(clippy::disallowed_methods, reason = "how long it really takes is what is tested")]
fn timed<T>(work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    assert!(begin.elapsed() < SOON, "took {:?}", begin.elapsed());
    done
}

#[test]
fn a_source_over_one_mebibyte_is_refused_with_its_size() {
    let source = format!("{HEADER}x = \"{}\"\nFinish true\n", "a".repeat(10_000_000));
    let size = source.len();
    assert_eq!(said(&source), [format!("the source has {size} bytes; 1048576 are allowed")]);
    let refused = timed(|| compile_bytes(&vec![0xFF; 20_000_000], "a.b.flow", &NoFacts));
    assert_eq!(messages(&refused), ["the source has 20000000 bytes; 1048576 are allowed"]);
}

#[test]
fn a_literal_over_64_kibibytes_is_refused_with_its_size() {
    let source = format!("{HEADER}x = \"{}\"\nFinish true\n", "a".repeat(70_000));
    assert_eq!(said(&source), ["this line has 70006 bytes; 65536 are allowed"]);
    let lines = format!("{HEADER}x = [1{}]\nFinish true\n", ",\n 2".repeat(30_000));
    assert_eq!(said(&lines), ["this line has 90007 bytes; 65536 are allowed"]);
}

#[test]
fn a_literal_just_below_the_limit_compiles() {
    let source = format!("{HEADER}x = [\"{}\", 1]\nFinish true\n", "a".repeat(65_000));
    assert_eq!(said(&source), Vec::<String>::new());
}

fn nested_blocks(depth: usize) -> String {
    let mut source = format!("{HEADER}x = 1\n");
    for level in 0..depth {
        source.push_str(&format!("{}When x is 1\n", " ".repeat(level)));
    }
    source.push_str(&format!("{}x = 2\nFinish true\n", " ".repeat(depth)));
    source
}

#[test]
fn blocks_nest_200_deep_and_no_deeper() {
    assert_eq!(said(&nested_blocks(200)), Vec::<String>::new());
    assert_eq!(said(&nested_blocks(201)), ["blocks nest more than 200 deep"]);
    assert_eq!(said(&nested_blocks(300)), ["blocks nest more than 200 deep"]);
    assert_eq!(said(&nested_blocks(1_300)), ["blocks nest more than 200 deep"]);
}

#[test]
fn literals_nest_200_deep_and_no_deeper() {
    let nested =
        |depth: usize| format!("{HEADER}x = {}{}\nFinish true\n", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(said(&nested(200)), Vec::<String>::new());
    assert_eq!(said(&nested(201)), ["literals nest 201 deep; 200 are allowed"]);
    assert_eq!(said(&nested(30_000)), ["literals nest 30000 deep; 200 are allowed"]);
    let maps = format!("{HEADER}x = {}1{}\nFinish true\n", "{a: ".repeat(300), "}".repeat(300));
    assert_eq!(said(&maps), ["literals nest 300 deep; 200 are allowed"]);
}

#[test]
fn bytes_that_are_no_utf8_are_refused_where_they_stand() {
    let refused = compile_bytes(b"Flow a.b\n    Basepath \"\"\nx = \"caf\xe9\"\n", "a.b.flow", &NoFacts);
    assert_eq!(messages(&refused), ["the byte 0xE9 is no UTF-8"]);
    assert_eq!((refused.diagnostics[0].line, refused.diagnostics[0].column), (3, 9));
    let utf16 = compile_bytes(b"\xff\xfeF\0l\0o\0w\0", "a.b.flow", &NoFacts);
    assert_eq!(messages(&utf16), ["the file is UTF-16, not UTF-8"]);
    assert!(
        compile_bytes(b"Flow a.b\n    Basepath \"\"\nFinish true", "a.b.flow", &NoFacts).program.is_some()
    );
}

#[test]
fn a_text_that_is_no_flow_is_not_reported_line_by_line_for_ever() {
    for line in
        ["\0\n", "(\n", "x ==\n", "When\n", "  \"\n", "a b c d e\n", "\r", "\u{c}x\n", "[\n", "else\n "]
    {
        let source = format!("{HEADER}{}", line.repeat(300_000 / line.len()));
        let found = said(&source);
        assert!((1..=1_300).contains(&found.len()), "{line:?}: {}", found.len());
    }
}

#[test]
fn long_sources_compile_in_time_that_grows_with_their_length() {
    let statements = format!("{HEADER}{}Finish true\n", "x = {a: [1, \"b\", x.c]}\n".repeat(10_000));
    assert_eq!(said(&statements), Vec::<String>::new());
    let arguments = format!("{HEADER}x = 1\nLog{}\nFinish true\n", " x.y[0]".repeat(9_000));
    assert_eq!(said(&arguments), Vec::<String>::new());
    let conditions =
        format!("{HEADER}x = 1\nWhen x is 1{}\n  Log x\nFinish true\n", "\nand x is 1".repeat(5_000));
    assert_eq!(said(&conditions), Vec::<String>::new());
    let accessors = format!("{HEADER}x = {{}}\ny = x{}\nLog y\nFinish true\n", ".a[0].$x".repeat(8_000));
    assert_eq!(said(&accessors), Vec::<String>::new());
    let names: String = (0..9_000).map(|number| format!(" i{number}")).collect();
    let inputs = format!("Flow a.b\n    Basepath \"\"\n    Inputs{names}\n\nLog{names}\nFinish true\n");
    assert_eq!(said(&inputs), Vec::<String>::new());
}

fn crash(body: &str, limits: &Limits) -> String {
    let source = format!("{HEADER}{body}");
    let program = compile(&source, "a.b.flow", &NoFacts).program.unwrap();
    let flows = Flows::of(program);
    timed(|| {
        let (mut state, mut effect) = vm::start(&flows, "a.b", Map::new(), limits);
        loop {
            let answer = match effect {
                Effect::Crashed(crash) => return crash.message,
                Effect::Log { .. } => Resume::Continue,
                Effect::Call(_) => Resume::Returned(Ok(Value::from("0123456789".repeat(100)))),
                other => panic!("{other:?}"),
            };
            (state, effect) = vm::resume(&flows, state, answer, limits);
        }
    })
}

#[test]
fn endless_programs_stop_within_their_fuel_whatever_they_do() {
    let limits = Limits { fuel: 200_000, ..Limits::default() };
    let stopped = "the flow did more than 200000 steps without a pause";
    let big = "Repeat 100000000 times max\n";
    for body in ["  x = 1\n", "  Log \"again\"\n", "  x = Call a.b#c\n", "  When x is \"1\"\n    y = 2\n"] {
        let source = format!("x = 1\n{big}{body}Finish true\n");
        assert_eq!(crash(&source, &limits), stopped, "{body}");
    }
    let text = "x".repeat(60_000);
    for body in [
        "  y = x[59999]\n",
        "  y = x.length\n",
        "  When x is z\n    y = 1\n",
        "  y = m.$x\n",
        "  Log x x x\n",
    ] {
        let source = format!("x = \"{text}\"\nz = \"{text}\"\nm = {{}}\n{big}{body}Finish true\n");
        assert_eq!(crash(&source, &limits), stopped, "{body}");
    }
}

#[test]
fn each_limit_has_its_own_error_and_can_be_set() {
    let limits = Limits { fuel: 50_000, heap_bytes: 10_000, collection_size: 50, depth: 3 };
    assert_eq!(
        crash("Repeat 100000 times max\n  x = 1\nFinish true\n", &limits),
        "the flow did more than 50000 steps without a pause"
    );
    assert_eq!(
        crash("l = []\nRepeat 40 times max\n  i = idx[0]\n  l[i] = Call a.b#c\nFinish true\n", &limits),
        "the flow holds more than 10000 bytes"
    );
    assert_eq!(crash("l = []\nl[50] = 1\nFinish true\n", &limits), "a list or map has more than 50 elements");
    assert_eq!(
        crash("n = \"a.b\"\nTrigger $n\nFinish true\n", &limits),
        "more than 3 flows are active: does one Trigger itself?"
    );
}

#[test]
fn a_state_of_another_version_or_a_damaged_one_is_refused_clearly() {
    let source = format!("{HEADER}RRF \"p.html\"\nFinish true\n");
    let flows = Flows::of(compile(&source, "a.b.flow", &NoFacts).program.unwrap());
    let (state, _) = vm::start(&flows, "a.b", Map::new(), &Limits::default());
    let bytes = state.encode();
    assert_eq!(State::decode(&bytes).unwrap().page(), state.page());

    let mut older = bytes.clone();
    older[0] = 1;
    let body = older.len() - 4;
    let sum = crc32fast::hash(&older[..body]).to_be_bytes();
    older[body..].copy_from_slice(&sum);
    assert_eq!(State::decode(&older), Err(StateError::Version { found: 1 }));
    assert_eq!(
        State::decode(&older).unwrap_err().to_string(),
        "the saved state has version 1, this server reads version 2: the run must start again"
    );

    for cut in 0..bytes.len() {
        assert_eq!(State::decode(&bytes[..cut]), Err(StateError::Damaged), "cut at {cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(State::decode(&longer), Err(StateError::Damaged));
}

#[test]
fn a_run_goes_on_only_with_the_program_it_began_with() {
    let of =
        |body: &str| Flows::of(compile(&format!("{HEADER}{body}"), "a.b.flow", &NoFacts).program.unwrap());
    let (old, new) = (of("RRF \"p.html\"\nFinish true\n"), of("RRF \"p.html\"\nFinish false\n"));
    let (state, _) = vm::start(&old, "a.b", Map::new(), &Limits::default());
    let (_, effect) = vm::resume(&new, state.clone(), Resume::Form(Map::new()), &Limits::default());
    let Effect::Crashed(crash) = effect else { panic!("{effect:?}") };
    assert_eq!(crash.message, "the program of a.b is not the one this run began with");
    let (_, effect) = vm::resume(&old, state, Resume::Form(Map::new()), &Limits::default());
    assert!(matches!(effect, Effect::Finished(outcome) if outcome.success));
}

#[test]
fn a_stored_program_is_read_back_and_another_version_is_refused() {
    let source = format!("{HEADER}x = {{a: [1, \"b\"]}}\nLog x\nFinish true\n");
    let program = compile(&source, "a.b.flow", &NoFacts).program.unwrap();
    let mut bytes = program.to_bytes();
    let read = agama_lang::ir::Program::from_bytes(&bytes).unwrap();
    assert_eq!((Arc::new(read.clone()), read.hash()), (Arc::clone(&program), program.hash()));
    bytes[0] = 1;
    let refused = agama_lang::ir::Program::from_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the stored program can't be read: it has version 1, this server reads version 2: deploy it again"
    );
}

#[test]
fn reading_a_variable_that_nothing_assigns_crashes_where_it_is_read() {
    // The checks say so before; a flow that is deployed all the same behaves as in the reference.
    let source = format!("{HEADER}x | e = Call a.b#c\nWhen e is not null\n    Log E.message\nFinish true\n");
    let (flow, _) = agama_lang::parse::parse(&source, "a.b.flow");
    let flows = Flows::of(Arc::new(agama_lang::lower::lower(&flow.unwrap(), &source)));
    let (state, _) = vm::start(&flows, "a.b", Map::new(), &Limits::default());
    let good = Resume::Returned(Ok(Value::Null));
    let (_, effect) = vm::resume(&flows, state.clone(), good, &Limits::default());
    assert!(matches!(effect, Effect::Finished(_)), "the branch is not taken: {effect:?}");
    let bad = Resume::Returned(Err(agama_lang::effect::CallError::new("failed", "no")));
    let (_, effect) = vm::resume(&flows, state, bad, &Limits::default());
    let Effect::Crashed(crash) = effect else { panic!("{effect:?}") };
    assert_eq!((crash.message.as_str(), crash.at.line), ("nothing assigns the variable E", 6));
}
