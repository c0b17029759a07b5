//! What the page can ask for. Requests and answers are JSON; a request that can't be read is answered with
//! `{"error": "…"}`.

use agama_lang::graph::Graph;
use agama_lang::rehearse::{Answer, Flows, Report, Stubs, rehearse};
use agama_lang::value::{Map, Value};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::book::snippets;
use crate::world::{FILE, World};

/// A text, and where the caret is.
#[derive(Deserialize)]
struct Text {
    source: String,
    #[serde(default)]
    line: usize,
}

/// A rehearsal. What is not given is empty.
#[derive(Deserialize)]
struct Script {
    source: String,
    #[serde(default = "no_answers")]
    answers: Json,
    #[serde(default = "nothing")]
    stubs: Json,
    #[serde(default = "nothing")]
    inputs: Json,
    #[serde(default = "nothing")]
    config: Json,
}

fn no_answers() -> Json {
    json!([])
}

fn nothing() -> Json {
    json!({})
}

/// `{source}` → `{diagnostics, flows}`: everything that is wrong, each with its number of characters (`length`), and
/// the names of the flows that can be read.
pub fn check(request: &str) -> String {
    answered(request, |text: Text| {
        let world = World::read(&text.source);
        let mut diagnostics = Vec::new();
        for (part, finding) in world.findings() {
            let (start, end) = (finding.span.start as usize, finding.span.end as usize);
            let length = part.source.get(start..end).map_or(1, |found| found.chars().count().max(1));
            let mut told = serde_json::to_value(&finding).map_err(|error| error.to_string())?;
            if let Json::Object(members) = &mut told {
                members.insert("length".to_owned(), json!(length));
            }
            diagnostics.push(told);
        }
        let flows: Vec<&str> = world
            .0
            .iter()
            .filter_map(|part| part.flow.as_ref())
            .map(|flow| flow.name.node.as_str())
            .collect();
        Ok(json!({ "diagnostics": diagnostics, "flows": flows }))
    })
}

/// `{source}` → `{text}`: the canonical layout of every flow.
pub fn format(request: &str) -> String {
    answered(request, |text: Text| {
        let mut out = Vec::new();
        for part in &World::read(&text.source).0 {
            let whole = agama_lang::format::format(part.source, FILE);
            out.push(
                whole.map_err(|_| "mend what can't be read first; then it can be formatted".to_owned())?,
            );
        }
        Ok(json!({ "text": out.join("\n") }))
    })
}

/// `{source, line}` → `{name, svg, nodes}`: a picture of the flow on that line, and its parts as a list.
pub fn graph(request: &str) -> String {
    answered(request, |text: Text| {
        let world = World::read(&text.source);
        let part = world.at_line(text.line);
        let Some((part, flow)) = part.and_then(|part| Some((part, part.flow.as_ref()?))) else {
            return Err("the picture appears when the flow can be read".to_owned());
        };
        let graph = Graph::of(flow).with_lines(part.source);
        let nodes: Vec<Json> = graph
            .nodes
            .iter()
            .map(|node| {
                let line = node.line.map(|line| line as usize + part.before);
                json!({ "tag": node.kind.tag(), "title": node.title, "line": line })
            })
            .collect();
        Ok(json!({ "name": graph.name, "svg": graph.to_svg(), "nodes": nodes }))
    })
}

/// `{source, answers, stubs, inputs, config}` → `{report}`: the first flow of the text, run. Lines in the report are
/// those of the whole text.
pub fn run(request: &str) -> String {
    answered(request, |script: Script| {
        let world = World::read(&script.source);
        let mut flows = Flows::default();
        let mut first = None;
        for part in &world.0 {
            let name = flows
                .add(part.source, FILE)
                .map_err(|_| "mend what can't be read first; then it can run".to_owned())?;
            flows.configure(&name, map(&script.config, "config")?);
            first.get_or_insert(name);
        }
        let answers = Answer::script(script.answers).map_err(|error| error.to_string())?;
        let mut stubs = Stubs::read(script.stubs).map_err(|error| error.to_string())?;
        let inputs = map(&script.inputs, "inputs")?;
        let mut report = rehearse(&flows, &first.unwrap_or_default(), inputs, answers, &mut stubs);
        whole_lines(&mut report, &world);
        Ok(json!({ "report": report }))
    })
}

/// Counts lines in the whole text instead of in the flow.
fn whole_lines(report: &mut Report, world: &World<'_>) {
    let whole = |name: &str, line: u32| {
        let part = world.0.iter().find(|part| part.flow.as_ref().is_some_and(|flow| flow.name.node == name));
        // Line 0 is none: the flow did not start.
        let before = part.filter(|_| line > 0).map_or(0, |part| part.before);
        line.saturating_add(u32::try_from(before).unwrap_or(u32::MAX))
    };
    if let Some(crash) = &mut report.crash {
        crash.line = whole(&crash.flow, crash.line);
    }
    for call in &mut report.calls {
        call.line = whole(&call.flow, call.line);
    }
}

/// Anything → `{examples: [{title, source, script}]}`: the programs of "Agama by example".
pub fn examples(_request: &str) -> String {
    let all = snippets(include_str!("../../agama-by-example.md"));
    let told: Vec<Json> = all
        .iter()
        .filter(|snippet| snippet.is_run())
        .map(|snippet| {
            let script = snippet.scripts().next().unwrap_or_default();
            json!({ "title": snippet.heading, "source": snippet.text, "script": script })
        })
        .collect();
    json!({ "examples": told }).to_string()
}

fn map(json: &Json, what: &str) -> Result<Map, String> {
    match Value::from_json(json.clone()) {
        Value::Map(map) => Ok(map),
        other => Err(format!("\"{what}\" must be an object, but is {}", other.kind())),
    }
}

fn answered<T: for<'a> Deserialize<'a>>(
    request: &str,
    work: impl FnOnce(T) -> Result<Json, String>,
) -> String {
    let read = serde_json::from_str(request).map_err(|error| error.to_string());
    let answer = read.and_then(work).unwrap_or_else(|error| json!({ "error": error }));
    answer.to_string()
}

#[cfg(test)]
mod tests;
