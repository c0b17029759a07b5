//! `agamid flow fmt`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use agama_lang::diagnostic::{Diagnostic, render};
use agama_lang::format::format;

use super::sources::{flow_files, is_flow};
use crate::{Exit, out};

/// Formats files, or says which are not formatted.
pub(crate) fn fmt(paths: &[PathBuf], check: bool) -> Result<(), Exit> {
    if let [path] = paths
        && path.as_os_str() == "-"
    {
        return standard_input(check);
    }
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(flow_files(path).map_err(Exit::Failed)?);
        } else if is_flow(path) || !path.exists() {
            files.push(path.clone());
        } else {
            let reason = "only .flow files and folders can be formatted, and - for standard input";
            return Err(Exit::Usage(format!("{}: {reason}", path.display())));
        }
    }
    let (mut changed, mut broken) = (0usize, false);
    for file in &files {
        let shown = file.display().to_string();
        let failed = |error: std::io::Error| Exit::Failed(format!("{shown}: {error}"));
        let Ok(source) = String::from_utf8(std::fs::read(file).map_err(failed)?) else {
            out::error(&format!("{shown}: the file is not UTF-8; save it as UTF-8"));
            broken = true;
            continue;
        };
        match format(&source, &shown) {
            Err(findings) => {
                tell(&findings, &source);
                broken = true;
            }
            Ok(formatted) if formatted == source => {}
            Ok(formatted) => {
                changed += 1;
                if check {
                    out::line(&format!("{shown} is not formatted"));
                } else {
                    replace(file, &formatted).map_err(failed)?;
                    out::line(&format!("formatted {shown}"));
                }
            }
        }
    }
    if check && changed > 0 {
        out::line(&format!("{changed} of {} files would change; agamid flow fmt writes them", files.len()));
    }
    if broken || check && changed > 0 { Err(Exit::Errors) } else { Ok(()) }
}

fn standard_input(check: bool) -> Result<(), Exit> {
    let mut source = String::new();
    std::io::stdin()
        .read_to_string(&mut source)
        .map_err(|error| Exit::Failed(format!("standard input: {error}")))?;
    let formatted = format(&source, "standard input").map_err(|findings| {
        tell(&findings, &source);
        Exit::Errors
    })?;
    if !check {
        out::text(&formatted);
        return Ok(());
    }
    if formatted == source {
        return Ok(());
    }
    out::line("standard input is not formatted");
    Err(Exit::Errors)
}

fn tell(findings: &[Diagnostic], source: &str) {
    for finding in findings {
        out::error(&render(finding, source));
    }
}

/// Puts a new text in the place of a file at once, so that nobody ever reads half of it. Its permissions stay.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let file = file.canonicalize()?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(std::fs::metadata(&file)?.permissions())?;
    new.as_file().sync_all()?;
    new.persist(&file)?;
    Ok(())
}
