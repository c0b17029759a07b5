//! A short run of every target with every build. `cargo xtask fuzz` runs longer.

use agama_lang_fuzz::corpus;
use agama_lang_fuzz::driver::{Until, fuzz};
use agama_lang_fuzz::mutate::{Random, mutate};
use agama_lang_fuzz::targets::{ALL, format_roundtrip};

#[test]
fn every_target_holds_for_its_seeds_and_some_mutations() {
    for target in ALL {
        let seeds = (target.seeds)().len() + corpus::kept(target.name).len();
        assert!(seeds > 20, "{} has {seeds} seeds", target.name);
        let report = fuzz(target, 7, Until::Inputs(seeds + 400));
        let failure = report
            .failure
            .map(|failure| (failure.message, String::from_utf8_lossy(&failure.input).into_owned()));
        assert_eq!(failure, None, "{}", target.name);
        assert!(report.behaviours >= 10, "{} does {} things", target.name, report.behaviours);
    }
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let target = &ALL[0];
    let (one, two) = (fuzz(target, 3, Until::Inputs(600)), fuzz(target, 3, Until::Inputs(600)));
    assert_eq!((one.inputs, one.behaviours), (two.inputs, two.behaviours));
    let mut random = Random::new(1);
    assert_ne!(mutate(b"x = 1", b"y", &mut random), mutate(b"x = 1", b"y", &mut random));
}

#[test]
fn the_round_trip_accepts_a_formatter_that_changes_nothing_and_no_other() {
    let source = b"Flow a.b\n    Basepath \"\"\n\nx = 1 // one\nLog x\nFinish true\n";
    assert_eq!(format_roundtrip(source, |source, _| Ok(source.to_owned())), "formatted 3");
    for broken in [
        (|source, _| Ok(source.replace("// one", ""))) as fn(&str, &str) -> _,
        |source, _| Ok(source.replace("x = 1", "x = 2")),
        |source, _| Ok(format!("{source}\n")),
        |source, _| Ok(source.replace("Flow", "flow")),
        |_, _| Err(Vec::new()),
    ] {
        let judged = std::panic::catch_unwind(|| format_roundtrip(source, broken));
        assert!(judged.is_err(), "{judged:?}");
    }
}
