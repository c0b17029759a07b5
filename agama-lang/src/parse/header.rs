//! The header: `Flow`, and the block below it.

use pest::iterators::Pair;

use super::Rule;
use super::explain::{self, keyword_in};
use super::line::Reader;
use crate::ast::{Flow, Ident, Spanned};
use crate::diagnostic::{Code, Sink};
use crate::layout::{Line, MOST_FINDINGS};

/// The order that the header's lines must keep.
const ORDER: [(&str, Rule); 4] = [
    ("Basepath", Rule::basepath_line),
    ("Timeout", Rule::timeout_line),
    ("Configs", Rule::configs_line),
    ("Inputs", Rule::inputs_line),
];
const SHAPE: &str = "a flow begins with: Flow its.qualified.name, and indented below it Basepath \"folder\"";

/// What came of reading the header.
pub(super) struct Header {
    /// The flow, still without a body.
    pub(super) flow: Flow,
    /// How many lines the header has.
    pub(super) used: usize,
    /// How far the body's first lines are indented: not at all, unless its author did it by mistake.
    pub(super) body_indent: usize,
}

/// Reads the header.
pub(super) fn header(lines: &[Line], sink: &mut Sink<'_>) -> Option<Header> {
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
        return None;
    };
    // Where Flow stands: in the first line, unless something was put before it.
    let at = lines.iter().position(|line| line.indent == 0 && has_word(&line.text, "Flow")).unwrap_or(0);
    if at > 0 {
        let hint = "only comments stand before it, each line beginning with //";
        sink.error(Code::Header, first.whole(), "the file does not begin with Flow", hint);
    }
    let first = lines.get(at).unwrap_or(first);
    let slip = explain::near(explain::first(&first.text), "Flow");
    let begins = has_word(&first.text, "Flow") || slip;
    if begins && first.indent > 0 {
        let message =
            format!("the first line starts in column {}; it must start in column 1", first.indent + 1);
        sink.error(Code::Indentation, first.whole(), message, "delete the blanks before it");
    }
    if slip {
        sink.error(Code::Header, first.whole(), "the file does not begin with Flow", "write Flow");
    } else if begins {
        flow_line(first, &mut flow, sink);
    } else {
        sink.error(Code::Header, first.whole(), "the file does not begin with Flow", SHAPE);
        if word_of(&first.text).is_none() {
            return Some(Header { flow, used: 0, body_indent: first.indent });
        }
    }
    let body = lines.get(at + 1..).unwrap_or_default();
    let mut count = body.iter().take_while(|line| line.indent > first.indent).count();
    if count == 0 {
        count = body.iter().take_while(|line| word_of(&line.text).is_some()).count();
        if let (Some(line), true) = (body.first(), count > 0 && begins) {
            let message = format!("this header line starts in column {}, like Flow", line.indent + 1);
            sink.error(Code::Indentation, line.whole(), message, "indent the header's lines below Flow");
        }
    }
    let block = body.get(..count).unwrap_or_default();
    let used = properties(block, &mut flow, sink);
    let has_basepath = block.iter().any(|line| {
        let word = explain::first(&line.text);
        word == "Basepath" || explain::near(word, "Basepath")
    });
    if begins && !has_basepath {
        sink.error(Code::Header, first.whole(), "the header has no Basepath", SHAPE);
    }
    let body_indent = block.get(used).map_or(0, |line| line.indent);
    Some(Header { flow, used: at + used + 1, body_indent })
}

fn flow_line(line: &Line, flow: &mut Flow, sink: &mut Sink<'_>) {
    let reader = Reader::new(line);
    match reader.read(Rule::flow_line).map(|line| line.into_inner().next()) {
        Ok(Some(name)) => flow.name = reader.ident(&name),
        _ => {
            let name = line.text.get(4..).unwrap_or_default().trim_start();
            let (message, hint) = match name {
                "" => ("the flow has no name".to_owned(), SHAPE.to_owned()),
                name => {
                    let hint = "a qualified name is made of names with dots between: letters, digits and _, beginning with a letter";
                    (format!("`{name}` is no name that a flow can have"), hint.to_owned())
                }
            };
            sink.error(Code::Header, line.whole(), message, hint);
        }
    }
}

