//! New names for variables.

use serde_json::{Value, json};

use crate::editor::{Editor, apply, marked_text, uri};

const LOGIN: &str = "/w/shop/code/shop.login.flow";

fn rename(marked: &str, to: &str) -> Result<(String, Value), String> {
    let mut editor = Editor::shop();
    let mut place = editor.open_at(LOGIN, marked);
    place["newName"] = json!(to);
    let edit = editor.ask("textDocument/rename", place).map_err(|(_, reason)| reason)?;
    let text = apply(&marked_text(marked).0, &edit["changes"][uri(LOGIN)]);
    Ok((text, edit["changes"].clone()))
}

#[test]
fn a_variable_is_renamed_everywhere_and_nowhere_else() {
    let marked = "Flow shop.login\r\n    Basepath \"shop\"\r\n    Inputs key other\r\n\r\n\
        page = {key: key} // key\r\nLog \"🦎 key\" ke^y page.key page.$key page[key]\r\nFinish page.\"key\"\r\n";
    let (text, changes) = rename(marked, "name").unwrap();
    assert_eq!(
        text,
        "Flow shop.login\r\n    Basepath \"shop\"\r\n    Inputs name other\r\n\r\n\
        page = {key: name} // key\r\nLog \"🦎 key\" name page.key page.$name page[name]\r\nFinish page.\"key\"\r\n"
    );
    assert_eq!(changes.as_object().unwrap().len(), 1, "project.json does not name it");
}

#[test]
fn an_input_keeps_launchable_under_its_new_name() {
    let marked = "Flow shop.login\n    Basepath \"shop\"\n    Inputs hint\n\nFinish hi^nt\n";
    let (_, changes) = rename(marked, "who").unwrap();
    let json = crate::editor::SHOP[0].1;
    let changed = apply(json, &changes[uri("/w/shop/project.json")]);
    assert_eq!(changed, json.replace("[\"hint\"", "[\"who\""));
}

#[test]
fn what_can_not_be_renamed_says_why() {
    let body = "Flow shop.login\n    Basepath \"shop\"\n\npage = 1\nform = 2\n";
    let refused = |body: &str, to: &str| rename(body, to).map(|found| found.0).unwrap_err();
    let said = [
        refused(&format!("{body}Finish pag^e\n"), "form"),
        refused(&format!("{body}Finish pag^e\n"), "is"),
        refused(&format!("{body}Finish pag^e\n"), "my page"),
        refused(&format!("{body}Fin^ish page\n"), "end"),
        refused(&format!("{body}Repeat 2 times max\n    Log id^x\nFinish page\n"), "i"),
        refused(&format!("{body}Finish (pag^e\n"), "view"),
        refused("Flow sh^op.login\n    Basepath \"shop\"\n\nFinish true\n", "x"),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_place_is_told_before_the_name_is_asked_for() {
    let mut editor = Editor::shop();
    let place = editor.open_at(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\npage = 1\nFinish pa^ge\n");
    let found = editor.ask("textDocument/prepareRename", place).unwrap();
    assert_eq!(found["placeholder"], "page");
    assert_eq!(found["range"]["start"], json!({"line": 4, "character": 7}));
    let place = editor.open_at(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\npage = 1\nFin^ish page\n");
    assert!(editor.ask("textDocument/prepareRename", place).is_err());
}
