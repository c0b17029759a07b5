//! `agamid flow watch`.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};

use super::check::findings;
use super::command::{Format, WatchOptions};
use super::show::show;
use super::world::Known;
use crate::{Exit, out};

/// Editors write a file in several steps; this long after the last one it is read.
const QUIET: Duration = Duration::from_millis(30);
/// Goes to the upper left of an empty screen.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Checks now, and after each change, until the program is stopped.
pub(crate) fn watch(options: &WatchOptions) -> Result<(), Exit> {
    let failed = |error: String| Exit::Failed(format!("{}: {error}", options.path.display()));
    let path = options.path.canonicalize().map_err(|error| failed(error.to_string()))?;
    let (send, changes) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if let Ok(event) = event
            && !event.kind.is_access()
        {
            // The receiver lives as long as the program.
            let _ = send.send(event.paths);
        }
    })
    .map_err(|error| failed(error.to_string()))?;
    // Editors replace files: a file is watched through its folder.
    let folder = if path.is_dir() { path.clone() } else { parent(&path) };
    watcher.watch(&folder, RecursiveMode::Recursive).map_err(|error| failed(error.to_string()))?;
    again(options)?;
    while let Ok(first) = changes.recv() {
        let mut changed = first;
        while let Ok(more) = changes.recv_timeout(QUIET) {
            changed.extend(more);
        }
        let concerns = path.is_dir() && changed.iter().any(|file| !hidden(file)) || changed.contains(&path);
        if concerns {
            again(options)?;
        }
    }
    Ok(())
}

/// Checks and prints. What can't be read just now is told; the next change may mend it.
fn again(options: &WatchOptions) -> Result<(), Exit> {
    let known = Known::load(options.plugins.as_deref()).map_err(Exit::Failed)?;
    if out::is_terminal() {
        out::text(CLEAR);
    }
    match findings(std::slice::from_ref(&options.path), known) {
        Ok(all) => show(&all, Format::Text),
        Err(reason) => out::line(&reason),
    }
    Ok(())
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Editors' own files.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.to_string_lossy();
        name.starts_with('.') || name.ends_with('~')
    })
}
