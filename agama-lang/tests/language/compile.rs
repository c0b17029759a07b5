//! Every fixture in `fixtures/ok` compiles, every one in `fixtures/err` is refused; snapshots show what is said. Those
//! in `fixtures/ir` show what instructions come of the statements.

use agama_lang::check::facts::NoFacts;
use agama_lang::compile::compile;
use agama_lang::diagnostic::{has_errors, render};

use crate::support::fixtures;
use crate::world::World;

#[test]
fn legal_programs_compile_without_errors() {
    for (name, source) in fixtures("ok") {
        let compiled = compile(&source, &format!("{name}.flow"), &NoFacts);
        let said: String = compiled.diagnostics.iter().map(|finding| render(finding, &source)).collect();
        assert!(compiled.program.is_some(), "{name}:\n{said}");
        insta::with_settings!({ snapshot_path => "../snapshots/ok", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), format!("{}{said}", compiled.program.unwrap()));
        });
    }
}

#[test]
fn instructions_read_as_the_statements_they_come_from() {
    for (name, source) in fixtures("ir") {
        let compiled = compile(&source, &format!("{name}.flow"), &NoFacts);
        let program = compiled.program.unwrap_or_else(|| panic!("{name}: {:?}", compiled.diagnostics));
        insta::with_settings!({ snapshot_path => "../snapshots/ir", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), program);
        });
    }
}

#[test]
fn illegal_programs_are_refused_with_a_message_that_teaches() {
    let mut accepted = Vec::new();
    for (name, source) in fixtures("err") {
        let compiled = compile(&source, &format!("{name}.flow"), &World);
        if compiled.program.is_some() || !has_errors(&compiled.diagnostics) {
            accepted.push(name);
            continue;
        }
        let said: Vec<String> = compiled.diagnostics.iter().map(|finding| render(finding, &source)).collect();
        insta::with_settings!({ snapshot_path => "../snapshots/err", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.as_str(), said.join("\n"));
        });
    }
    assert!(accepted.is_empty(), "these compile: {accepted:?}");
}
