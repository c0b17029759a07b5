//! `agamid flow check`.

use std::path::PathBuf;

use agama_lang::ast::{Flow, Span};
use agama_lang::compile::compile_parsed;
use agama_lang::diagnostic::{Code, Diagnostic, Sink};
use agama_lang::parse::parse;

use super::command::CheckOptions;
use super::show::{Checked, count, show};
use super::sources::{Source, Unusable};
use super::world::Known;
use crate::Exit;

/// Checks all flows at the paths together, and prints what was found.
pub(crate) fn check(options: &CheckOptions) -> Result<(), Exit> {
    let known = Known::load(options.plugins.as_deref()).map_err(Exit::Failed)?;
    let all = findings(&options.paths, known).map_err(Exit::Failed)?;
    show(&all, options.format);
    let (errors, warnings) = count(&all);
    let bad = errors > 0 || options.deny.is_some() && warnings > 0;
    if bad { Err(Exit::Errors) } else { Ok(()) }
}

/// A flow that was parsed.
struct Parsed<'a> {
    name: Option<&'a str>,
    file: String,
    source: String,
    tree: (Option<Flow>, Vec<Diagnostic>),
}

/// What is found in all flows at the paths.
pub(crate) fn findings(paths: &[PathBuf], mut known: Known) -> Result<Vec<Checked>, String> {
    let mut sources = Vec::new();
    let mut all = Vec::new();
    for path in paths {
        match Source::read(path) {
            Ok(found) => sources.extend(found),
            Err(Unusable::Unreadable(reason)) => return Err(reason),
            Err(Unusable::Broken { file, line, reason }) => all.push(broken(&file, line, reason)),
        }
    }
    let mut parsed = Vec::new();
    for source in &sources {
        let mut flows = Vec::new();
        for flow in source.flows() {
            let one = read(flow.name, flow.file, flow.content);
            let header = one.tree.0.as_ref().map(|tree| tree.name.node.clone());
            if let Some(name) = flow.name.map(str::to_owned).or(header) {
                known.add_flow(&name, one.tree.0.as_ref());
            }
            flows.push(one);
        }
        parsed.push((source, flows));
    }
    let trees: Vec<&Flow> = parsed
        .iter()
        .flat_map(|(_, flows)| flows)
        .filter_map(|one: &Parsed<'_>| one.tree.0.as_ref())
        .collect();
    known.find_proving(&trees);
    for (source, flows) in parsed {
        let world = known.around(source.project());
        for Parsed { name, file, source, tree } in flows {
            let compiled = compile_parsed(tree, &source, &file, name, &world);
            all.push(Checked { source, findings: compiled.diagnostics });
        }
        all.extend(manifest(source));
    }
    Ok(all)
}

fn read<'a>(name: Option<&'a str>, file: String, content: &[u8]) -> Parsed<'a> {
    match std::str::from_utf8(content) {
        Ok(source) => {
            let tree = parse(source, &file);
            Parsed { name, file, source: source.to_owned(), tree }
        }
        Err(error) => {
            let source = String::from_utf8_lossy(content).into_owned();
            let at = u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX);
            let here = Span { start: at, end: at.saturating_add(1) };
            let mut found = Vec::new();
            let message = format!("the file is not UTF-8 (byte {at})");
            Sink::new(&source, &file, &mut found).error(
                Code::BadCharacter,
                here,
                message,
                "save it as UTF-8",
            );
            Parsed { name, file, source, tree: (None, found) }
        }
    }
}

/// A project that is none.
fn broken(file: &str, line: u32, reason: String) -> Checked {
    // An archive has no lines to show.
    let source = std::fs::read_to_string(file).unwrap_or_default();
    let before = source.split_inclusive('\n').take(usize::try_from(line).unwrap_or(1).saturating_sub(1));
    let start = u32::try_from(before.map(str::len).sum::<usize>()).unwrap_or(0);
    let length = source.lines().nth(usize::try_from(line).unwrap_or(1).saturating_sub(1)).map_or(0, str::len);
    let here = Span { start, end: start.saturating_add(u32::try_from(length).unwrap_or(0)) };
    let mut findings = Vec::new();
    Sink::new(&source, file, &mut findings).error(Code::BadProject, here, reason, "");
    Checked { source, findings }
}

/// What is wrong with `project.json`; nothing when all is well.
fn manifest(source: &Source) -> Option<Checked> {
    let Source::Project { shown, files } = source else { return None };
    let text = files.files.get("project.json").map(|bytes| String::from_utf8_lossy(bytes).into_owned())?;
    let file = format!("{}/project.json", shown.trim_end_matches('/'));
    let mut findings = Vec::new();
    let mut sink = Sink::new(&text, &file, &mut findings);
    for name in files.manifest.launchable.keys() {
        if !files.flows().any(|(flow, ..)| flow == name) {
            let at = u32::try_from(text.find(&format!("\"{name}\"")).unwrap_or(0)).unwrap_or(0);
            let here = Span { start: at, end: at.saturating_add(u32::try_from(name.len()).unwrap_or(0) + 2) };
            let message = format!("launchable names {name}, which is no flow of this project");
            sink.error(Code::BadProject, here, message, "correct the name, or delete the entry");
        }
    }
    (!findings.is_empty()).then_some(Checked { source: text, findings })
}
