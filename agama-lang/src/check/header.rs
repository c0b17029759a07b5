//! Inputs and the configuration variable have names of their own; the flow has the name of its file.

use std::collections::HashSet;

use crate::ast::Flow;
use crate::diagnostic::{Code, Sink};

pub(super) fn check(flow: &Flow, sink: &mut Sink<'_>) {
    let mut names = HashSet::new();
    for input in &flow.inputs {
        if !names.insert(input.node.as_str()) {
            let message = format!("the input {} is named twice", input.node);
            sink.error(Code::DuplicateInput, input.span, message, "give each input a name of its own");
        }
    }
    if let Some(configs) = &flow.configs
        && flow.inputs.iter().any(|input| input.node == configs.node)
    {
        let message = format!("{} is both the configuration and an input", configs.node);
        sink.error(Code::DuplicateInput, configs.span, message, "rename one of them");
    }
}

/// The name in the header must be that of the file, since other flows find it by the file's name.
pub fn name_matches(flow: &Flow, expected: &str, sink: &mut Sink<'_>) {
    if flow.name.node != expected {
        let message = format!("the header says {}, the file is {expected}.flow", flow.name.node);
        let hint = "rename the file, or the flow in its header";
        sink.report(Code::NameMismatch, flow.name.span, message, hint)
            .mend(format!("Name the flow {expected}"), vec![(flow.name.span, expected.to_owned())]);
    }
}
