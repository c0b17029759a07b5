//! Findings while typing.

use serde_json::json;

use crate::editor::{Editor, uri};

const LOGIN: &str = "/w/shop/code/shop.login.flow";

#[test]
fn a_file_that_breaks_shows_its_error_and_mended_shows_none() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\r\n    Basepath \"shop\"\r\n\r\nname = \"🦎🦎\"\r\nFinish name\r\n");
    assert_eq!(editor.errors(LOGIN), []);

    editor.change(LOGIN, (4, 0), (4, 11), "When name is");
    let broken = editor.findings(LOGIN);
    assert_eq!((broken[0].0.as_str(), broken[0].1), ("AGM0107", 4), "{broken:?}");

    editor.change(LOGIN, (4, 12), (4, 12), " not null\r\n    Finish name\r\nFinish false");
    assert_eq!(editor.errors(LOGIN), []);
}

#[test]
fn places_are_counted_in_utf16_units_behind_astral_characters() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\nLog \"🦎 é\" nobody\nFinish true\n");
    assert_eq!(editor.findings(LOGIN), [("AGM0204".to_owned(), 3, 11, 17)]);
    // The lizard has two units: what is typed behind it lands behind it.
    editor.change(LOGIN, (3, 7), (3, 17), "\"");
    assert_eq!(editor.errors(LOGIN), []);
    editor.change(LOGIN, (3, 8), (3, 8), " x");
    assert_eq!(editor.findings(LOGIN), [("AGM0204".to_owned(), 3, 9, 10)]);
}

#[test]
fn a_whole_text_can_be_sent_instead_of_a_range() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "");
    assert_eq!(editor.findings(LOGIN)[0].0, "AGM0108");
    let document = json!({"uri": uri(LOGIN), "version": 2});
    let text = "Flow shop.login\n    Basepath \"shop\"\n\nFinish true\n";
    editor.tell(
        "textDocument/didChange",
        json!({"textDocument": document, "contentChanges": [{"text": text}]}),
    );
    assert_eq!(editor.errors(LOGIN), []);
}

#[test]
fn templates_flows_and_routines_of_the_project_are_known() {
    let mut editor = Editor::shop();
    let source = "Flow shop.login\n    Basepath \"shop\"\n\n\
        form = RRF \"login.html\"\n\
        form = RRF \"lgoin.html\"\n\
        r = Trigger shop.otp form form form\n\
        r = Trigger shop.otpp\n\
        u = Call agamid.users#find\n\
        u = Call agamid.usrs#find form.login\n\
        t = Call unknown.plugin.iface#f\n\
        Finish form.login\n";
    editor.open(LOGIN, source);
    let found = editor.errors(LOGIN);
    let expected = [("AGM0208", 4), ("AGM0209", 6), ("AGM0212", 7), ("AGM0211", 8)];
    assert_eq!(
        found,
        expected.map(|(code, line)| (code.to_owned(), line)),
        "a plugin may be on the server only"
    );
    let surplus = editor.findings(LOGIN).into_iter().find(|found| found.0 == "AGM0210");
    assert_eq!(surplus.map(|found| found.1), Some(5));
}

#[test]
fn a_file_outside_a_project_is_checked_by_itself() {
    let mut editor = Editor::shop();
    let path = "/elsewhere/a.b.flow";
    editor.open(
        path,
        "Flow a.b\n    Basepath \"x\"\n\nform = RRF \"nowhere.html\"\nTrigger no.such\nFinish form.x\n",
    );
    let codes: Vec<String> = editor.findings(path).into_iter().map(|found| found.0).collect();
    assert!(!codes.iter().any(|code| code == "AGM0208" || code == "AGM0209"), "{codes:?}");
}

#[test]
fn a_document_that_was_never_saved_is_checked_too() {
    let mut editor = Editor::shop();
    let item = json!({"uri": "untitled:Untitled-1", "languageId": "agama", "version": 1,
        "text": "Flow a\n    Basepath \"\"\n\nLog x\nFinish true\n"});
    editor.tell("textDocument/didOpen", json!({"textDocument": item}));
    assert_eq!(editor.shown["untitled:Untitled-1"][0]["code"], "AGM0204");
}

#[test]
fn another_flows_changed_inputs_are_seen_while_it_is_typed() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\nr = Trigger shop.otp 1 2\nFinish r\n");
    assert!(!editor.findings(LOGIN).iter().any(|found| found.0 == "AGM0210"));
    let otp = "/w/shop/code/shop.otp.flow";
    editor.open(otp, "Flow shop.otp\n    Basepath \"shop\"\n    Inputs person phone\n\nFinish person\n");
    editor.change(otp, (2, 17), (2, 23), "");
    assert!(editor.findings(LOGIN).iter().any(|found| found.0 == "AGM0210"), "{:?}", editor.findings(LOGIN));
}

