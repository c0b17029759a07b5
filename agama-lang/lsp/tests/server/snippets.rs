//! The snippets of the VS Code extension: what they insert is Agama.

use agama_lang::diagnostic::render;
use agama_lang::parse::parse;
use serde_json::Value;

/// The text of a snippet with each place filled with what it proposes.
fn filled(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(inside) = rest.strip_prefix('{') {
            let end = closing(inside);
            if &inside[..end] == "TM_FILENAME_BASE" {
                out.push_str("a.b");
                rest = &inside[end + 1..];
                continue;
            }
            let (_, proposed) = inside[..end].split_once([':', '|']).unwrap_or_default();
            let first = proposed.split([',', '|']).next().filter(|_| inside[..end].ends_with('|'));
            out.push_str(&filled(first.unwrap_or(proposed)));
            rest = &inside[end + 1..];
        } else {
            // A place with nothing in it: a statement is typed there.
            out.push_str("Log \"x\"");
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    out + rest
}

/// Where the bracket closes that was opened before the text.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("{text} is not closed")
}

#[test]
fn every_snippet_inserts_legal_agama() {
    let snippets: Value =
        serde_json::from_str(include_str!("../../../../sdk/vscode/snippets/agama.json")).unwrap();
    let snippets = snippets.as_object().unwrap();
    assert!(snippets.len() > 15);
    for (name, snippet) in snippets {
        let body = match &snippet["body"] {
            Value::Array(lines) => {
                lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
            }
            line => line.as_str().unwrap().to_owned(),
        };
        let body = filled(&body);
        let source = if body.starts_with("Flow ") {
            body
        } else if body.starts_with("Quit") {
            format!("Flow a.b\n    Basepath \"\"\nRepeat 2 times max\n    Log 1\n    {body}\nFinish true\n")
        } else {
            format!("Flow a.b\n    Basepath \"\"\n{body}\nFinish true\n")
        };
        let (flow, found) = parse(&source, name);
        let said: String = found.iter().map(|finding| render(finding, &source)).collect();
        assert!(flow.is_some(), "{name}:\n{source}\n{said}");
        assert!(!source.contains('$'), "{name}: {source}");
    }
}
