//! For Mermaid, as in Markdown.

use std::fmt::Write as _;

use super::{Ending, Graph, Kind};

pub(super) fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut lines = Vec::new();
        if !node.kind.tag().is_empty() {
            lines.push(node.kind.tag());
        }
        lines.extend([node.title.as_str()].into_iter().filter(|title| !title.is_empty()));
        lines.extend(node.details.iter().map(String::as_str));
        let label = lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br/>");
        let (open, close, class) = look(node.kind);
        let _ = writeln!(out, "    {}{open}\"{label}\"{close}:::{class}", graph.id(at));
    }
    for edge in &graph.edges {
        let line = if edge.back { "-.->" } else { "-->" };
        let label =
            if edge.label.is_empty() { String::new() } else { format!("|\"{}\"|", escaped(&edge.label)) };
        let _ = writeln!(out, "    {} {line}{label} {}", graph.id(edge.from), graph.id(edge.to));
    }
    out.push_str(CLASSES);
    out
}

const CLASSES: &str = "    classDef start fill:#e8eaf0,stroke:#8a94a6,color:#1c2430
    classDef steps fill:none,stroke:#b6bdc9,stroke-dasharray:3 3
    classDef page fill:#e3f0ff,stroke:#2f6fc4,color:#1c2430
    classDef redirect fill:#e0f5f7,stroke:#1b7f8c,color:#1c2430
    classDef call fill:#ffffff,stroke:#8a94a6,color:#1c2430
    classDef subflow fill:#f0e8fd,stroke:#7a4fc4,color:#1c2430
    classDef decision fill:#fff4d6,stroke:#b7831a,color:#1c2430
    classDef loop fill:#f1f3f7,stroke:#8a94a6,color:#1c2430
    classDef success fill:#dff5e3,stroke:#2c8a43,color:#1c2430
    classDef failure fill:#fde6e6,stroke:#c23b3b,color:#1c2430
    classDef depends fill:#eef3e4,stroke:#6b7f2f,color:#1c2430
";

/// The brackets that make a node's shape, and its class.
fn look(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::Start => ("([", "])", "start"),
        Kind::Steps => ("[", "]", "steps"),
        Kind::Page => ("[", "]", "page"),
        Kind::Redirect => ("[", "]", "redirect"),
        Kind::Call => ("[", "]", "call"),
        Kind::Subflow => ("[[", "]]", "subflow"),
        Kind::Decision | Kind::Match => ("{", "}", "decision"),
        Kind::Loop => ("{{", "}}", "loop"),
        Kind::Quit => ("([", "])", "loop"),
        Kind::Finish(Ending::Success) => ("([", "])", "success"),
        Kind::Finish(Ending::Failure) | Kind::NoFinish => ("([", "])", "failure"),
        Kind::Finish(Ending::Depends) => ("([", "])", "depends"),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '#' => out.push_str("#35;"),
            c => out.push(c),
        }
    }
    out
}
