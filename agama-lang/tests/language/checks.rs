//! Findings that a flow deploys with, each shown as people see it; flows that must come out clean; and what each page of
//! `docs/diagnostics` claims.

use std::collections::BTreeSet;

use agama_lang::check::proves;
use agama_lang::compile::{compile, compile_parsed};
use agama_lang::diagnostic::{Code, Diagnostic, Severity, render};
use agama_lang::effect::Crash;
use agama_lang::parse::parse;

use crate::support::fixtures;
use crate::world::World;

/// All findings, with what [`World`] knows.
pub(crate) fn findings(name: &str, source: &str) -> Vec<Diagnostic> {
    compile(source, &format!("{name}.flow"), &World).diagnostics
}

/// A run that came to the end of its flow was warned of, and what nothing reaches does not run.
pub(crate) fn foresaw(crash: &Crash, findings: &[Diagnostic], source: &str) {
    if crash.message.contains("no Finish was reached") {
        assert!(findings.iter().any(|finding| finding.code == Code::NoFinish), "{source}");
    }
    let dead =
        findings.iter().find(|finding| finding.code == Code::Unreachable && finding.line == crash.at.line);
    assert!(dead.is_none(), "line {} ran:\n{source}", crash.at.line);
}

#[test]
fn warnings_say_what_is_wrong_and_let_the_flow_compile() {
    for (name, source) in fixtures("warn") {
        let compiled = compile(&source, &format!("{name}.flow"), &World);
        let said: Vec<String> = compiled.diagnostics.iter().map(|finding| render(finding, &source)).collect();
        assert!(compiled.program.is_some(), "{name}:\n{}", said.join("\n"));
        assert!(!said.is_empty(), "{name} has no findings");
        insta::with_settings!({ snapshot_path => "../snapshots/warn", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), said.join("\n"));
        });
    }
}

#[test]
fn good_flows_come_out_clean() {
    for (name, source) in fixtures("clean") {
        let said: Vec<String> =
            findings(&name, &source).iter().map(|finding| render(finding, &source)).collect();
        assert!(said.is_empty(), "{}", said.join("\n"));
    }
}

#[test]
fn every_fix_mends_its_finding() {
    for (name, source) in fixtures("warn").into_iter().chain(fixtures("err")) {
        for finding in findings(&name, &source) {
            let Some(fix) = &finding.fix else { continue };
            let mut edits = fix.edits.clone();
            edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
            let mut mended = source.clone();
            for (span, text) in edits {
                mended.replace_range(span.start as usize..span.end as usize, &text);
            }
            let same = |other: &&Diagnostic| other.code == finding.code && other.message == finding.message;
            let (before, left) = (findings(&name, &source), findings(&name, &mended));
            let gone = left.iter().filter(same).count() < before.iter().filter(same).count();
            assert!(gone, "{name}: {} leaves it in\n{mended}", fix.title);
            let unread = left.iter().any(|left| left.code < Code::NameMismatch);
            assert!(!unread, "{name}: {} breaks the flow:\n{mended}", fix.title);
        }
    }
}

#[test]
fn a_flow_proves_whom_it_names_only_if_every_success_stands_behind_a_proof() {
    let flow = |body: &str| {
        let source = format!("Flow a.b\n    Basepath \"shop\"\n    Inputs given\n\n{body}\n");
        let (flow, found) = parse(&source, "a.b.flow");
        proves(&flow.unwrap_or_else(|| panic!("{found:?}")), &World)
    };
    let verify = "form = RRF \"login.html\"\nuser = Call agamid.password#verify form.login form.password\n";
    assert!(flow("Finish false"));
    assert!(flow("x = {success: false}\nFinish x"));
    assert!(!flow("Finish true"));
    assert!(!flow("Finish given"));
    assert!(!flow("x = {success: true}\nFinish x"));
    assert!(flow("first = Trigger demo.password given\nFinish first"));
    assert!(!flow("first = Trigger shop.otp given \"mail\"\nFinish first"));
    assert!(flow(&format!("{verify}When user is null\n    Finish false\nFinish true")));
    assert!(flow(&format!("{verify}Finish user.id")));
    assert!(!flow(&format!("{verify}Finish true")));
    assert!(!flow(&format!("{verify}When user is not null\n    Finish given\nFinish false")));
    let code = "c = Call agamid.credentials#find given \"totp\"\nform = RRF \"code.html\" c\nstep = Call extras.otp.totp#verify c.secret form.code 1 null\n";
    assert!(flow(&format!("{code}When step is not null\n    Finish given\nFinish false")));
    assert!(!flow(&format!("{code}Finish given")));
}

