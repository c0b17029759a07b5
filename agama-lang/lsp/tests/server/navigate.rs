//! Definitions, references, highlights, hover.

use serde_json::{Value, json};

use crate::editor::{Editor, uri};

const LOGIN: &str = "/w/shop/code/shop.login.flow";
const HEAD: &str = "Flow shop.login\n    Basepath \"shop\"\n    Inputs hint\n\n";

fn ask(method: &str, body: &str) -> Value {
    let mut editor = Editor::shop();
    let mut place = editor.open_at(LOGIN, &format!("{HEAD}{body}"));
    place["context"] = json!({"includeDeclaration": true});
    editor.ask(&format!("textDocument/{method}"), place).unwrap()
}

/// Places as `file line:column-column`.
fn places(found: &Value) -> Vec<String> {
    let empty = Vec::new();
    found
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .map(|location| {
            let file = location["uri"].as_str().unwrap_or_default().rsplit('/').next().unwrap();
            let (start, end) = (&location["range"]["start"], &location["range"]["end"]);
            format!("{file} {}:{}-{}", start["line"], start["character"], end["character"])
        })
        .collect()
}

fn hover(body: &str) -> String {
    let found = ask("hover", body);
    found["contents"]["value"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_variable_leads_to_where_it_is_assigned_the_nearest_place_first() {
    let body = "x = 1\nx = 2\nLog \"🦎\" x^\nx = 3\nFinish true\n";
    assert_eq!(
        places(&ask("definition", body)),
        ["shop.login.flow 5:0-1", "shop.login.flow 4:0-1", "shop.login.flow 7:0-1"]
    );
    assert_eq!(places(&ask("definition", "Log hi^nt\nFinish true\n")), ["shop.login.flow 2:11-15"]);
    assert_eq!(
        places(&ask("definition", "x | E = Call agamid.users#get hint\nLog E^\nFinish true\n")),
        ["shop.login.flow 4:4-5"]
    );
    assert_eq!(
        places(&ask("definition", "Iterate over hint using c\n    Log hint[c^]\nFinish true\n")),
        ["shop.login.flow 4:24-25"]
    );
}

#[test]
fn a_flow_leads_to_its_header_and_a_template_to_its_file() {
    assert_eq!(
        places(&ask("definition", "r = Trigger shop.o^tp hint\nFinish r\n")),
        ["shop.otp.flow 2:5-13"]
    );
    assert_eq!(places(&ask("definition", "f = RRF \"log^in.html\"\nFinish f.x\n")), ["login.html 0:0-0"]);
    assert_eq!(places(&ask("definition", "f = RRF \"no^ne.html\"\nFinish f.x\n")), [] as [&str; 0]);
}

#[test]
fn a_routine_leads_to_its_wit_where_there_is_a_file() {
    assert_eq!(
        places(&ask("definition", "s = Call extras.otp.totp#newSe^cret hint\nFinish s\n")),
        ["totp.wit 7:0-0"]
    );
    assert_eq!(places(&ask("definition", "s = Call agamid.users#g^et hint\nFinish s.id\n")), [] as [&str; 0]);
}

#[test]
fn every_use_of_a_variable_is_a_reference() {
    let body = "page = {page: hint}\npa^ge.$hint = \"page\" // page\nx = page[hint]\nFinish page.page\n";
    assert_eq!(
        places(&ask("references", body)),
        ["shop.login.flow 4:0-4", "shop.login.flow 5:0-4", "shop.login.flow 6:4-8", "shop.login.flow 7:7-11"]
    );
    let marks = ask("documentHighlight", body);
    let kinds: Vec<u64> =
        marks.as_array().unwrap().iter().map(|mark| mark["kind"].as_u64().unwrap()).collect();
    assert_eq!(kinds, [3, 3, 2, 2], "assigned and changed are written, the others read");
}

#[test]
fn flows_routines_and_templates_are_found_in_all_flows() {
    let body = "r = Trigger shop.o^tp hint\nFinish r\n";
    assert_eq!(
        places(&ask("references", body)),
        ["shop.otp.flow 2:5-13", "shop.menu.flow 3:12-20", "shop.login.flow 4:12-20"]
            .into_iter()
            .filter(|place| !place.starts_with("shop.login"))
            .collect::<Vec<_>>(),
        "the open file was never saved, so it is no file of the workspace"
    );
    let mut editor = Editor::shop();
    let text = "Flow shop.login\n    Basepath \"shop\"\n\nu = Call agamid.users#get 1\nFinish u.id\n";
    editor.files.0.borrow_mut().insert(LOGIN.into(), text.to_owned());
    editor.files.0.borrow_mut().insert("/w/shop/code/shop.more.flow".into(), text.replace("login", "more"));
    editor.open(LOGIN, text);
    let place = json!({"textDocument": {"uri": uri(LOGIN)}, "position": {"line": 3, "character": 24},
        "context": {"includeDeclaration": false}});
    let found = editor.ask("textDocument/references", place).unwrap();
    assert_eq!(places(&found), ["shop.login.flow 3:22-25", "shop.more.flow 3:22-25"]);
}

#[test]
fn hover_says_what_stands_there() {
    let said = [
        hover("Wh^en hint is null\n    Finish false\nFinish true\n"),
        hover("Log hi^nt\nFinish true\n"),
        hover("form = RRF \"login.html\"\nLog for^m.login\nFinish true\n"),
        hover("form = RRF \"login^.html\"\nFinish form.login\n"),
        hover("r = Trigger shop.o^tp\nFinish r\n"),
        hover("u = Call agamid.users#fi^nd hint\nFinish u.id\n"),
        hover("u | E = Call agamid.users#find hint\nLog E^ u\nFinish u.id\n"),
        hover("u = Call agamid.users#find hint\nLog u^\nFinish u.id\n"),
        hover("Repeat 3 times m^ax\n    Log id^x[0]\nFinish true\n".replacen('^', "", 1).as_str()),
    ];
    insta::assert_snapshot!(said.join("\n--------\n"));
}

#[test]
fn hover_says_nothing_of_strings_comments_and_properties() {
    for body in ["Log \"Wh^en\"\n", "// Wh^en\n", "Log hint.Wh^en\nFinish true\n", "Log 1^2\n", "^\n"] {
        assert_eq!(ask("hover", body), Value::Null, "{body}");
    }
}
