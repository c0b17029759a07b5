//! What a flow names, and where: variables with their definitions and uses, templates, subflows, routines, and an
//! outline. Editors ask this for jumps, lists of references and renames.
//!
//! `collect.rs` walks the tree, `rename.rs` says where a new name must be written.

mod collect;
mod rename;

use std::collections::BTreeMap;

use crate::ast::{Flow, Ident, Span, StringLit};

pub use crate::parse::KEYWORDS;
pub use rename::RenameError;

/// The loop counters: every flow has them, and none may assign or rename them.
pub const IDX: &str = "idx";

/// All that a flow names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Symbols {
    /// Variables by name; those that are only read too.
    pub variables: BTreeMap<String, Variable>,
    /// `RRF`s, in the order of the source.
    pub templates: Vec<TemplateSite>,
    /// `Trigger`s of a literal name, in the order of the source.
    pub triggers: Vec<TriggerSite>,
    /// `Call`s of routines, in the order of the source.
    pub calls: Vec<CallSite>,
    /// Pages, calls, blocks and ends of the flow, nested as in the source.
    pub outline: Vec<OutlineItem>,
}

/// One variable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variable {
    /// Where it gets a value as a whole.
    pub definitions: Vec<Definition>,
    /// Where it is read, or a part of it is changed.
    pub uses: Vec<Use>,
    /// Properties written or read directly behind its name, and keys of maps assigned to it, each with its places.
    pub properties: BTreeMap<String, Vec<Span>>,
}

/// A place where a variable gets a value as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The name.
    pub span: Span,
    /// How it gets its value.
    pub role: Role,
    /// The line that does it; for header lines the name itself.
    pub statement: Span,
}

/// How a variable gets its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Named in `Inputs`.
    Input,
    /// Named in `Configs`.
    Configs,
    /// Left of `=`.
    Assigned,
    /// Behind `using`.
    LoopItem,
    /// Between `|` and `=`.
    Error,
}

/// A place where a variable is read, or a part of it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The name.
    pub span: Span,
    /// A part of the value is assigned: `x.y = …`.
    pub changes: bool,
}

/// An `RRF`.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateSite {
    /// The string as written.
    pub template: StringLit,
    /// Base path and template joined: below `web/`.
    pub path: String,
    /// The variable that receives the form.
    pub target: Option<String>,
    /// The variable that is shown.
    pub model: Option<String>,
    /// The statement.
    pub span: Span,
}

/// A `Trigger` of a literal name.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerSite {
    /// The qualified name.
    pub flow: Ident,
    /// How many arguments are given.
    pub arguments: usize,
    /// The statement.
    pub span: Span,
}

/// A `Call` of a routine.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSite {
    /// The part before `#`.
    pub package: Ident,
    /// The part after `#`.
    pub function: Ident,
    /// The statement.
    pub span: Span,
}

/// An entry of the outline.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlineItem {
    /// What it is.
    pub kind: OutlineKind,
    /// Its line, or for labels of a `Match` the label.
    pub span: Span,
    /// From its line to the end of what is indented below it.
    pub whole: Span,
    /// What stands inside it.
    pub children: Vec<OutlineItem>,
}

/// What an entry of the outline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutlineKind {
    /// `RRF`
    Page,
    /// `RFAC`
    Redirect,
    /// `Trigger`
    Subflow,
    /// `Call`
    Call,
    /// `When`, and what stands below its `Otherwise`.
    Condition,
    /// `Match`
    Choice,
    /// A label of a `Match`.
    Label,
    /// `Repeat`, `Iterate over`
    Loop,
    /// `Finish`
    End,
}

impl Symbols {
    /// Collects what a flow names.
    pub fn of(flow: &Flow) -> Self {
        collect::collect(flow)
    }

    /// The variable whose name stands at an offset (its end counts), with that place.
    pub fn variable_at(&self, offset: u32) -> Option<(&str, Span)> {
        self.variables.iter().find_map(|(name, variable)| {
            variable
                .spans()
                .find(|span| span.start <= offset && offset <= span.end)
                .map(|at| (name.as_str(), at))
        })
    }
}

impl Variable {
    /// Every place of the name: definitions, then uses.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        let definitions = self.definitions.iter().map(|definition| definition.span);
        definitions.chain(self.uses.iter().map(|place| place.span))
    }
}

impl OutlineItem {
    /// The text of its line as an outline shows it: one line, blanks run together, not longer than 80 characters.
    pub fn label(&self, source: &str) -> String {
        const LONGEST: usize = 80;
        let range =
            usize::try_from(self.span.start).unwrap_or(0)..usize::try_from(self.span.end).unwrap_or(0);
        let text = source.get(range).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let line = words.join(" ");
        if line.chars().count() <= LONGEST {
            return line;
        }
        line.chars().take(LONGEST - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests;
