//! Programs made up at random: legal by construction, so that they get as far as running.

use proptest::prelude::*;

/// A flow `a.b` that Triggers `a.c`, and `a.c`.
pub(crate) fn flows() -> impl Strategy<Value = [String; 2]> {
    (body(true), body(false)).prop_map(|(outer, inner)| [flow("a.b", &outer), flow("a.c", &inner)])
}

fn flow(name: &str, body: &[String]) -> String {
    format!(
        "Flow {name}\n    Basepath \"base\"\n    Configs conf\n    Inputs given other\n\n{START}{}\nFinish true\n",
        body.join("\n")
    )
}

/// Every name used below is assigned, and most hold something that can be worked with.
const START: &str = "n = 2\ns = \"añ🦎\"\nk = \"key\"\nl = [1, \"two\", [3]]\nm = {key: 1, list: l}\nm.self = m\nx = m\ny = l\nE = null\n";

/// Values that are no lists or maps.
const SIMPLE: &[&str] = &[
    "1",
    "-2.5",
    "\"text\"",
    "true",
    "null",
    "n",
    "s",
    "k",
    "l",
    "m",
    "x",
    "y",
    "given",
    "other",
    "conf",
    "E",
    "-n",
    "m.key",
    "m.$k",
    "m.list[0]",
    "l[0]",
    "l[n]",
    "l.length",
    "s[1]",
    "s.length",
    "m.self.self.list",
    "x.key",
    "y[0]",
    "conf.limit",
    "E.message",
    "idx[0]",
    "idx.length",
    "m.\"odd key\"",
];
const TARGETS: &[&str] = &[
    "n",
    "s",
    "x",
    "y",
    "m.key",
    "m.$k",
    "m.\"odd key\"",
    "l[0]",
    "l[n]",
    "y[1]",
    "x.key",
    "l.length",
    "conf.limit",
];

fn one_of(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(from)
}

fn plain(triggers: bool) -> BoxedStrategy<String> {
    let simple = || one_of(SIMPLE);
    let target = || one_of(TARGETS);
    let flow = if triggers { "a.c" } else { "$k" };
    prop_oneof![
        4 => (target(), simple()).prop_map(|(target, value)| format!("{target} = {value}")),
        2 => (target(), simple(), simple()).prop_map(|(target, a, b)| format!("{target} = [{a}, {{k: {b}, l: [m]}}]")),
        2 => (simple(), simple()).prop_map(|(a, b)| format!("Log \"@debug % and %\" {a} {b}")),
        1 => simple().prop_map(|value| format!("Log {value}")),
        2 => target().prop_map(|target| format!("{target} = RRF \"p.html\" m.page")),
        2 => target().prop_map(|target| format!("{target} = RRF \"p.html\" true")),
        1 => target().prop_map(|target| format!("{target} = RFAC \"https://a.example\"")),
        2 => (target(), simple()).prop_map(|(target, a)| format!("{target} | E = Call a.b#c {a}")),
        1 => (target(), simple()).prop_map(|(target, a)| format!("{target} | E = Call m.list method {a}")),
        3 => (target(), simple(), simple())
            .prop_map(move |(target, a, b)| format!("{target} | E = Trigger {flow} {a} {b}")),
        1 => simple().prop_map(|value| format!("m.page = {{v: {value}}}")),
    ]
    .boxed()
}

fn condition() -> impl Strategy<Value = String> {
    (one_of(SIMPLE), any::<bool>(), one_of(SIMPLE), any::<bool>()).prop_map(|(a, not, b, long)| {
        let is = if not { "is not" } else { "is" };
        let more = if long { " and n is 2 or s is \"text\"" } else { "" };
        format!("{a} {is} {b}{more}")
    })
}

fn indented(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| format!("  {line}")).collect()
}

/// Lines of statements, each with what is below it.
fn body(triggers: bool) -> BoxedStrategy<Vec<String>> {
    let line = plain(triggers).prop_map(|line| vec![line]).boxed();
    let statement = line.prop_recursive(3, 24, 4, |inner| {
        let block = prop::collection::vec(inner, 1..4).prop_map(|parts| indented(&parts.concat()));
        prop_oneof![
            (condition(), block.clone(), prop::option::of(block.clone())).prop_map(
                |(condition, then, otherwise)| {
                    let mut lines = vec![format!("When {condition}")];
                    lines.extend(then);
                    if let Some(otherwise) = otherwise {
                        lines.push("Otherwise".to_owned());
                        lines.extend(otherwise);
                    }
                    lines
                }
            ),
            (one_of(SIMPLE), one_of(SIMPLE), block.clone()).prop_map(|(subject, label, arm)| {
                let mut lines = vec![format!("Match {subject} to"), format!("  {label}")];
                lines.extend(indented(&arm));
                lines
            }),
            (
                prop_oneof![Just("3"), Just("n"), Just("conf.limit")],
                block.clone(),
                condition(),
                block.clone()
            )
                .prop_map(|(count, before, quit, after)| {
                    let mut lines = vec![format!("x = Repeat {count} times max")];
                    lines.extend(before);
                    lines.push(format!("  Quit When {quit}"));
                    lines.extend(after);
                    lines
                }),
            (prop_oneof![Just("l"), Just("m"), Just("s"), Just("y")], block).prop_map(|(over, block)| {
                let mut lines = vec![format!("y = Iterate over {over} using k")];
                lines.extend(block);
                lines
            }),
        ]
        .boxed()
    });
    prop::collection::vec(statement, 1..6).prop_map(|parts| parts.concat()).boxed()
}
