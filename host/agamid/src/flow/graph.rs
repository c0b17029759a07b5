//! `agamid flow graph`.

use agama_lang::diagnostic::render;
use agama_lang::graph::Graph;
use agama_lang::parse::parse;

use super::command::{Drawing, GraphOptions};
use super::sources::{FlowFile, Source, Unusable};
use crate::{Exit, out};

/// Draws one flow, or all of a project into a folder.
pub(crate) fn graph(options: &GraphOptions) -> Result<(), Exit> {
    let sources = Source::read(&options.path).map_err(Unusable::exit)?;
    let flows: Vec<FlowFile<'_>> = sources.iter().flat_map(Source::flows).collect();
    let folder = options.output.as_ref().filter(|path| path.is_dir());
    if let (Some(folder), None) = (folder, &options.flow) {
        for flow in &flows {
            let (name, drawn) = draw(flow, options.format)?;
            let file = folder.join(format!("{name}.{}", ending(options.format)));
            write(&file, &drawn)?;
            out::line(&format!("wrote {}", file.display()));
        }
        return Ok(());
    }
    let (name, drawn) = draw(chosen(&flows, options.flow.as_deref())?, options.format)?;
    match &options.output {
        None => out::text(&drawn),
        Some(path) if path.is_dir() => {
            write(&path.join(format!("{name}.{}", ending(options.format))), &drawn)?
        }
        Some(file) => write(file, &drawn)?,
    }
    Ok(())
}

/// The flow that was named, or the only one.
pub(crate) fn chosen<'a, 'b>(
    flows: &'b [FlowFile<'a>],
    name: Option<&str>,
) -> Result<&'b FlowFile<'a>, Exit> {
    let names = || flows.iter().filter_map(|flow| flow.name).collect::<Vec<_>>().join(", ");
    match (name, flows) {
        (_, []) => Err(Exit::Usage("there is no flow in it".to_owned())),
        (None, [only]) => Ok(only),
        (None, _) => Err(Exit::Usage(format!("name one with --flow: {}", names()))),
        (Some(name), flows) => flows
            .iter()
            .find(|flow| flow.name.is_none_or(|this| this == name))
            .ok_or_else(|| Exit::Usage(format!("there is no flow {name}; there are: {}", names()))),
    }
}

fn draw(flow: &FlowFile<'_>, format: Drawing) -> Result<(String, String), Exit> {
    let source = String::from_utf8_lossy(flow.content);
    let (tree, findings) = parse(&source, &flow.file);
    let Some(tree) = tree else {
        for finding in &findings {
            out::error(&render(finding, &source));
        }
        return Err(Exit::Errors);
    };
    let graph = Graph::of(&tree).with_lines(&source);
    let drawn = match format {
        Drawing::Svg => graph.to_svg(),
        Drawing::Dot => graph.to_dot(),
        Drawing::Mermaid => graph.to_mermaid(),
    };
    Ok((graph.name, drawn))
}

fn ending(format: Drawing) -> &'static str {
    match format {
        Drawing::Svg => "svg",
        Drawing::Dot => "dot",
        Drawing::Mermaid => "mmd",
    }
}

fn write(file: &std::path::Path, text: &str) -> Result<(), Exit> {
    std::fs::write(file, text).map_err(|error| Exit::Failed(format!("{}: {error}", file.display())))
}