#[test]
fn files_that_come_and_go_on_the_disk_are_seen() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\nform = RRF \"new.html\"\nFinish form.x\n");
    let missing = |editor: &Editor| editor.findings(LOGIN).iter().any(|found| found.0 == "AGM0208");
    assert!(missing(&editor));
    editor.files.0.borrow_mut().insert("/w/shop/web/shop/new.html".into(), String::new());
    editor.tell("workspace/didChangeWatchedFiles", json!({"changes": []}));
    assert!(!missing(&editor));
    editor.files.0.borrow_mut().remove(std::path::Path::new("/w/shop/web/shop/new.html"));
    editor.tell("textDocument/didSave", json!({"textDocument": {"uri": uri(LOGIN)}}));
    assert!(missing(&editor));
}

#[test]
fn a_closed_file_shows_nothing_and_the_disk_counts_again() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "broken");
    assert!(!editor.findings(LOGIN).is_empty());
    editor.tell("textDocument/didClose", json!({"textDocument": {"uri": uri(LOGIN)}}));
    assert_eq!(editor.findings(LOGIN), []);
}

#[test]
fn workspace_folders_come_and_go() {
    let mut editor = Editor::shop();
    editor.files.0.borrow_mut().insert("/v/p/project.json".into(), "{}".to_owned());
    let flow = "Flow p.x\n    Basepath \"\"\n\nFinish true\n".to_owned();
    editor.files.0.borrow_mut().insert("/v/p/code/p.x.flow".into(), flow);
    let names =
        |editor: &mut Editor| editor.ask("workspace/symbol", json!({"query": "px"})).unwrap().to_string();
    assert!(!names(&mut editor).contains("p.x"));
    let folder = json!({"uri": "file:///v", "name": "v"});
    let tell = |editor: &mut Editor, event| {
        editor.tell("workspace/didChangeWorkspaceFolders", json!({"event": event}));
    };
    tell(&mut editor, json!({"added": [folder], "removed": []}));
    assert!(names(&mut editor).contains("p.x"));
    tell(&mut editor, json!({"added": [], "removed": [folder]}));
    assert!(!names(&mut editor).contains("p.x"));
}

#[test]
fn flows_that_every_server_has_are_known_without_a_file() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\nr = Trigger demo.password 1 2\nFinish r\n");
    assert_eq!(editor.errors(LOGIN), []);
    assert!(editor.findings(LOGIN).iter().any(|found| found.0 == "AGM0210"), "its inputs are known too");
    let place = json!({"textDocument": {"uri": uri(LOGIN)}, "position": {"line": 3, "character": 16}});
    let hover = editor.ask("textDocument/hover", place.clone()).unwrap().to_string();
    assert!(hover.contains("Asks for the password.") && hover.contains("loginHint"), "{hover}");
    assert_eq!(editor.ask("textDocument/definition", place.clone()).unwrap(), json!([]));
    let offered = editor.ask("textDocument/completion", place).unwrap().to_string();
    assert!(offered.contains("demo.password"), "{offered}");
}

#[test]
fn the_message_says_how_to_mend_it() {
    let source = "Flow shop.login\n    Basepath \"shop\"\n\nx = 1 + 2\nFinish true\n";
    let mut editor = Editor::shop();
    editor.open(LOGIN, source);
    let shown = &editor.shown[&uri(LOGIN)][0];
    let found = agama_lang::parse::parse(source, "").1.remove(0);
    assert_eq!(shown["message"], format!("{}\n{}", found.message, found.hint.unwrap()));
    assert_eq!((&shown["code"], &shown["source"]), (&json!(found.code.number()), &json!("agama")));
}

#[test]
fn what_nothing_reaches_is_faded_and_shown_with_the_place_that_belongs_to_it() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\nFinish true\nLog 1\n");
    let shown = editor.shown[&uri(LOGIN)].as_array().unwrap();
    let unreachable = shown.iter().find(|finding| finding["code"] == "AGM0205").unwrap();
    assert_eq!(unreachable["tags"], json!([1]));
    let related = &unreachable["relatedInformation"][0];
    assert_eq!(related["location"]["uri"], uri(LOGIN));
    assert_eq!(related["location"]["range"]["start"], json!({"line": 3, "character": 0}), "{unreachable}");
}

#[test]
fn flows_that_trigger_each_other_are_told_while_one_is_typed() {
    let mut editor = Editor::shop();
    editor.open(LOGIN, "Flow shop.login\n    Basepath \"shop\"\n\nr = Trigger shop.otp 1 2\nFinish r\n");
    let recursion = |editor: &Editor| editor.findings(LOGIN).iter().any(|found| found.0 == "AGM0222");
    assert!(!recursion(&editor));
    let otp = "/w/shop/code/shop.otp.flow";
    editor.open(otp, "Flow shop.otp\n    Basepath \"shop\"\n    Inputs person phone\n\nFinish person\n");
    editor.change(otp, (4, 0), (4, 0), "r = Trigger shop.login // again\n");
    assert!(recursion(&editor), "{:?}", editor.findings(LOGIN));
}
