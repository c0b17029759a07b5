//! Start and end, and what a server must bear.

use agama_lsp::End;
use serde_json::{Value, json};

use crate::editor::{Editor, SHOP, uri};

const NOT_INITIALIZED: i32 = -32002;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
const METHOD_NOT_FOUND: i32 = -32601;

#[test]
fn nothing_is_answered_before_initialize_and_after_shutdown() {
    let mut editor = Editor::with(SHOP, None);
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err().0, NOT_INITIALIZED);
    editor.open("/w/x.flow", "broken");
    assert!(editor.shown.is_empty(), "notifications before initialize are dropped");
    editor.ask("initialize", json!({})).unwrap();
    assert_eq!(editor.ask("initialize", json!({})).unwrap_err().0, INVALID_REQUEST);
    assert_eq!(editor.ask("shutdown", Value::Null).unwrap(), Value::Null);
    assert_eq!(editor.ask("textDocument/hover", json!({})).unwrap_err().0, INVALID_REQUEST);
    assert_eq!(editor.end(), None);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end(), Some(End::Orderly));
}

#[test]
fn exit_without_shutdown_is_an_early_end() {
    let mut editor = Editor::with(SHOP, None);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.end(), Some(End::Early));
}

#[test]
fn unknown_methods_and_wrong_parameters_are_refused_and_the_server_goes_on() {
    let mut editor = Editor::shop();
    assert_eq!(editor.ask("textDocument/colour", json!({})).unwrap_err().0, METHOD_NOT_FOUND);
    for params in [Value::Null, json!([]), json!({"textDocument": 7}), json!({"position": {"line": -1}})] {
        let (code, reason) = editor.ask("textDocument/hover", params).unwrap_err();
        assert_eq!(code, INVALID_PARAMS);
        assert!(reason.contains("textDocument/hover"), "{reason}");
    }
    for method in
        ["textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "$/setTrace", "x"]
    {
        assert!(editor.tell(method, json!({"textDocument": []})).is_empty());
    }
    editor.open("/w/x.flow", "broken");
    assert!(!editor.findings("/w/x.flow").is_empty());
}

#[test]
fn questions_about_files_that_are_not_open_are_answered_with_nothing() {
    let mut editor = Editor::shop();
    let place = json!({"textDocument": {"uri": "file:///no"}, "position": {"line": 0, "character": 0}});
    for method in ["textDocument/hover", "textDocument/completion", "textDocument/definition"] {
        assert_eq!(editor.ask(method, place.clone()).unwrap(), Value::Null, "{method}");
    }
    editor.change("/no", (0, 0), (0, 0), "x");
}

#[test]
fn files_are_watched_where_the_editor_can() {
    let mut editor = Editor::with(SHOP, None);
    editor.ask("initialize", json!({"capabilities": {}})).unwrap();
    assert!(editor.tell("initialized", json!({})).is_empty());
    let mut editor = Editor::with(SHOP, None);
    let capabilities = json!({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}});
    editor.ask("initialize", json!({"capabilities": capabilities})).unwrap();
    let asked = editor.tell("initialized", json!({}));
    assert!(serde_json::to_string(&asked).unwrap().contains("**/*.flow"), "{asked:?}");
}

#[test]
fn what_the_server_can_do_is_told_at_the_start() {
    let mut editor = Editor::with(SHOP, None);
    let result = editor.ask("initialize", json!({"capabilities": {}, "workspaceFolders": null})).unwrap();
    assert_eq!(result["capabilities"]["documentFormattingProvider"], false, "without a formatter");
    insta::assert_snapshot!(serde_json::to_string_pretty(&result["capabilities"]).unwrap());
}

/// Every question, at many places of files that are broken in many ways.
#[test]
fn no_text_stops_the_server() {
    let nested = format!("Flow a\n    Basepath \"\"\nx = {}\n", "[".repeat(5_000));
    let deep: String = (0..400).map(|depth| format!("{}When a is 1\n", " ".repeat(depth))).collect();
    let long = format!("Flow a\n    Basepath \"\"\n\nx = \"{}\"\n", "🦎".repeat(50_000));
    let texts = [
        "",
        "^",
        "\u{feff}",
        "\0",
        "\r",
        "\r\r\n\n",
        "Flow",
        "Flow ",
        "Flow a\n",
        "🦎",
        "\"",
        "x.",
        "Call ",
        "Trigger $",
        "Flow a\n    Basepath \"\"\n\nx | = Call a#\nWhen\nMatch\n  \"\n[.\n]]]]].\n-.\n#\n..\nx[[[.\n",
        "Flow a.b.\n\tBasepath \"x\"\n\tInputs is\nOverride templates \"\nIterate over\n",
        &nested,
        &deep,
        &long,
    ];
    for text in texts {
        let mut editor = Editor::shop();
        editor.open("/w/shop/code/a.flow", text);
        let document = json!({"uri": uri("/w/shop/code/a.flow")});
        let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 4_000_000, "character": 0}});
        for method in
            ["textDocument/documentSymbol", "textDocument/foldingRange", "textDocument/semanticTokens/full"]
        {
            editor.ask(method, json!({"textDocument": document})).unwrap();
        }
        let context = json!({"diagnostics": [], "only": null});
        editor
            .ask(
                "textDocument/codeAction",
                json!({"textDocument": document, "range": range, "context": context}),
            )
            .unwrap();
        let lines = u32::try_from(text.lines().count()).unwrap().min(20);
        for (line, character) in
            (0..=lines).flat_map(|line| [0, 1, 2, 5, 9, 999_999].map(|column| (line, column)))
        {
            let place = json!({"textDocument": document, "position": {"line": line, "character": character},
                "context": {"includeDeclaration": true, "triggerKind": 1, "isRetrigger": false}, "newName": "y"});
            for method in
                ["completion", "signatureHelp", "hover", "definition", "references", "documentHighlight"]
            {
                editor.ask(&format!("textDocument/{method}"), place.clone()).unwrap();
            }
            for method in ["prepareRename", "rename"] {
                // Refused or not: it is answered.
                let _ = editor.ask(&format!("textDocument/{method}"), place.clone());
            }
        }
        editor.change("/w/shop/code/a.flow", (4_000_000_000, 7), (0, 1), "\u{10ffff}");
    }
}

#[test]
fn a_file_over_the_limit_is_refused_with_the_number() {
    let mut editor = Editor::shop();
    editor.open("/w/x.flow", &"// padding\n".repeat(120_000));
    let found = editor.findings("/w/x.flow");
    assert_eq!(found[0].0, "AGM0101", "{found:?}");
}
