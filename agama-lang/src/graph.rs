//! A flow as a graph for people: its pages, calls, subflows, decisions, loops and ends. Assignments in a row are one
//! small node, log lines are left out.
//!
//! | file | what |
//! | --- | --- |
//! | `build.rs` | from the syntax tree to nodes and edges |
//! | `words.rs` | expressions as text |
//! | `dot.rs`, `mermaid.rs` | the graph for other tools |
//! | `place.rs` | where everything stands in the picture; `sketch.rs` what a placed part is made of |
//! | `svg.rs` | the picture |

mod build;
mod dot;
mod mermaid;
mod place;
mod sketch;
mod svg;
mod words;

use crate::ast::{Flow, Span};
use crate::source::LineIndex;

/// A flow, drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The flow's qualified name.
    pub name: String,
    /// Nodes in the order of the source, the start first.
    pub nodes: Vec<Node>,
    /// Ways from node to node.
    pub edges: Vec<Edge>,
    /// How the nodes nest, which is how they are placed.
    items: Vec<Item>,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// What it is about: a template, a routine, a condition.
    pub title: String,
    /// More lines, less important.
    pub details: Vec<String>,
    /// Where it stands in the source.
    pub span: Span,
    /// 1-based line in the source, once [`Graph::with_lines`] told it.
    pub line: Option<u32>,
}

/// The kinds of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Where the flow begins.
    Start,
    /// Assignments.
    Steps,
    /// `RRF`
    Page,
    /// `RFAC`
    Redirect,
    /// `Call`
    Call,
    /// `Trigger`
    Subflow,
    /// `When`, `Quit When`
    Decision,
    /// `Match`
    Match,
    /// `Repeat`, `Iterate over`
    Loop,
    /// A `Quit` that leaves its loop.
    Quit,
    /// A `Finish`.
    Finish(Ending),
    /// The end of the text, reached without `Finish`: a crash.
    NoFinish,
}

/// How a `Finish` ends the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It succeeds.
    Success,
    /// It fails.
    Failure,
    /// The value of a variable decides.
    Depends,
}

/// A way from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Index of a node.
    pub from: usize,
    /// Index of a node.
    pub to: usize,
    /// When this way is taken; empty for the only one.
    pub label: String,
    /// Whether it leads back to the start of a loop.
    pub back: bool,
}

/// A part of a flow, as it nests.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    /// A node with nothing inside.
    Node(usize),
    /// A decision: ways that branch off, and the way straight on.
    Choice { node: usize, branches: Vec<Branch>, otherwise: Vec<Item>, straight: String },
    /// A loop around its body; what the way out of it is called.
    Loop { node: usize, body: Vec<Item>, out: String },
}

/// A way that branches off.
#[derive(Debug, Clone, PartialEq)]
struct Branch {
    label: String,
    items: Vec<Item>,
}

impl Graph {
    /// The graph of a flow.
    pub fn of(flow: &Flow) -> Self {
        build::graph(flow)
    }

    /// Tells the nodes their lines; `source` is the text that the flow was read from.
    #[must_use]
    pub fn with_lines(mut self, source: &str) -> Self {
        let index = LineIndex::new(source);
        for node in &mut self.nodes {
            node.line = Some(index.line_column(node.span.start).0);
        }
        self
    }

    /// A name for a node that stays the same as long as its line does: `L12`.
    pub fn id(&self, node: usize) -> String {
        let Some(this) = self.nodes.get(node) else { return String::new() };
        let Some(line) = this.line else { return format!("n{node}") };
        let before = self.nodes.iter().take(node).filter(|other| other.line == this.line).count();
        if before == 0 { format!("L{line}") } else { format!("L{line}_{before}") }
    }

    /// For Graphviz.
    pub fn to_dot(&self) -> String {
        dot::dot(self)
    }

    /// For Mermaid, as in Markdown.
    pub fn to_mermaid(&self) -> String {
        mermaid::mermaid(self)
    }

    /// A picture, in light and dark.
    pub fn to_svg(&self) -> String {
        svg::svg(self)
    }
}

impl Kind {
    /// What a node of this kind is called in pictures; empty where its look says it.
    pub fn tag(self) -> &'static str {
        match self {
            Kind::Page => "page",
            Kind::Redirect => "redirect",
            Kind::Call => "call",
            Kind::Subflow => "flow",
            Kind::Match => "match",
            _ => "",
        }
    }
}
