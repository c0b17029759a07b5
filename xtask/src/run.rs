//! Running programs, and saying so.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A step that failed: what, and what to do.
pub(crate) type Failure = String;

/// One progress line. On standard output, so that a piped log keeps the order of the programs it runs.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe must not stop the work.
    let _ = writeln!(out, "xtask: {line}");
    let _ = out.flush();
}

/// Whether this is CI, where a skipped part is a failure.
#[expect(clippy::disallowed_methods, reason = "this developer tool has no configuration but its environment")]
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// A part that can't run here: an error in CI, a line elsewhere.
pub(crate) fn skip(part: &str, reason: &str) -> Result<(), Failure> {
    if in_ci() {
        return Err(format!("{part} can't run: {reason}"));
    }
    say(&format!("SKIPPED {part}: {reason}"));
    Ok(())
}

/// Runs a program in `directory`, its output going where ours goes.
pub(crate) fn run(directory: &Path, program: &str, arguments: &[&str]) -> Result<(), Failure> {
    run_command(Command::new(program).args(arguments).current_dir(directory))
}

/// Runs a prepared command.
pub(crate) fn run_command(command: &mut Command) -> Result<(), Failure> {
    let shown = show(command);
    say(&shown);
    let status = command.status().map_err(|error| format!("`{shown}` could not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok()
}

fn show(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs a command for at most this long; `None` when it failed or took longer.
pub(crate) fn output_within(command: &mut Command, limit: std::time::Duration) -> Option<()> {
    let mut child = command.spawn().ok()?;
    let tick = std::time::Duration::from_millis(100);
    let mut left = limit;
    loop {
        match child.try_wait().ok()? {
            Some(status) => return status.success().then_some(()),
            None if left.is_zero() => {
                // It may have ended by itself in the meantime.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            None => {
                std::thread::sleep(tick);
                left = left.saturating_sub(tick);
            }
        }
    }
}
