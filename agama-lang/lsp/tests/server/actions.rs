//! Mends for findings, and formatting.

use serde_json::{Value, json};

use crate::editor::{Editor, apply, marked_text, uri};

const LOGIN: &str = "/w/shop/code/shop.login.flow";
const HEAD: &str = "Flow shop.login\n    Basepath \"shop\"\n\n";

/// The mends offered at `^`.
fn offered(editor: &mut Editor, marked: &str) -> Vec<Value> {
    let place = editor.open_at(LOGIN, marked);
    let range = json!({"start": place["position"], "end": place["position"]});
    let params =
        json!({"textDocument": place["textDocument"], "range": range, "context": {"diagnostics": []}});
    editor.ask("textDocument/codeAction", params).unwrap().as_array().unwrap().clone()
}

/// The text after taking a mend.
fn taken(marked: &str, title: &str) -> String {
    let found = offered(&mut Editor::shop(), marked);
    let titles: Vec<&Value> = found.iter().map(|action| &action["title"]).collect();
    let action = found.iter().find(|action| action["title"] == title).unwrap_or_else(|| panic!("{titles:?}"));
    apply(&marked_text(marked).0, &action["edit"]["changes"][uri(LOGIN)])
}

#[test]
fn the_name_that_was_meant_is_written() {
    let marked = format!("{HEAD}user = 1\nLog \"🦎\" use^\nFinish true\n");
    assert_eq!(
        taken(&marked, "Write user in place of use"),
        format!("{HEAD}user = 1\nLog \"🦎\" user\nFinish true\n")
    );
    let marked = format!("{HEAD}u = Call agamid.user^#find 1\nFinish u.id\n");
    assert!(taken(&marked, "Write agamid.users").contains("Call agamid.users#find 1"));
}

#[test]
fn flows_templates_and_functions_that_were_meant_are_written() {
    let take = |body: &str, title: &str| taken(&format!("{HEAD}{body}"), title);
    assert!(take("r = Trigger shop.opt^\nFinish r\n", "Write shop.otp").contains("Trigger shop.otp\n"));
    let page = take("f = RRF \"lgo^in.html\"\nFinish f.x\n", "Write \"login.html\"");
    assert!(page.contains("RRF \"login.html\"\n"), "{page}");
    let call = take("s = Call extras.otp.totp^#newSecrt 1\nFinish s\n", "Write newSecret");
    assert!(call.contains("Call extras.otp.totp#newSecret 1\n"), "{call}");
}

#[test]
fn the_flow_gets_the_name_of_its_file() {
    let marked = "Flow shop.lo^gon\n    Basepath \"shop\"\n\nFinish true\n";
    assert!(taken(marked, "Name the flow shop.login, like its file").starts_with("Flow shop.login\n"));
}

#[test]
fn a_finding_is_allowed_on_the_line_above_with_its_indent_and_line_end() {
    let marked =
        format!("{HEAD}When 1 is 2\n    Finish true\n    Log 1^ // 🦎\nFinish false\n").replace('\n', "\r\n");
    let text = taken(&marked, "Allow AGM0205 here");
    assert!(text.contains("    Finish true\r\n    // allow AGM0205\r\n    Log 1 // 🦎\r\n"), "{text}");
    let marked = format!("{HEAD}Finish true\n// allow AGM0999: because\nLog 1^\n");
    assert!(taken(&marked, "Allow AGM0205 here").contains("// allow AGM0999 AGM0205: because\nLog 1\n"));
}

#[test]
fn a_finding_is_allowed_in_the_whole_file_before_its_header() {
    let text = taken(&format!("{HEAD}Finish true\nLog 1^\n"), "Allow AGM0205 in this file");
    assert!(text.starts_with("// allow AGM0205\nFlow shop.login\n"), "{text}");
}

#[test]
fn what_can_not_be_read_can_not_be_allowed() {
    let found = offered(&mut Editor::shop(), &format!("{HEAD}x = (^\nFinish true\n"));
    assert!(!json!(found).to_string().contains("Allow"), "{found:?}");
}

#[test]
fn a_missing_template_is_created() {
    let found =
        offered(&mut Editor::shop(), &format!("{HEAD}form = RRF \"ne^w/page.html\"\nFinish form.x\n"));
    let create = found.iter().find(|action| action["title"] == "Create web/shop/new/page.html").unwrap();
    let changes = &create["edit"]["documentChanges"];
    assert_eq!(changes[0]["uri"], "file:///w/shop/web/shop/new/page.html");
    assert!(changes[1]["edits"][0]["newText"].as_str().unwrap().contains("agamid/base.html"));
    let found = offered(&mut Editor::shop(), &format!("{HEAD}form = RRF \"../ne^w.html\"\nFinish form.x\n"));
    assert!(!json!(found).to_string().contains("Create"), "never outside the project: {found:?}");
}

#[test]
fn formatting_changes_the_lines_that_differ() {
    let mut editor = Editor::shop();
    let text = format!("{HEAD}a = \"🦎\"\nb  =  2\nFinish a\n");
    editor.open(LOGIN, &text);
    let params =
        json!({"textDocument": {"uri": uri(LOGIN)}, "options": {"tabSize": 4, "insertSpaces": true}});
    let edits = editor.ask("textDocument/formatting", params.clone()).unwrap();
    assert_eq!(edits[0]["range"]["start"]["line"], 4);
    assert_eq!(apply(&text, &edits), text.replace("  =  ", " = "));
    editor.open(LOGIN, &format!("{HEAD}x = (\n"));
    assert_eq!(
        editor.ask("textDocument/formatting", params).unwrap(),
        json!([]),
        "a broken text stays as it is"
    );
}

#[test]
fn without_a_formatter_formatting_is_refused() {
    let mut editor = Editor::with(&[], None);
    editor.ask("initialize", json!({})).unwrap();
    editor.open("/x.flow", "Flow x\n");
    let options = json!({"tabSize": 4, "insertSpaces": true});
    let params = json!({"textDocument": {"uri": uri("/x.flow")}, "options": options});
    assert_eq!(editor.ask("textDocument/formatting", params).unwrap_err().0, -32601);
}
