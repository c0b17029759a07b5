//! What is offered where.

use serde_json::Value;

use crate::editor::{Editor, apply, marked_text};

const LOGIN: &str = "/w/shop/code/shop.login.flow";
const HEAD: &str = "Flow shop.login\n    Basepath \"shop\"\n    Configs conf\n    Inputs hint\n\n";

/// The items offered at `^` in a body.
fn offered(body: &str) -> Vec<Value> {
    offered_in(&format!("{HEAD}{body}"))
}

fn offered_in(marked: &str) -> Vec<Value> {
    let mut editor = Editor::shop();
    let place = editor.open_at(LOGIN, marked);
    editor.ask("textDocument/completion", place).unwrap()["items"].as_array().unwrap().clone()
}

fn labels(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["label"].as_str().unwrap()).collect()
}

/// The text after choosing an item.
fn chosen(marked: &str, label: &str) -> String {
    let items = offered_in(marked);
    let item =
        items.iter().find(|item| item["label"] == label).unwrap_or_else(|| panic!("{label}: {items:?}"));
    apply(&marked_text(marked).0, &Value::Array(vec![item["textEdit"].clone()]))
}

#[test]
fn keywords_are_offered_by_place() {
    let start = offered("^Finish true\n");
    assert_eq!(&labels(&start)[..4], ["Log", "Finish", "RRF", "RFAC"]);
    assert!(!labels(&start).contains(&"is") && !labels(&start).contains(&"Basepath"));
    let assigned = offered("x = ^\nFinish true\n");
    assert!(labels(&assigned).contains(&"Call") && labels(&assigned).contains(&"null"));
    assert!(!labels(&assigned).contains(&"Finish") && !labels(&assigned).contains(&"When"));
    assert_eq!(labels(&offered("When hint ^")), ["is"]);
    let compared = offered("When hint is ^");
    assert!(
        ["not", "null", "hint", "conf"].iter().all(|word| labels(&compared).contains(word)),
        "{compared:?}"
    );
    assert_eq!(labels(&offered("When hint is not null ^")), ["and", "or"]);
    assert_eq!(labels(&offered("Repeat 3 ^")), ["times max"]);
    assert_eq!(labels(&offered("x | ^")), ["E"]);
}

#[test]
fn the_header_offers_the_lines_that_are_missing() {
    assert_eq!(labels(&offered_in("^")), ["Flow"]);
    assert_eq!(labels(&offered_in("Flow ^")), ["shop.login"]);
    let header = offered_in("Flow shop.login\n    Basepath \"shop\"\n    ^");
    assert_eq!(labels(&header), ["Timeout", "Configs", "Inputs"]);
    assert_eq!(labels(&offered_in("Flow shop.login\n    Basepath \"^\"\n")), ["other", "shop"]);
}

#[test]
fn variables_that_have_a_value_come_first_and_the_typed_one_not_at_all() {
    let items = offered("Iterate over hint using letter\n    Log letter\nx = new^\nlater = 1\nFinish true\n");
    let variables: Vec<&str> =
        items.iter().filter(|item| item["kind"] == 6).map(|item| item["label"].as_str().unwrap()).collect();
    assert_eq!(variables, ["conf", "hint", "letter", "x", "later"]);
}

#[test]
fn the_fields_that_the_page_posts_are_offered_even_while_the_line_is_broken() {
    let items = offered("form = RRF \"login.html\"\nWhen form.^\n    Finish true\nFinish form.extra\n");
    assert_eq!(labels(&items), ["login", "password", "go", "extra"]);
    assert_eq!(items[0]["detail"], "posted by shop/login.html");
    assert_eq!(
        chosen(&format!("{HEAD}form = RRF \"odd.html\"\nLog form.o^\nFinish true\n"), "odd key"),
        format!("{HEAD}form = RRF \"odd.html\"\nLog form.\"odd key\"\nFinish true\n")
    );
}

#[test]
fn fields_of_templates_that_a_page_takes_in_are_offered_too() {
    let items = offered("form = RRF \"whole.html\"\nLog form.^\nFinish true\n");
    assert_eq!(labels(&items), ["own", "login", "password", "go", "more"], "though they take in each other");
}

#[test]
fn the_page_shown_last_leads() {
    let body = "form = RRF \"login.html\"\nform = RRF \"odd.html\"\nLog form.^\nFinish true\n";
    assert_eq!(labels(&offered(body))[0], "odd key");
    let body = "form = RRF \"odd.html\"\nform = RRF \"login.html\"\nLog form.^\nFinish true\n";
    assert_eq!(labels(&offered(body))[0], "login");
}

