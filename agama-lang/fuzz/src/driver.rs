//! The loop: mutate, run, keep what behaves in a new way.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::corpus;
use crate::mutate::{Random, mutate};
use crate::targets::Target;

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So many inputs.
    Inputs(usize),
    /// So much time.
    Elapsed(Duration),
}

/// What came of fuzzing a target.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Inputs run.
    pub inputs: usize,
    /// Behaviours seen.
    pub behaviours: usize,
    /// The slowest input took this long.
    pub slowest: Duration,
    /// The first input for which something did not hold.
    pub failure: Option<Failure>,
}

/// An input for which something did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// What happened.
    pub message: String,
}

/// An input that takes this long is looked at again.
const SEEMS_SLOW: Duration = Duration::from_millis(30);
/// An input that takes longer hangs. Release builds need a thousandth of it.
const HANGS: Duration = Duration::from_secs(20);

/// What a target makes of an input, and how long it takes. What seems slow is run again: the machine may be busy.
#[expect(clippy::disallowed_methods, reason = "how long it really takes is what is asked")]
fn timed(target: &Target, input: &[u8]) -> (std::thread::Result<String>, Duration) {
    let once = || {
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        (outcome, begin.elapsed())
    };
    let (mut outcome, mut took) = once();
    for _ in 0..4 {
        if outcome.is_err() || took < SEEMS_SLOW {
            break;
        }
        let again = once();
        took = took.min(again.1);
        outcome = again.0;
    }
    (outcome, took)
}

/// Fuzzes a target.
#[expect(clippy::disallowed_methods, reason = "a developer tool that runs for as long as it is told")]
pub fn fuzz(target: &Target, seed: u64, until: Until) -> Report {
    let begin = Instant::now();
    let mut random = Random::new(seed);
    let mut report = Report::default();
    let mut seen: HashSet<String> = HashSet::new();
    let mut corpus = (target.seeds)();
    corpus.extend(corpus::kept(target.name));
    let mut next = 0;
    loop {
        let done = match until {
            Until::Inputs(most) => report.inputs >= most,
            Until::Elapsed(most) => begin.elapsed() >= most,
        };
        if done {
            return report;
        }
        // First every seed as it is.
        let fresh = corpus.get(next).cloned();
        next += usize::from(fresh.is_some());
        let is_seed = fresh.is_some();
        let input = fresh.unwrap_or_else(|| {
            let one = random.pick(&corpus).cloned().unwrap_or_default();
            let other = random.pick(&corpus).cloned().unwrap_or_default();
            mutate(&one, &other, &mut random)
        });
        let (outcome, took) = timed(target, &input);
        report.inputs += 1;
        report.slowest = report.slowest.max(took);
        let message = match outcome {
            Ok(_) if took > HANGS => format!("took {took:?}"),
            Ok(behaviour) => {
                if seen.insert(behaviour) {
                    report.behaviours += 1;
                    if !is_seed {
                        corpus.push(input);
                        next = corpus.len();
                    }
                }
                continue;
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_else(|| "a panic without words".to_owned())
            }
        };
        report.failure = Some(Failure { input, message });
        return report;
    }
}
