//! `cargo xtask fuzz [TARGET] [--seconds N] [--seed N]`: runs all targets, or one, and writes an input for which
//! something does not hold to `fuzz/crashes/`.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use agama_lang_fuzz::corpus::folder;
use agama_lang_fuzz::driver::{Failure, Until, fuzz};
use agama_lang_fuzz::targets::{ALL, Target};

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut name, mut seconds, mut seed) = (None, 60, 1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().unwrap_or_default();
            value.parse().map_err(|_| format!("{argument} takes a number, this is {value:?}"))
        };
        match argument.as_str() {
            "--seconds" => seconds = number()?,
            "--seed" => seed = number()?,
            _ => name = Some(argument),
        }
    }
    let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
    let targets: Vec<&Target> =
        ALL.iter().filter(|target| name.as_ref().is_none_or(|name| name == target.name)).collect();
    if targets.is_empty() {
        return Err(format!("there is no such target; there are: {}", names.join(", ")));
    }
    for target in targets {
        let report = fuzz(target, seed, Until::Elapsed(Duration::from_secs(seconds)));
        say(&format!(
            "{}: {} inputs, {} behaviours, slowest {:?}",
            target.name, report.inputs, report.behaviours, report.slowest
        ));
        if let Some(failure) = report.failure {
            return Err(keep(target, &failure));
        }
    }
    Ok(())
}

/// Writes the input down; answers what to say about it.
fn keep(target: &Target, failure: &Failure) -> String {
    let folder = folder().join("crashes");
    let file = folder.join(format!("{}-{}.bin", target.name, failure.input.len()));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, &failure.input));
    let place = match written {
        Ok(()) => format!("the input is in {}", file.display()),
        Err(error) => format!("the input could not be written: {error}"),
    };
    format!(
        "{}: {}\n{place}; put it into fuzz/seeds/{} once it is mended",
        target.name, failure.message, target.name
    )
}

fn say(line: &str) {
    // A closed pipe must not stop the work.
    let _ = writeln!(std::io::stdout().lock(), "fuzz: {line}");
}
