//! `agamid flow …`: tools for flow authors.

use std::path::{Path, PathBuf};

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::{compile, compile_parsed};
use agama_lang::diagnostic::{Diagnostic, has_errors, render};
use agama_lang::parse::parse;
use agamid_flow_engine::project::ProjectFiles;
use serde_json::json;

use crate::cli::Format;
use crate::{Exit, out};

/// A source and what was found in it.
struct Checked {
    source: String,
    findings: Vec<Diagnostic>,
}

/// Compiles and checks each flow, prints what was found.
pub(crate) fn check(paths: &[PathBuf], format: Format) -> Result<(), Exit> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(check_path(path).map_err(Exit::Failed)?);
    }
    let findings: Vec<&Diagnostic> = all.iter().flat_map(|checked| &checked.findings).collect();
    match format {
        Format::Json => {
            let report = json!({ "files": all.len(), "diagnostics": findings });
            out::line(&report.to_string());
        }
        Format::Text => {
            for checked in &all {
                for finding in &checked.findings {
                    out::line(&render(finding, &checked.source));
                }
            }
            out::line(&format!("{} files, {} findings", all.len(), findings.len()));
        }
    }
    if all.iter().any(|checked| has_errors(&checked.findings)) { Err(Exit::Errors) } else { Ok(()) }
}

fn check_path(path: &Path) -> Result<Vec<Checked>, String> {
    let shown = path.display().to_string();
    if path.extension().is_some_and(|extension| extension == "flow") {
        let source = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let findings = compile(&source, &shown, &NoFacts).diagnostics;
        return Ok(vec![Checked { source, findings }]);
    }
    let project = if path.is_dir() {
        ProjectFiles::from_folder(path)
    } else {
        let bytes = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
        ProjectFiles::from_archive(&bytes)
    };
    let project = project.map_err(|error| format!("{shown}: {error}"))?;
    let mut found = Vec::new();
    for (name, file, content) in project.flows() {
        let source = String::from_utf8_lossy(content).into_owned();
        let file = format!("{shown}/{file}");
        let compiled = compile_parsed(parse(&source, &file), &source, &file, Some(name), &NoFacts);
        found.push(Checked { source, findings: compiled.diagnostics });
    }
    Ok(found)
}
