//! What must hold for any text and any bytes.

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::diagnostic::{has_errors, render};
use agama_lang::effect::{Effect, Resume};
use agama_lang::state::State;
use agama_lang::value::{Map, Value};
use agama_lang::vm::{self, Limits};
use proptest::prelude::*;

use crate::checks;
use crate::generate;
use crate::support::{Flows, LIMITS, Script, fixtures, paused_everywhere, script, transcript};

/// Pieces that programs are made of; random joins of them get deeper into the compiler than random letters.
const PIECES: &[&str] = &[
    "Flow a.b",
    "Basepath",
    "Timeout",
    "Configs c",
    "Inputs i",
    "\"\"",
    "\"x y\"",
    "seconds",
    "When",
    "is",
    "not",
    "and",
    "or",
    "null",
    "true",
    "Otherwise",
    "Match",
    "to",
    "Repeat",
    "times max",
    "Iterate over",
    "using",
    "Quit",
    "Call",
    "a.b#c",
    "Trigger",
    "$x",
    "Override templates",
    "RRF",
    "RFAC",
    "Log",
    "Finish",
    "=",
    "|",
    "E",
    "x",
    "y",
    "x.y",
    "x[0]",
    "x.$y",
    "x.\"-\"",
    "-x",
    "-1",
    "2.5",
    "10",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "//",
    "\t",
    " ",
    "    ",
    "\n",
    "\n    ",
    "\n  ",
    "\r\n",
    "\"",
    "\\",
    "é",
    "🦎",
    "\u{0}",
    "idx",
];

fn pieces() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![4 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => Just(" ".to_owned())];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A program whose header is right, with a body of random lines.
fn program() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec((0_usize..3, prop::sample::select(LINES)), 1..14);
    lines.prop_map(|lines| {
        let body: String =
            lines.iter().map(|(depth, line)| format!("{}{line}\n", "    ".repeat(*depth))).collect();
        format!("Flow a.b\n    Basepath \"\"\n    Configs conf\n    Inputs given\n\n{body}")
    })
}

const LINES: &[&str] = &[
    "x = 1",
    "x = [1, \"a\", {k: null}]",
    "x = {a: [1], b: x}",
    "x.a = x",
    "x[3] = 1",
    "x.length = 2",
    "y = x.a",
    "y = x[0]",
    "y = x.$given",
    "y = -x",
    "When x is y",
    "When x is not null",
    "Otherwise",
    "Match x to",
    "1",
    "Repeat 3 times max",
    "Repeat x times max",
    "n = Iterate over x using v",
    "Quit When v is 1",
    "r = Call a.b#c x y",
    "u | E = Call agamid.password#verify x y",
    "c = Call agamid.credentials#find x \"totp\"",
    "r | E = Call x verify 1",
    "t | E = Trigger a.c x",
    "f = RRF \"p.html\" x",
    "f = RRF \"p.html\" x true",
    "c = RFAC \"https://a.example\"",
    "Log \"@error % and %\" x y",
    "Log x",
    "Finish x",
    "Finish true",
    "Finish false",
];

