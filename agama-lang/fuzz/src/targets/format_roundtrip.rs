//! A formatted flow means the same, and formatting it again changes nothing.

use agama_lang::ast::Flow;
use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::diagnostic::{Diagnostic, has_errors};
use agama_lang::parse;

/// Checks a formatter on an input.
pub fn format_roundtrip(input: &[u8], format: fn(&str, &str) -> Result<String, Vec<Diagnostic>>) -> String {
    let Ok(source) = std::str::from_utf8(input) else { return "no text".to_owned() };
    let (before, found) = parse::parse(source, "a.b.flow");
    let formatted = match format(source, "a.b.flow") {
        Ok(formatted) => formatted,
        Err(refused) => {
            assert!(
                before.is_none() && has_errors(&refused),
                "a flow that parses is not formatted: {refused:?}"
            );
            return format!("refused {}", refused.len().min(5));
        }
    };
    assert!(before.is_some(), "what does not parse is formatted all the same: {found:?}");
    let (after, found) = parse::parse(&formatted, "a.b.flow");
    assert!(after.is_some(), "what was formatted does not parse: {found:?}\n{formatted}");
    assert_eq!(code(source), code(&formatted), "formatting changed what the flow does");
    assert_eq!(comments(source), comments(&formatted), "a comment was lost or changed");
    let again = format(&formatted, "a.b.flow");
    assert!(again.as_ref() == Ok(&formatted), "formatting twice changes something:\n{formatted}\n{again:?}");
    format!("formatted {}", after.map_or(0, |flow: Flow| flow.body.len().min(20)))
}

/// The instructions, without the lines they stand in.
fn code(source: &str) -> Option<Vec<String>> {
    let program = compile(source, "a.b.flow", &NoFacts).program?;
    Some(program.to_string().lines().map(|line| line.get(10..).unwrap_or(line).to_owned()).collect())
}

/// The comments, in order.
fn comments(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in source.lines() {
        let mut in_string = false;
        let bytes = line.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' => in_string = !in_string,
                b'/' if !in_string && bytes.get(at + 1) == Some(&b'/') => {
                    found.extend(line.get(at..).map(str::trim_end));
                    break;
                }
                _ => {}
            }
        }
    }
    found
}
