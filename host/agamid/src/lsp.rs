//! `agamid lsp`: the language server, told which routines there are.

use std::path::{Path, PathBuf};

use agama_lsp::{Declared, Disk, Error, Routine, Settings};
use agamid_plugin_host::describe::{self, Described};

use crate::{Exit, compose, out};

/// Folders below the plugins' are searched this deep.
const DEEPEST: usize = 3;

/// Serves an editor over standard input and output.
pub(crate) fn lsp(plugins: &Path) -> Result<(), Exit> {
    let settings = Settings {
        files: Box::new(Disk),
        routines: routines(plugins),
        flows: flows().map_err(Exit::Failed)?,
        format: Some(agama_lang::format::format),
    };
    agama_lsp::run_stdio(settings).map_err(|error| match error {
        // The protocol asks for exit code 1.
        Error::NoShutdown => Exit::Errors,
        Error::Stream(_) => Exit::Failed(error.to_string()),
    })
}

/// The flows that ship, by name and source.
fn flows() -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for project in compose::shipped(true)? {
        let sources = project
            .flows()
            .map(|(name, _, source)| (name.to_owned(), String::from_utf8_lossy(source).into_owned()));
        found.extend(sources);
    }
    Ok(found)
}

/// The server's routines, those of the plugins that ship, and those found in a folder. Sources come last: they know
/// more than a component does, and replace it.
fn routines(plugins: &Path) -> Vec<Routine> {
    let mut found = Vec::new();
    for wit in agamid_host_modules::WITS {
        add(&mut found, "a module of the server", describe::of_wit(wit), None);
    }
    for component in compose::shipped_plugins() {
        add(&mut found, "a plugin that ships", describe::of_component(&component), None);
    }
    let mut files = Vec::new();
    walk(plugins, 0, &mut files);
    // `.wasm` sorts before `.wit`.
    files.sort_by(|a, b| (a.extension(), a).cmp(&(b.extension(), b)));
    for file in files {
        let shown = file.display().to_string();
        match std::fs::read(&file) {
            Err(error) => add(&mut found, &shown, Err(error.to_string()), None),
            Ok(bytes) if shown.ends_with(".wit") => {
                let text = String::from_utf8_lossy(&bytes);
                add(&mut found, &shown, describe::of_wit(&text), Some((&file, &text)));
            }
            Ok(bytes) => add(&mut found, &shown, describe::of_component(&bytes), None),
        }
    }
    found
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let kind = entry.file_type();
        let hidden = entry.file_name().to_string_lossy().starts_with('.') || entry.file_name() == "target";
        if kind.is_ok_and(|kind| kind.is_dir()) && !hidden && depth < DEEPEST {
            walk(&path, depth + 1, found);
        } else if path.extension().is_some_and(|extension| extension == "wasm" || extension == "wit") {
            found.push(path);
        }
    }
}

/// Adds routines in place of those of the same name. What can't be read is told on standard error, which editors keep
/// in their log: the rest still counts. `wit` is the text they come from, if an editor can open it.
fn add(
    found: &mut Vec<Routine>,
    source: &str,
    described: Result<Vec<Described>, String>,
    wit: Option<(&Path, &str)>,
) {
    match described {
        Err(reason) => out::error(&format!("agamid lsp: {source} is left out: {reason}")),
        Ok(described) => {
            for new in described {
                found.retain(|old| (&old.package, &old.function) != (&new.package, &new.function));
                let declared = wit.and_then(|(file, text)| declared(file, text, &new));
                found.push(Routine {
                    package: new.package,
                    function: new.function,
                    params: new.params,
                    result: new.result,
                    signature: new.signature,
                    docs: new.docs,
                    declared,
                });
            }
        }
    }
}

/// The line of a WIT text that declares a function: in its interface, the one that begins with its name.
fn declared(file: &Path, wit: &str, routine: &Described) -> Option<Declared> {
    let interface = routine.package.rsplit('.').next()?;
    let (name, _) = routine.signature.split_once(':')?;
    let mut lines = wit.lines().zip(0u32..);
    lines.find(|(line, _)| line.split_whitespace().take(2).eq(["interface", interface]))?;
    let starts = |line: &str| {
        line.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    let (_, line) = lines.find(|(line, _)| starts(line))?;
    Some(Declared { file: std::path::absolute(file).ok()?, line })
}
