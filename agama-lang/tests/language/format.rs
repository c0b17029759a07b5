//! The canonical layout: what it looks like, and that nothing but the layout changes.

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::format::format;
use agama_lang::parse::parse;
use proptest::prelude::*;

use crate::support::fixtures;

#[test]
fn one_layout_for_whatever_the_author_wrote() {
    for (name, source) in fixtures("format") {
        let formatted = check(&source).unwrap_or_else(|| panic!("{name} does not parse"));
        insta::with_settings!({ snapshot_path => "../snapshots/format", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), formatted);
        });
    }
}

#[test]
fn every_legal_fixture_keeps_its_meaning_and_its_comments() {
    for (name, source) in fixtures("ok") {
        assert!(check(&source).is_some(), "{name}");
    }
    for (name, source) in fixtures("run") {
        for part in source.split("//// next\n") {
            assert!(check(part).is_some(), "{name}");
        }
    }
}

#[test]
fn a_source_that_can_not_be_read_is_left_alone_and_its_errors_come_back() {
    let errors = format("Flow a\n    Basepath \"\"\n\nx = 1 +\n", "a.flow").unwrap_err();
    assert!(errors.iter().any(|finding| finding.line == 4), "{errors:?}");
}

#[test]
fn the_layout_does_not_depend_on_what_the_author_chose() {
    let one = "Flow a\n    Basepath \"\"\n\nx = {a: 1, b: [2, 3]}\nWhen x is null or x.a is 1\n    Finish true\nFinish false\n";
    let other = "\u{feff}Flow a\r\n Basepath \"\"\r\nx={a:1,\r\nb:[2\r\n,3]}\r\nWhen x is null\r\n\r\nor x.a is 1\r\n\tFinish true\r\n\r\n\r\nFinish false";
    assert_eq!(format(one, "a.flow").unwrap(), one);
    assert_eq!(format(other, "a.flow").unwrap(), one.replace("\nFinish false", "\n\nFinish false"));
}

/// What is written, without where: the tree with its spans taken out.
fn meaning(source: &str) -> Option<String> {
    let (flow, _) = parse(source, "a.flow");
    let text = format!("{:?}", flow?);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Span { start: ") {
        out.push_str(before);
        rest = after.split_once(" }").unwrap().1;
    }
    out.push_str(rest);
    Some(out)
}

/// The comments of a source, in order.
fn comments(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in source.lines() {
        let mut in_string = false;
        for (at, c) in line.char_indices() {
            in_string ^= c == '"';
            if !in_string && line[at..].starts_with("//") {
                found.push(line[at..].trim_end().to_owned());
                break;
            }
        }
    }
    found
}

/// Formats what parses, and checks what must hold for any source.
fn check(source: &str) -> Option<String> {
    let before = meaning(source)?;
    let formatted = format(source, "a.flow").unwrap();
    assert_eq!(meaning(&formatted).as_ref(), Some(&before), "the meaning stays:\n{source}\n---\n{formatted}");
    assert_eq!(format(&formatted, "a.flow").unwrap(), formatted, "twice is once:\n{source}");
    assert_eq!(comments(&formatted), comments(source), "comments stay:\n{source}\n---\n{formatted}");
    assert!(formatted.ends_with('\n') && !formatted.ends_with("\n\n") && !formatted.starts_with('\n'));
    assert!(!formatted.contains("\n\n\n") && !formatted.contains(['\r', '\u{feff}']));
    assert!(formatted.lines().all(|line| line == line.trim_end()), "no blanks at line ends:\n{formatted}");
    let said = |source: &str| compile(source, "a.flow", &NoFacts).diagnostics.len();
    assert_eq!(said(&formatted), said(source), "the checks find the same");
    Some(formatted)
}

/// Other layouts of a source that mean the same: what is done to the end of each line, and the width of an indent.
fn rewritten(source: &str, changes: &[u8], width: usize) -> String {
    let mut out = String::new();
    for (line, change) in source.lines().zip(changes.iter().cycle()) {
        let body = line.trim_start_matches([' ', '\t']);
        let indent = (line.len() - body.len()) * width;
        out.push_str(&" ".repeat(indent));
        out.push_str(body);
        match change {
            0 => out.push_str("  // beside"),
            1 => out.push_str("\n\n\n"),
            2 => out.push_str(&format!("\n{}// alone", " ".repeat(indent))),
            3 => out.push_str("\n// left\n  \n"),
            4 => out.push_str("\n            // right"),
            5 => out.push_str("\t \r"),
            _ => {}
        }
        out.push('\n');
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layout_of_a_fixture_formats_without_loss(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(0_u8..12, 1..12),
        width in 1_usize..4,
    ) {
        let mut all = fixtures("ok");
        all.extend(fixtures("format"));
        check(&rewritten(&which.get(&all).1, &changes, width));
    }

    #[test]
    fn a_fixture_with_pieces_cut_and_put_elsewhere_formats_without_loss(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        put in any::<prop::sample::Index>(),
        length in 1_usize..5,
    ) {
        let mut all = fixtures("ok");
        all.extend(fixtures("format"));
        let mut lines: Vec<&str> = which.get(&all).1.lines().collect();
        let from = cut.index(lines.len());
        let moved: Vec<&str> = lines.drain(from..(from + length).min(lines.len())).collect();
        let to = put.index(lines.len() + 1);
        lines.splice(to..to, moved);
        check(&lines.join("\n"));
    }
}
