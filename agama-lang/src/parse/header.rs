//! The header: `Flow`, and the block below it.

use pest::iterators::Pair;

use super::Rule;
use super::line::Reader;
use crate::ast::{Flow, Ident, Spanned};
use crate::diagnostic::{Code, Sink};
use crate::layout::Line;

/// The order that the header's lines must keep.
const ORDER: [(&str, Rule); 4] = [
    ("Basepath", Rule::basepath_line),
    ("Timeout", Rule::timeout_line),
    ("Configs", Rule::configs_line),
    ("Inputs", Rule::inputs_line),
];
const SHAPE: &str = "a flow begins with: Flow its.qualified.name, and indented below it Basepath \"folder\"";

/// Reads the header; answers the flow without a body, and how many lines the header has.
pub(super) fn header(lines: &[Line], sink: &mut Sink<'_>) -> (Flow, usize) {
    let mut flow = Flow {
        name: Ident { node: String::new(), span: Default::default() },
        basepath: Spanned { node: String::new(), span: Default::default() },
        timeout_seconds: None,
        configs: None,
        inputs: Vec::new(),
        body: Vec::new(),
    };
    let Some(first) = lines.first() else {
        sink.error(Code::Header, Default::default(), "the file holds no flow", SHAPE);
        return (flow, 0);
    };
    if first.indent > 0 {
        let message =
            format!("the first line starts in column {}; it must start in column 1", first.indent + 1);
        sink.error(Code::Indentation, first.whole(), message, "delete the blanks before it");
    }
    let reader = Reader::new(first);
    match reader.read(Rule::flow_line).ok().and_then(|line| line.into_inner().next()) {
        Some(name) => flow.name = reader.ident(&name),
        None => sink.error(Code::Header, first.whole(), "the first line is no Flow header", SHAPE),
    }
    let body = lines.get(1..).unwrap_or_default();
    let count = body.iter().take_while(|line| line.indent > first.indent).count();
    let block = body.get(..count).unwrap_or_default();
    properties(block, first, &mut flow, sink);
    (flow, count + 1)
}

fn properties(block: &[Line], first: &Line, flow: &mut Flow, sink: &mut Sink<'_>) {
    let mut next = 0;
    for line in block {
        if block.first().is_some_and(|top| top.indent != line.indent) {
            let message = format!(
                "this header line starts in column {}, the one above in column {}",
                line.indent + 1,
                block.first().map_or(0, |top| top.indent) + 1
            );
            sink.error(Code::Indentation, line.whole(), message, "align the header's lines");
        }
        let found = ORDER.iter().position(|(word, _)| {
            line.text.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        });
        let Some(at) = found else {
            let hint = "the header has Basepath, Timeout, Configs and Inputs, in this order; statements start in column 1";
            sink.error(Code::Header, line.whole(), "this is no header line", hint);
            continue;
        };
        if at < next {
            let hint = "the order is Basepath, Timeout, Configs, Inputs, each once";
            sink.error(Code::Header, line.whole(), "this header line is out of order or written twice", hint);
        }
        next = next.max(at + 1);
        property(line, ORDER.get(at).map_or(Rule::inputs_line, |(_, rule)| *rule), flow, sink);
    }
    let has_basepath = block.first().is_some_and(|line| line.text.starts_with("Basepath"));
    if !has_basepath {
        sink.error(Code::Header, first.whole(), "the header has no Basepath as its first line", SHAPE);
    }
}

fn property(line: &Line, rule: Rule, flow: &mut Flow, sink: &mut Sink<'_>) {
    let mut reader = Reader::new(line);
    let Ok(pairs) = reader.read(rule) else {
        let hint = match rule {
            Rule::basepath_line => "write: Basepath \"folder\"",
            Rule::timeout_line => "write: Timeout 300 seconds",
            Rule::configs_line => "write: Configs conf",
            _ => "write: Inputs first second",
        };
        sink.error(Code::Header, line.whole(), "this header line can't be read", hint);
        return;
    };
    let values: Vec<Pair<'_, Rule>> = pairs.into_inner().filter(|pair| pair.as_rule() != Rule::EOI).collect();
    let Some(value) = values.first() else { return };
    match rule {
        Rule::basepath_line => flow.basepath = reader.string(value),
        Rule::timeout_line => {
            let name = reader.ident(value);
            match name.node.parse() {
                Ok(node) => flow.timeout_seconds = Some(Spanned { node, span: name.span }),
                Err(_) => {
                    sink.error(Code::Header, name.span, "this timeout is too large", "use at most a few days")
                }
            }
        }
        Rule::configs_line => flow.configs = Some(reader.ident(value)),
        _ => flow.inputs = values.iter().map(|value| reader.ident(value)).collect(),
    }
    for mistake in reader.mistakes {
        sink.error(Code::BadString, mistake.span, mistake.message, mistake.hint);
    }
}