/// Reads the lines below `Flow`; answers how many belong to the header.
fn properties(block: &[Line], flow: &mut Flow, sink: &mut Sink<'_>) -> usize {
    let mut next = 0;
    let top = block.first().map_or(0, |line| line.indent);
    for (number, line) in block.iter().enumerate() {
        if sink.count() >= MOST_FINDINGS {
            break;
        }
        let Some(at) = word_of(&line.text) else {
            if unknown(line, sink) {
                continue;
            }
            return number;
        };
        if line.indent != top {
            let message = format!(
                "this header line starts in column {}, the first one below Flow in column {}",
                line.indent + 1,
                top + 1
            );
            sink.error(Code::Indentation, line.whole(), message, "align the header's lines");
        }
        if at < next {
            let hint = "the order is Basepath, Timeout, Configs, Inputs, each once";
            sink.error(Code::Header, line.whole(), "this header line is out of order or written twice", hint);
        }
        next = next.max(at + 1);
        property(line, ORDER.get(at).map_or(Rule::inputs_line, |(_, rule)| *rule), flow, sink);
    }
    block.len()
}

/// A line that has no header word. Whether the header may go on behind it: not when it is a statement.
fn unknown(line: &Line, sink: &mut Sink<'_>) -> bool {
    let first = explain::first(&line.text);
    let near = ORDER.iter().find(|(word, _)| explain::near(first, word));
    let statement = near.is_none() && Reader::new(line).statement().is_ok();
    if statement {
        let message = format!("this statement starts in column {}, inside the header", line.indent + 1);
        sink.error(Code::Indentation, line.whole(), message, "statements start in column 1");
        return false;
    }
    let hint = match near {
        Some((word, _)) => format!("write {word}"),
        None => "the header has Basepath, Timeout, Configs and Inputs, in this order; statements start in column 1".to_owned(),
    };
    sink.error(Code::Header, line.whole(), "this is no header line", hint);
    true
}

fn word_of(text: &str) -> Option<usize> {
    ORDER.iter().position(|(word, _)| has_word(text, word))
}

fn has_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

fn property(line: &Line, rule: Rule, flow: &mut Flow, sink: &mut Sink<'_>) {
    let mut reader = Reader::new(line);
    let Ok(pairs) = reader.read(rule) else {
        let keyword = line.text.split_once([' ', '\t']).and_then(|(_, rest)| keyword_in(rest));
        let (message, hint) = match (rule, keyword) {
            (Rule::configs_line | Rule::inputs_line, Some(keyword)) => {
                (format!("`{keyword}` is a keyword and names no variable"), "use another name")
            }
            (Rule::basepath_line, _) => {
                ("Basepath takes one string".to_owned(), "write: Basepath \"folder\"")
            }
            (Rule::timeout_line, _) => {
                ("Timeout takes a whole number of seconds".to_owned(), "write: Timeout 300 seconds")
            }
            (Rule::configs_line, _) => ("Configs takes one name".to_owned(), "write: Configs conf"),
            _ => ("Inputs takes names, with blanks between".to_owned(), "write: Inputs first second"),
        };
        sink.error(Code::Header, line.whole(), message, hint);
        return;
    };
    let values: Vec<Pair<'_, Rule>> = pairs.into_inner().filter(|p| p.as_rule() != Rule::EOI).collect();
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
    for name in values.iter().filter(|value| value.as_rule() == Rule::name && value.as_str() == "idx") {
        let hint = "idx holds the counters of the loops; use another name";
        sink.error(Code::AssignsIdx, reader.ident(name).span, "idx can't be named here", hint);
    }
    for mistake in reader.mistakes {
        sink.error(Code::BadString, mistake.span, mistake.message, mistake.hint);
    }
}
