//! Reads the programs out of our Markdown, so that the documents, their test and the playground share one text.
//!
//! `docs/language/README.md` describes the convention. This file is used by the playground and by
//! `agama-lang/tests/language/docs.rs`.

use serde_json::Value as Json;

/// One ```` ```agama ```` fence with what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snippet {
    /// The heading above it.
    pub heading: String,
    /// The words behind `agama` in its fence: `run`, `error=AGM0107`, `warning=AGM0206`.
    pub words: Vec<String>,
    /// The program.
    pub text: String,
    /// 1-based line of the document on which the program starts.
    pub line: usize,
    /// If it is run: the ```` ```json ```` fences behind it, up to the next program or heading, with their lines.
    pub runs: Vec<(usize, String)>,
}

impl Snippet {
    /// What stands behind `name=` in the fence.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether the program is run.
    pub fn is_run(&self) -> bool {
        self.words.iter().any(|word| word == "run")
    }

    /// The runs as JSON; one that can't be read is null.
    pub fn scripts(&self) -> impl Iterator<Item = Json> {
        self.runs.iter().map(|(_, text)| serde_json::from_str(text).unwrap_or_default())
    }
}

/// All programs of a document.
pub fn snippets(markdown: &str) -> Vec<Snippet> {
    let mut found: Vec<Snippet> = Vec::new();
    let mut heading = String::new();
    let mut runs_follow = false;
    let mut lines = markdown.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
            runs_follow = false;
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().map(|(_, text)| text).take_while(|text| !text.starts_with("```")).collect();
        let text = body.join("\n") + "\n";
        let mut words = info.trim().split(',').map(str::to_owned);
        match words.next().as_deref() {
            Some("agama") => {
                let words = words.collect();
                let snippet =
                    Snippet { heading: heading.clone(), words, text, line: at + 2, runs: Vec::new() };
                runs_follow = snippet.is_run();
                found.push(snippet);
            }
            Some("json") if runs_follow => {
                if let Some(last) = found.last_mut() {
                    last.runs.push((at + 2, text));
                }
            }
            _ => {}
        }
    }
    found
}

/// The flows of a text: each begins with a line that starts with `Flow `. Answers the lines before each, and its text.
pub fn flows(text: &str) -> Vec<(usize, &str)> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with("Flow ") {
            starts.push((number, offset));
        }
        offset += line.len();
    }
    // What stands before the first flow, comments for example, belongs to it.
    match starts.first_mut() {
        Some(first) => *first = (0, 0),
        None => starts.push((0, 0)),
    }
    let ends = starts.iter().skip(1).map(|(_, offset)| *offset).chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|((line, start), end)| (*line, text.get(*start..end).unwrap_or_default()))
        .collect()
}
