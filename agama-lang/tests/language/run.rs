//! Every fixture in `fixtures/run` runs; its transcript is a snapshot. Run a second time, with its state stored and read
//! back at every effect, the transcript is the same.
//!
//! A fixture's first lines are what is answered, in order: `// form {…}`, `// callback {…}`, `// abort {…}` for pages,
//! `// value …`, `// secret …`, `// error …`, `// deep …` (lists in lists) for calls. A further flow begins behind a line `//// next`.

use crate::support::{fixtures, script, transcript};

#[test]
fn programs_do_what_the_language_says() {
    for (name, source) in fixtures("run") {
        let said = transcript(&script(&name, &source), false);
        insta::with_settings!({ snapshot_path => "../snapshots/run", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), said);
        });
    }
}

#[test]
fn a_pause_at_any_effect_changes_nothing() {
    for (name, source) in fixtures("run") {
        let script = script(&name, &source);
        assert_eq!(transcript(&script, true), transcript(&script, false), "{name}");
    }
}