#[test]
fn results_errors_and_configurations_offer_their_properties() {
    assert_eq!(
        labels(&offered("u = Call agamid.users#find hint\nLog u.^\n")),
        ["id", "username", "lastSeen"]
    );
    assert_eq!(
        labels(&offered("u | E = Call agamid.users#find hint\nLog E.^\n")),
        ["message", "code", "data"]
    );
    let outcome = offered("r = Trigger shop.otp hint\nLog r.^\n");
    assert_eq!(labels(&outcome), ["success", "data", "error", "aborted", "url"]);
    assert_eq!(labels(&offered("r = Trigger shop.otp hint\nLog r.data.^\n")), ["userId"]);
    assert_eq!(labels(&offered("Log conf.^\n")), ["issuer", "mail"]);
    assert_eq!(labels(&offered("Log conf.mail.^\n")), ["from"]);
    assert_eq!(
        labels(&offered("page = {title: 1, hint: hint}\npage.error = null\nLog page.^\n")),
        ["error", "hint", "title"]
    );
}

#[test]
fn flows_are_offered_after_trigger_with_their_inputs() {
    let items = offered("r = Trigger shop.^\n");
    assert_eq!(labels(&items), ["shop.menu", "shop.otp", "demo.password"], "not the flow itself");
    insta::assert_snapshot!(items[1]["documentation"]["value"].as_str().unwrap());
    let marked = format!("{HEAD}r = Trigger sh.o^\nFinish true\n");
    assert!(chosen(&marked, "shop.otp").contains("r = Trigger shop.otp\n"), "the whole name is replaced");
}

#[test]
fn routines_are_offered_after_call_with_their_signature() {
    let items = offered("x = Call agamid.u^\n");
    let wanted: Vec<&str> = labels(&items).into_iter().take(3).collect();
    assert_eq!(wanted, ["agamid.users#find", "agamid.users#get", "extras.otp.totp#newSecret"]);
    assert!(labels(&items).contains(&"hint"), "an object may have methods");
    insta::assert_snapshot!(items[0]["documentation"]["value"].as_str().unwrap());
    let marked = format!("{HEAD}x = Call agamid.users#^ hint\nFinish true\n");
    assert!(chosen(&marked, "agamid.users#get").contains("x = Call agamid.users#get hint\n"));
}

#[test]
fn templates_are_offered_in_the_string_of_a_page() {
    assert_eq!(
        labels(&offered("form = RRF \"^\"\n")),
        ["login.html", "more.html", "odd.html", "whole.html"],
        "below the base path, no styles"
    );
    let marked = format!("{HEAD}form = RRF \"lo^\nFinish true\n");
    assert!(chosen(&marked, "login.html").contains("RRF \"login.html\n"));
    assert_eq!(offered("form = RRF ^\n")[0]["textEdit"]["newText"], "\"login.html\"");
    let paths = offered("Trigger shop.otp\n    Override templates \"^\"\n");
    assert!(labels(&paths).contains(&"other/page.html"), "from the templates root: {:?}", labels(&paths));
}

#[test]
fn places_behind_astral_characters_and_crlf_are_right() {
    let marked = "Flow shop.login\r\n    Basepath \"shop\"\r\n\r\nform = RRF \"login.html\"\r\nLog \"🦎🦎\" form.pa^ // 🦎\r\nFinish true\r\n";
    let text = chosen(marked, "password");
    assert!(text.contains("Log \"🦎🦎\" form.password // 🦎\r\n"), "{text}");
}

#[test]
fn comments_and_plain_strings_offer_nothing() {
    assert!(offered("// Trigger ^\nFinish true\n").is_empty());
    assert!(offered("Log \"Call ^\"\nFinish true\n").is_empty());
}

#[test]
fn the_argument_that_is_typed_is_marked() {
    let active = |body: &str| -> Option<(String, String)> {
        let mut editor = Editor::shop();
        let place = editor.open_at(LOGIN, &format!("{HEAD}{body}"));
        let help = editor.ask("textDocument/signatureHelp", place).unwrap();
        let signature = help.get("signatures")?.get(0)?.clone();
        let label: Vec<u16> = signature["label"].as_str()?.encode_utf16().collect();
        let at = usize::try_from(signature["activeParameter"].as_u64()?).ok()?;
        let marked = signature["parameters"].get(at).map_or(String::new(), |parameter| {
            let bound = |n: usize| usize::try_from(parameter["label"][n].as_u64().unwrap()).unwrap();
            String::from_utf16(&label[bound(0)..bound(1)]).unwrap()
        });
        Some((String::from_utf16(&label).unwrap(), marked))
    };
    let user = Some(("agamid.users#find  login: string".to_owned(), "login: string".to_owned()));
    assert_eq!(active("u = Call agamid.users#find ^"), user);
    assert_eq!(active("u | E = Call agamid.users#find hint.na^me"), user);
    assert_eq!(active("u = Call agamid.users#find hint ^").unwrap().1, "", "there is no second one");
    assert_eq!(
        active("r = Trigger shop.otp hint ^").unwrap(),
        ("shop.otp  person  phone".to_owned(), "phone".to_owned())
    );
    assert_eq!(active("Trigger shop.otp \"🦎 x\" ph^").unwrap().1, "phone");
    for body in [
        "u = Call agamid.users#fi^nd",
        "u = Call hint name ^",
        "Log ^",
        "u = Call agamid.users#find // ^",
        "^",
    ] {
        assert_eq!(active(body), None, "{body}");
    }
}
