//! For Graphviz.

use std::fmt::Write as _;

use super::{Ending, Graph, Kind};

pub(super) fn dot(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&graph.name));
    out.push_str("  node [shape=box style=\"rounded,filled\" fillcolor=\"#ffffff\" color=\"#8a94a6\" fontname=\"monospace\" fontsize=11];\n");
    out.push_str("  edge [color=\"#5b6472\" fontname=\"sans-serif\" fontsize=10];\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut lines = Vec::new();
        if !node.kind.tag().is_empty() {
            lines.push(node.kind.tag());
        }
        lines.extend([node.title.as_str()].into_iter().filter(|title| !title.is_empty()));
        lines.extend(node.details.iter().map(String::as_str));
        let label = quoted(&lines.join("\n"));
        let _ = writeln!(out, "  {} [label={label}{}];", graph.id(at), look(node.kind));
    }
    for edge in &graph.edges {
        let mut marks = Vec::new();
        if !edge.label.is_empty() {
            marks.push(format!("label={}", quoted(&edge.label)));
        }
        if edge.back {
            marks.push("style=dashed constraint=false".to_owned());
        }
        let marks = if marks.is_empty() { String::new() } else { format!(" [{}]", marks.join(" ")) };
        let _ = writeln!(out, "  {} -> {}{marks};", graph.id(edge.from), graph.id(edge.to));
    }
    out.push_str("}\n");
    out
}

fn look(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => " shape=oval fillcolor=\"#e8eaf0\"",
        Kind::Steps => " style=\"rounded,dashed\" color=\"#b6bdc9\" fontcolor=\"#5b6472\"",
        Kind::Page => " fillcolor=\"#e3f0ff\" color=\"#2f6fc4\"",
        Kind::Redirect => " fillcolor=\"#e0f5f7\" color=\"#1b7f8c\"",
        Kind::Call => "",
        Kind::Subflow => " fillcolor=\"#f0e8fd\" color=\"#7a4fc4\" peripheries=2",
        Kind::Decision | Kind::Match => " shape=diamond style=filled fillcolor=\"#fff4d6\" color=\"#b7831a\"",
        Kind::Loop => " shape=hexagon style=filled fillcolor=\"#f1f3f7\"",
        Kind::Quit => " shape=oval style=\"filled,dashed\" fillcolor=\"#f1f3f7\"",
        Kind::Finish(Ending::Success) => " shape=oval fillcolor=\"#dff5e3\" color=\"#2c8a43\"",
        Kind::Finish(Ending::Failure) | Kind::NoFinish => {
            " shape=oval fillcolor=\"#fde6e6\" color=\"#c23b3b\""
        }
        Kind::Finish(Ending::Depends) => " shape=oval fillcolor=\"#eef3e4\" color=\"#6b7f2f\"",
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