#[test]
fn a_small_slip_in_a_large_flow_is_still_found_and_a_huge_flow_says_that_it_is_not_followed() {
    let round = "form = RRF \"login.html\"\nuser = Call agamid.password#verify form.login form.password\nWhen user is not null\n    Log user.name\n";
    let head = "Flow a.b\n    Basepath \"shop\"\n\n";
    let codes = |source: &str| findings("a.b", source).iter().map(|finding| finding.code).collect::<Vec<_>>();
    assert_eq!(
        codes(&format!("{head}{}Log user.nam\nFinish false", round.repeat(500))),
        [Code::ResultMisuse]
    );
    let many: String = (0..10_000).map(|n| format!("x{n} = RRF \"a.html\"\nLog x{n}\n")).collect();
    let found = findings("a.b", &format!("{head}{many}Finish false"));
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::TooLarge]);
    assert_eq!(found[0].severity, Severity::Warning);
}

/// The blocks of one kind on a page: those below a heading.
fn examples<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let Some((_, rest)) = page.split_once(&format!("## {heading}\n")) else { return Vec::new() };
    let section = rest.split("\n## ").next().unwrap();
    section.split("```agama\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn every_code_of_a_flow_has_a_page_whose_examples_are_true() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagnostics");
    let mut pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for code in Code::ALL {
        let file = format!("{code}.md");
        assert!(pages.remove(&file), "there is no docs/diagnostics/{file}");
        let page = std::fs::read_to_string(folder.join(&file)).unwrap();
        assert!(page.starts_with(&format!("# {code}: ")), "{file} does not begin with its number");
        if *code >= Code::BadTemplate {
            continue;
        }
        let (wrong, right) = (examples(&page, "Wrong"), examples(&page, "Right"));
        assert!(!wrong.is_empty() && !right.is_empty(), "{file} lacks a wrong or a right example");
        for (source, is_wrong) in
            wrong.iter().map(|source| (source, true)).chain(right.iter().map(|source| (source, false)))
        {
            let source = &typed_out(source);
            let found = example(source);
            let said: Vec<String> = found.iter().map(|finding| render(finding, source)).collect();
            let has = found.iter().any(|finding| finding.code == *code);
            assert_eq!(has, is_wrong, "{file}:\n{source}\n{}", said.join("\n"));
            assert!(is_wrong || found.is_empty(), "{file}, right example:\n{}", said.join("\n"));
        }
    }
    assert!(pages.is_empty(), "pages of no code: {pages:?}");
    let index = std::fs::read_to_string(folder.join("../diagnostics.md")).unwrap();
    let silenced = examples(&index, "Silencing a finding");
    assert!(!silenced.is_empty());
    for source in silenced {
        let said: Vec<String> = example(source).iter().map(|finding| render(finding, source)).collect();
        assert!(said.is_empty(), "docs/diagnostics.md:\n{}", said.join("\n"));
    }
}

/// What a page can't hold: `␌` stands for a form feed, `«9 letters»` for so many of them.
fn typed_out(source: &str) -> String {
    let source = source.replace('␌', "\u{c}");
    match source.split_once('«') {
        Some((before, rest)) => {
            let (count, after) = rest.split_once(" letters»").unwrap();
            format!("{before}{}{after}", "x".repeat(count.parse().unwrap()))
        }
        None => source,
    }
}

/// An example is checked as the file `shop.start.flow`.
fn example(source: &str) -> Vec<Diagnostic> {
    let file = "shop.start.flow";
    compile_parsed(parse(source, file), source, file, Some("shop.start"), &World).diagnostics
}
