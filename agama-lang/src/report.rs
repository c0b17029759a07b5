//! Whole reports of findings: text for people, JSON for tools, SARIF 2.1.0 for code hosts. Command line and playground
//! share them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ast::Span;
use crate::diagnostic::{Code, Diagnostic, Severity, render_in};
use crate::source::LineIndex;

/// Where the pages of the codes are, below the root of the documentation's source.
const PAGES: &str = "docs/diagnostics/";

/// One checked file.
#[derive(Debug, Clone, Copy)]
pub struct FileReport<'a> {
    /// Its source.
    pub source: &'a str,
    /// What was found in it.
    pub findings: &'a [Diagnostic],
}

/// Every finding with its source lines, and a line that counts them.
pub fn text(files: &[FileReport<'_>]) -> String {
    let mut out = String::new();
    let (mut errors, mut warnings) = (0usize, 0usize);
    for file in files {
        let index = LineIndex::new(file.source);
        for finding in file.findings {
            out.push_str(&render_in(finding, &index));
            out.push('\n');
            match finding.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
        }
    }
    out.push_str(&format!(
        "{}, {}, {}\n",
        counted(files.len(), "file"),
        counted(errors, "error"),
        counted(warnings, "warning")
    ));
    out
}

/// `{"files":n,"diagnostics":[{code,severity,file,line,column,end_line,end_column,message,hint,related}]}`
pub fn json(files: &[FileReport<'_>]) -> Value {
    let mut found = Vec::new();
    for file in files {
        let index = LineIndex::new(file.source);
        found.extend(file.findings.iter().map(|finding| one_json(finding, &index)));
    }
    json!({ "files": files.len(), "diagnostics": found })
}

fn one_json(finding: &Diagnostic, index: &LineIndex<'_>) -> Value {
    let related: Vec<Value> = finding
        .related
        .iter()
        .map(|(span, message)| {
            let (line, column) = index.line_column(span.start);
            json!({ "line": line, "column": column, "message": message })
        })
        .collect();
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "message": finding.message,
        "hint": finding.hint,
        "related": related,
    })
}

/// A SARIF 2.1.0 log with one run. The rules' help is found below `docs/diagnostics`.
pub fn sarif(files: &[FileReport<'_>]) -> Value {
    let mut indexes = BTreeMap::new();
    for finding in files.iter().flat_map(|file| file.findings) {
        indexes.insert(finding.code, 0usize);
    }
    for (at, index) in indexes.values_mut().enumerate() {
        *index = at;
    }
    let rules: Vec<Value> = indexes.keys().map(|code| rule(*code)).collect();
    let mut results = Vec::new();
    for file in files {
        let index = LineIndex::new(file.source);
        for finding in file.findings {
            let rule_index = indexes.get(&finding.code).copied().unwrap_or_default();
            results.push(result(finding, rule_index, &index));
        }
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "agamid",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.number(),
        "name": code.name(),
        "shortDescription": { "text": code.title() },
        "helpUri": format!("{PAGES}{code}.md"),
        "defaultConfiguration": { "level": code.severity().word() },
    })
}

fn result(finding: &Diagnostic, rule_index: usize, index: &LineIndex<'_>) -> Value {
    let uri = uri(&finding.file);
    let message = match &finding.hint {
        Some(hint) => format!("{}\n{hint}", finding.message),
        None => finding.message.clone(),
    };
    let place = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": {
                "startLine": finding.line,
                "startColumn": finding.column,
                "endLine": finding.end_line,
                "endColumn": finding.end_column,
            },
        },
    });
    let mut out = json!({
        "ruleId": finding.code.number(),
        "ruleIndex": rule_index,
        "level": finding.severity.word(),
        "message": { "text": message },
        "locations": [place],
    });
    let related: Vec<Value> = finding
        .related
        .iter()
        .zip(1..)
        .map(|((span, text), id)| {
            json!({
                "id": id,
                "message": { "text": text },
                "physicalLocation": { "artifactLocation": { "uri": uri }, "region": region(*span, index) },
            })
        })
        .collect();
    if let (false, Some(map)) = (related.is_empty(), out.as_object_mut()) {
        map.insert("relatedLocations".to_owned(), Value::Array(related));
    }
    if let (Some(fix), Some(map)) = (&finding.fix, out.as_object_mut()) {
        let replacements: Vec<Value> = fix
            .edits
            .iter()
            .map(|(span, text)| {
                json!({ "deletedRegion": region(*span, index), "insertedContent": { "text": text } })
            })
            .collect();
        let fixes = json!([{
            "description": { "text": fix.title },
            "artifactChanges": [{ "artifactLocation": { "uri": uri }, "replacements": replacements }],
        }]);
        map.insert("fixes".to_owned(), fixes);
    }
    out
}

fn region(span: Span, index: &LineIndex<'_>) -> Value {
    let (start_line, start_column) = index.line_column(span.start);
    let (end_line, end_column) = index.line_column(span.end.max(span.start));
    json!({
        "startLine": start_line,
        "startColumn": start_column,
        "endLine": end_line,
        "endColumn": end_column,
    })
}

/// A path as a relative URI reference: what a URI can't hold is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'\\' => out.push('/'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::{FileReport, json, sarif, text, uri};
    use crate::check::facts::NoFacts;
    use crate::compile::compile;

    const SOURCE: &str = "Flow a.b\n    Basepath \"b\"\n\nuser = \"x\"\nFinish usre\n";

    #[test]
    fn text_counts_errors_and_warnings() {
        let findings = compile(SOURCE, "a.b.flow", &NoFacts).diagnostics;
        let said = text(&[FileReport { source: SOURCE, findings: &findings }]);
        assert!(said.contains("error[AGM0204]: nothing assigns the variable usre"), "{said}");
        assert!(said.ends_with("\n1 file, 1 error, 1 warning\n"), "{said}");
    }

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let findings = compile(SOURCE, "a.b.flow", &NoFacts).diagnostics;
        let said = json(&[FileReport { source: SOURCE, findings: &findings }]);
        assert_eq!(said["files"], 1);
        let one = &said["diagnostics"][1];
        assert_eq!(one["code"], "AGM0204");
        assert_eq!(one["severity"], "error");
        assert_eq!(one["file"], "a.b.flow");
        assert_eq!((&one["line"], &one["column"]), (&5.into(), &8.into()));
        assert_eq!((&one["end_line"], &one["end_column"]), (&5.into(), &12.into()));
        assert_eq!(one["hint"], "did you mean user?");
    }

    #[test]
    fn sarif_names_rules_places_and_fixes() {
        let findings = compile(SOURCE, "my flows/a.b.flow", &NoFacts).diagnostics;
        let said = sarif(&[FileReport { source: SOURCE, findings: &findings }]);
        let run = &said["runs"][0];
        let result = &run["results"][1];
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(result["ruleId"], "AGM0204");
        assert_eq!(rule["id"], "AGM0204");
        assert_eq!(rule["helpUri"], "docs/diagnostics/AGM0204.md");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20flows/a.b.flow");
        assert_eq!(place["region"]["startLine"], 5);
        let replacement = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(replacement["insertedContent"]["text"], "user");
        assert_eq!(replacement["deletedRegion"]["startColumn"], 8);
    }

    #[test]
    fn uris_are_encoded() {
        assert_eq!(uri("a\\b c/ü.flow"), "a/b%20c/%C3%BC.flow");
    }
}
