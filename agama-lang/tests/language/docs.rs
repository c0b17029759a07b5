//! The programs in our documents compile, are refused with the code they name, or end as they say. The convention is in
//! `docs/language/README.md`.

use std::path::{Path, PathBuf};

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::diagnostic::{Diagnostic, Severity, render};
use agama_lang::rehearse::{Answer, Flows, Report, Stubs, rehearse};
use agama_lang::value::{Map, Value};
use serde_json::{Value as Json, json};

use book::{Snippet, flows, snippets};

#[path = "../../../docs/playground/src/book.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the playground, which uses the rest")]
mod book;

/// What stands above a program that has no header.
const HEADER: &str =
    "Flow docs.fragment\n    Basepath \"docs\"\n    Configs conf\n    Inputs form user login item\n\n";
/// What a run may say; a misspelt member would check nothing.
const MEMBERS: &[&str] = &[
    "answers",
    "stubs",
    "inputs",
    "config",
    "outcome",
    "log",
    "pages",
    "models",
    "redirects",
    "crash",
    "line",
    "waiting",
];

/// All programs of the pages that follow the convention, with where they stand.
fn programs() -> Vec<(String, Snippet)> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(docs.join("language")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.extend([docs.join("agama-by-example.md"), docs.join("flows.md")]);
    pages.sort();
    let mut found = Vec::new();
    for page in pages {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&page).unwrap();
        found.extend(snippets(&text).into_iter().map(|one| (format!("{name}:{}", one.line), one)));
    }
    found
}

/// Whether a program is a whole flow. One that shows a mistake in a header says so with the word `whole`.
fn is_whole(snippet: &Snippet) -> bool {
    snippet.text.lines().any(|line| line.starts_with("Flow ")) || snippet.words.iter().any(|w| w == "whole")
}

fn compiled(snippet: &Snippet, place: &str) -> (Vec<Diagnostic>, String) {
    let text = if is_whole(snippet) { snippet.text.clone() } else { format!("{HEADER}{}", snippet.text) };
    let mut found = Vec::new();
    let mut said = String::new();
    for (_, flow) in flows(&text) {
        for finding in compile(flow, place, &NoFacts).diagnostics {
            said.push_str(&render(&finding, flow));
            found.push(finding);
        }
    }
    (found, said)
}

#[test]
fn every_program_in_the_docs_compiles_or_is_refused_with_the_code_it_names() {
    let programs = programs();
    assert!(programs.len() > 60, "the walk found the programs, not only {}", programs.len());
    let mut wrong = Vec::new();
    for (place, snippet) in programs {
        let (found, said) = compiled(&snippet, &place);
        let mut errors: Vec<&str> = found
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.code.number())
            .collect();
        errors.dedup();
        let expected: Vec<&str> = snippet.word("error").into_iter().collect();
        if errors != expected {
            wrong.push(format!("{place}: errors {errors:?}, not {expected:?}\n{said}"));
        }
        if let Some(code) = snippet.word("warning")
            && !found.iter().any(|finding| finding.code.number() == code)
        {
            wrong.push(format!("{place}: no {code}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_run_in_the_docs_ends_as_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (place, snippet) in programs() {
        if snippet.is_run() && snippet.runs.is_empty() {
            wrong.push(format!("{place}: the word run needs a json block behind the program"));
        }
        for (line, text) in &snippet.runs {
            count += 1;
            let outcome = serde_json::from_str(text)
                .map_err(|error| error.to_string())
                .and_then(|script| Ok((played(&snippet, &script)?, script)))
                .map(|(report, script)| differences(&script, &report));
            for said in outcome.unwrap_or_else(|error| vec![error]) {
                wrong.push(format!("{place}, run on line {line}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 30, "the walk found the runs, not only {count}");
}

/// Rehearses the first flow of a program.
fn played(snippet: &Snippet, script: &Json) -> Result<Report, String> {
    for member in script.as_object().ok_or("the json block is no object")?.keys() {
        if !MEMBERS.contains(&member.as_str()) {
            return Err(format!("nobody looks at {member:?}"));
        }
    }
    let text = if is_whole(snippet) { snippet.text.clone() } else { format!("{HEADER}{}", snippet.text) };
    let given = |name: &str, default: Json| script.get(name).cloned().unwrap_or(default);
    let mut world = Flows::default();
    let mut first = None;
    for (_, flow) in flows(&text) {
        let name = world.add(flow, "docs").map_err(|found| format!("{found:?}"))?;
        world.configure(&name, map(given("config", json!({}))));
        first.get_or_insert(name);
    }
    let answers = Answer::script(given("answers", json!([]))).map_err(|error| error.to_string())?;
    let mut stubs = Stubs::read(given("stubs", json!({}))).map_err(|error| error.to_string())?;
    let inputs = map(given("inputs", json!({})));
    Ok(rehearse(&world, &first.unwrap_or_default(), inputs, answers, &mut stubs))
}

fn map(json: Json) -> Map {
    match Value::from_json(json) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    }
}

/// A run says how it ends, and may say more; answers what is not so.
fn differences(script: &Json, report: &Report) -> Vec<String> {
    let told = serde_json::to_value(report).unwrap();
    let at = |path: &str| told.pointer(path).cloned().unwrap_or_default();
    let list = |member: &str, part: &str| -> Json {
        let all = told.get(member).and_then(Json::as_array);
        all.into_iter().flatten().map(|one| one.get(part).cloned().unwrap_or_default()).collect()
    };
    let waiting = told.pointer("/waiting/url").cloned().unwrap_or_else(|| at("/waiting/template"));
    let ends = ["outcome", "crash", "waiting"];
    let mut wrong = Vec::new();
    if ends.iter().filter(|end| script.get(**end).is_some()).count() != 1 {
        wrong.push("it must say one of outcome, crash, waiting".to_owned());
    }
    if !report.unused_answers.is_empty() {
        wrong.push("answers are left over".to_owned());
    }
    let mut same = |member: &str, actual: &Json, expected: Option<&Json>| {
        if expected.is_some_and(|expected| expected != actual) {
            wrong.push(format!("{member} is {actual}"));
        }
    };
    for end in ends {
        let actual = at(&format!("/{end}"));
        same(end, &actual, script.get(end).filter(|_| actual.is_null()));
    }
    for (member, value) in script.get("outcome").and_then(Json::as_object).into_iter().flatten() {
        same(&format!("outcome.{member}"), &at(&format!("/outcome/{member}")), Some(value));
    }
    same("waiting", &waiting, script.get("waiting"));
    same("line", &at("/crash/line"), script.get("line"));
    same("log", &list("log", "message"), script.get("log"));
    same("pages", &list("pages", "template"), script.get("pages"));
    same("models", &list("pages", "model"), script.get("models"));
    same("redirects", &at("/redirects"), script.get("redirects"));
    let crash = report.crash.as_ref().map_or("", |crash| &crash.message);
    if !crash.contains(script.get("crash").and_then(Json::as_str).unwrap_or_default()) {
        wrong.push(format!("the crash is {crash:?}"));
    }
    if !wrong.is_empty() {
        wrong.push(format!("{told:#}"));
    }
    wrong
}
