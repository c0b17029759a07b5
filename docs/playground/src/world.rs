//! The flows of one text, which may hold several: they are each other's subflows, and nothing else exists.

use agama_lang::ast::Flow;
use agama_lang::check::facts::{Facts, FlowFacts, RoutineFacts};
use agama_lang::compile::compile_parsed;
use agama_lang::diagnostic::Diagnostic;
use agama_lang::parse::parse;

use crate::book::flows;

/// What findings call the text.
pub(crate) const FILE: &str = "playground.flow";

/// One flow of the text.
pub(crate) struct Part<'a> {
    /// Lines of the text before it.
    pub(crate) before: usize,
    /// Its source.
    pub(crate) source: &'a str,
    /// Its tree, if it can be read.
    pub(crate) flow: Option<Flow>,
    found: Vec<Diagnostic>,
}

/// All flows of a text.
pub(crate) struct World<'a>(pub(crate) Vec<Part<'a>>);

impl<'a> World<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        let parts = flows(text).into_iter().map(|(before, source)| {
            let (flow, found) = parse(source, FILE);
            Part { before, source, flow, found }
        });
        Self(parts.collect())
    }

    /// Everything there is to say, places counted in the whole text.
    pub(crate) fn findings(&self) -> Vec<(&Part<'a>, Diagnostic)> {
        let mut all = Vec::new();
        for part in &self.0 {
            let parsed = (part.flow.clone(), part.found.clone());
            let compiled = compile_parsed(parsed, part.source, FILE, None, self);
            for mut finding in compiled.diagnostics {
                finding.line = finding.line.saturating_add(u32::try_from(part.before).unwrap_or(u32::MAX));
                all.push((part, finding));
            }
        }
        all
    }

    /// The flow on a 1-based line, else the first.
    pub(crate) fn at_line(&self, line: usize) -> Option<&Part<'a>> {
        self.0.iter().rev().find(|part| part.before < line).or(self.0.first())
    }
}

impl Facts for World<'_> {
    fn template(&self, _path: &str) -> bool {
        true
    }

    fn flow(&self, qname: &str) -> Option<FlowFacts> {
        // While one of the flows can't be read, its name is not known either.
        if self.0.iter().any(|part| part.flow.is_none()) {
            return Some(FlowFacts { inputs: Vec::new() });
        }
        let flow =
            self.0.iter().filter_map(|part| part.flow.as_ref()).find(|flow| flow.name.node == qname)?;
        Some(FlowFacts { inputs: flow.inputs.iter().map(|input| input.node.clone()).collect() })
    }

    fn routine(&self, _package: &str, _function: &str) -> RoutineFacts {
        RoutineFacts::Unchecked
    }
}