/// Runs whatever compiles, with answers of all kinds.
fn run(source: &str) {
    let compiled = compile(source, "a.b.flow", &NoFacts);
    for finding in &compiled.diagnostics {
        assert!(finding.line >= 1 && finding.column >= 1 && !finding.message.is_empty());
        render(finding, source);
    }
    assert_eq!(compiled.program.is_none(), has_errors(&compiled.diagnostics));
    checks::findings("a.b", source);
    let Some(program) = compiled.program else { return };
    let flows = Flows::of(program);
    let limits = Limits { fuel: 2_000, heap_bytes: 8 * 1024, collection_size: 100, depth: 4 };
    let inputs = Map::from_iter([("given".to_owned(), Value::from("a"))]);
    let (mut state, mut effect) = vm::start(&flows, "a.b", inputs, &limits);
    for round in 0..40 {
        let answer = match effect {
            Effect::Finished(_) => return,
            Effect::Crashed(crash) => return checks::foresaw(&crash, &compiled.diagnostics, source),
            Effect::Log { .. } => Resume::Continue,
            Effect::Call(_) => Resume::Returned(Ok(Value::List(vec![Value::Number(f64::from(round))]))),
            Effect::Render(_) | Effect::Redirect { .. } => Resume::Form(Map::new()),
        };
        let bytes = state.encode();
        state = State::decode(&bytes).unwrap();
        (state, effect) = vm::resume(&flows, state, answer, &limits);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_compiler_panic(text in any::<String>()) {
        run(&text);
    }

    #[test]
    fn no_mixture_of_the_languages_own_pieces_makes_the_compiler_panic(text in pieces()) {
        run(&text);
    }

    #[test]
    fn whatever_compiles_runs_within_its_limits(text in program()) {
        run(&text);
    }

    #[test]
    fn a_damaged_fixture_is_refused_or_runs(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(PIECES), 0_usize..6), 1..4),
        swap in any::<Option<(prop::sample::Index, prop::sample::Index)>>(),
    ) {
        let all: Vec<_> = fixtures("ok").into_iter().chain(fixtures("run")).collect();
        let (_, source) = which.get(&all);
        let mut letters: Vec<char> = source.chars().collect();
        for (at, piece, length) in damage {
            let from = at.index(letters.len() + 1);
            letters.splice(from..(from + length).min(letters.len()), piece.chars());
        }
        let damaged: String = letters.into_iter().collect();
        let mut lines: Vec<&str> = damaged.split('\n').collect();
        if let Some((a, b)) = swap {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }
        run(&lines.join("\n"));
    }

    #[test]
    fn stored_state_that_was_altered_is_refused_or_runs_within_its_limits(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        sum in any::<bool>(),
    ) {
        let all = fixtures("run");
        let (name, source) = which.get(&all);
        let (flows, states) = script(name, source).states();
        for state in states {
            let mut bytes = state.encode();
            for (at, byte) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= byte;
            }
            if sum {
                // As someone would who can compute the checksum: past it, the content itself must be judged.
                let body = bytes.len() - 4;
                let check = crc32fast::hash(&bytes[..body]).to_be_bytes();
                bytes[body..].copy_from_slice(&check);
            }
            if let Ok(state) = State::decode(&bytes) {
                let limits = Limits { fuel: 2_000, heap_bytes: 8 * 1024, collection_size: 100, depth: 4 };
                vm::resume(&flows, state, Resume::Form(Map::new()), &limits);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_legal_program_runs_the_same_however_often_it_is_stored(sources in generate::flows()) {
        let script = Script::of(&sources);
        let straight = transcript(&script, false);
        prop_assert_eq!(&transcript(&script, true), &straight);
        prop_assert_eq!(&transcript(&script, false), &straight, "the same again");
    }

    #[test]
    fn a_page_before_any_statement_changes_nothing(sources in generate::flows()) {
        let straight = Script::of(&sources);
        let paused = Script::of(&sources.map(|source| paused_everywhere(&source)));
        let (without, with) = (transcript(&straight, false), transcript(&paused, true));
        // A program that runs into its fuel gets further with pages: they renew it.
        prop_assume!(!without.contains("without a pause"));
        prop_assert_eq!(without_lines(&with), without_lines(&without));
    }

    #[test]
    fn a_state_holds_no_more_than_its_limit_allows(sources in generate::flows()) {
        let (_, states) = Script::of(&sources).states();
        for state in states {
            let stored = state.encode().len();
            // What is stored is smaller than what is counted, but for the names of frames and pages.
            prop_assert!(stored < LIMITS.heap_bytes + 4096, "{stored} bytes");
        }
    }
}

/// A transcript without the numbers of lines, which pages put in move.
fn without_lines(transcript: &str) -> String {
    let mut out = String::new();
    for line in transcript.lines() {
        let (before, after) = line.split_once(':').unwrap_or((line, ""));
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        // Long lines are cut elsewhere when a number in them is longer.
        out.extend(before.chars().chain(after.chars()).take(250));
        out.push('\n');
    }
    out
}

#[test]
fn a_page_before_any_statement_of_a_fixture_changes_nothing() {
    for (name, source) in fixtures("run") {
        let straight = transcript(&script(&name, &source), false);
        // Pages renew the fuel.
        if straight.contains("without a pause") {
            continue;
        }
        let paused: Vec<String> = source.split("//// next\n").map(paused_everywhere).collect();
        let paused = script(&name, &paused.join("//// next\n"));
        assert_eq!(without_lines(&transcript(&paused, true)), without_lines(&straight), "{name}");
    }
}

#[test]
fn the_same_script_gives_the_same_transcript() {
    for (name, source) in fixtures("run") {
        let script = script(&name, &source);
        assert_eq!(transcript(&script, false), transcript(&script, false), "{name}");
    }
}
