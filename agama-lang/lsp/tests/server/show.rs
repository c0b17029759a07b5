//! Outline, colours, folding, flows by name.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::editor::{Editor, uri};

const LOGIN: &str = "/w/shop/code/shop.login.flow";
const FLOW: &str = "\
// Login with a code.
Flow shop.login
    Basepath \"shop\"
    Timeout 300 seconds
    Configs conf
    Inputs hint

page = {login: hint, \"x\": 1}
n = Repeat 3 times max
    form = RRF \"login.html\" page // 🦎
    user | E = Call agamid.users#find form.\"login\"
    Quit When user is not null and form.is is -n
r = Trigger shop.otp user
    Override templates \"shop/a.html\" \"b.html\"
Match r.success to
    true
        Finish user.id
Otherwise
    a = RFAC conf.url
Iterate over hint using times
    Log \"🦎🦎 %\" times page[idx]
Finish false
";

fn ask(source: &str, method: &str) -> Value {
    let mut editor = Editor::shop();
    editor.open(LOGIN, source);
    editor.ask(&format!("textDocument/{method}"), json!({"textDocument": {"uri": uri(LOGIN)}})).unwrap()
}

#[test]
fn the_outline_shows_pages_calls_and_blocks() {
    fn draw(items: &Value, depth: usize, out: &mut String) {
        for item in items.as_array().unwrap() {
            let (range, selection) = (&item["range"], &item["selectionRange"]);
            let lines = |range: &Value| format!("{}-{}", range["start"]["line"], range["end"]["line"]);
            assert!(selection["start"]["line"].as_u64() >= range["start"]["line"].as_u64());
            assert!(selection["end"]["line"].as_u64() <= range["end"]["line"].as_u64());
            let (name, detail) = (item["name"].as_str().unwrap(), item["detail"].as_str().unwrap());
            writeln!(out, "{}{detail} {name} [{}]", "  ".repeat(depth), lines(range)).unwrap();
            draw(&item["children"], depth + 1, out);
        }
    }
    let mut out = String::new();
    let legal = FLOW.replace(", \"x\": 1", "");
    assert!(agama_lang::parse::parse(&legal, "").0.is_some());
    draw(&ask(&legal, "documentSymbol"), 0, &mut out);
    insta::assert_snapshot!(out);
    assert_eq!(ask("Flow", "documentSymbol"), json!([]));
}

#[test]
fn every_word_has_its_colour_even_in_a_broken_file() {
    let mut editor = Editor::with(&[], None);
    let legend = editor.ask("initialize", json!({})).unwrap();
    let types = &legend["capabilities"]["semanticTokensProvider"]["legend"]["tokenTypes"];
    let data = ask(FLOW, "semanticTokens/full")["data"].clone();
    let numbers: Vec<usize> =
        data.as_array().unwrap().iter().map(|n| usize::try_from(n.as_u64().unwrap()).unwrap()).collect();
    let lines: Vec<Vec<u16>> = FLOW.lines().map(|line| line.encode_utf16().collect()).collect();
    let (mut line, mut column, mut out) = (0, 0, String::new());
    for token in numbers.chunks(5) {
        if token[0] > 0 {
            out.push('\n');
            column = 0;
        }
        line += token[0];
        column += token[1];
        let text = String::from_utf16(&lines[line][column..column + token[2]]).unwrap();
        let mark = if token[4] == 1 { "!" } else { "" };
        write!(out, "{text}:{}{mark}  ", types[token[3]].as_str().unwrap()).unwrap();
    }
    insta::assert_snapshot!(out);
}

#[test]
fn blocks_fold() {
    let found = ask(FLOW, "foldingRange");
    let folds: Vec<(u64, u64)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|range| (range["startLine"].as_u64().unwrap(), range["endLine"].as_u64().unwrap()))
        .collect();
    assert_eq!(folds, [(1, 5), (8, 11), (12, 13), (14, 16), (15, 16), (17, 18), (19, 20)]);
}

#[test]
fn flows_are_found_by_some_of_their_letters() {
    let mut editor = Editor::shop();
    let found = editor.ask("workspace/symbol", json!({"query": "Sotp"})).unwrap();
    let names: Vec<&str> =
        found.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shop.otp"]);
    assert_eq!(found[0]["location"]["uri"], uri("/w/shop/code/shop.otp.flow"));
}
