//! `agamid lsp`: an editor on real pipes.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use crate::support::server::{binary, root};

struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: i64,
}

impl Editor {
    /// Starts the server in the repository, with a workspace folder.
    fn start(workspace: &Path) -> Self {
        let mut server = Command::new(binary())
            .arg("lsp")
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (server.stdin.take(), BufReader::new(server.stdout.take().unwrap()));
        let mut editor = Self { server, input, output, next: 0 };
        let folder = json!({"uri": format!("file://{}", workspace.display()), "name": "w"});
        editor.ask("initialize", json!({"capabilities": {}, "workspaceFolders": [folder]}));
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, body: &str) {
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server left");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Asks; answers the result. What the server says in between is passed over.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        loop {
            let message = self.receive();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// The findings that the server shows next.
    fn shown(&mut self) -> Value {
        loop {
            let message = self.receive();
            if message["method"] == "textDocument/publishDiagnostics" {
                return message["params"]["diagnostics"].clone();
            }
        }
    }

    fn leave(mut self, ask_first: bool) -> ExitStatus {
        if ask_first {
            assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        }
        self.tell("exit", Value::Null);
        self.server.wait().unwrap()
    }
}

#[test]
fn an_editor_works_on_the_demos_flow() {
    let mut editor = Editor::start(&root().join("flows"));
    let path = root().join("flows/demo/code/demo.totp.flow");
    let uri = format!("file://{}", path.display());
    let text = std::fs::read_to_string(&path).unwrap();
    let item = json!({"uri": uri, "languageId": "agama", "version": 1, "text": text});
    editor.tell("textDocument/didOpen", json!({"textDocument": item}));
    let clean = editor.shown();
    assert!(!clean.to_string().contains("\"severity\":1"), "the demo has no errors: {clean}");

    // A line is typed at the end: the page's fields and the routines are known while it is broken.
    let last = text.lines().count();
    let end = json!({"line": last, "character": 0});
    let change = |text: &str| json!([{"range": {"start": end, "end": {"line": last + 9, "character": 0}}, "text": text}]);
    let document = json!({"uri": uri, "version": 2});
    editor.tell(
        "textDocument/didChange",
        json!({"textDocument": document, "contentChanges": change("Log \"🦎\" form.\n")}),
    );
    assert_eq!(editor.shown()[0]["severity"], 1, "it is broken");
    let place = |character: u32| json!({"textDocument": {"uri": uri}, "position": {"line": last, "character": character}});
    let fields = editor.ask("textDocument/completion", place(14));
    assert_eq!(fields["items"][0]["label"], "code", "{fields}");
    editor.tell(
        "textDocument/didChange",
        json!({"textDocument": document, "contentChanges": change("x = Call extras.otp.totp#\n")}),
    );
    let routines = editor.ask("textDocument/completion", place(25)).to_string();
    assert!(routines.contains("extras.otp.totp#newSecret") && routines.contains("agamid.users#find"));
    assert!(routines.contains("A new secret in base32"), "docs come from the plugin's source: {routines}");

    // Mended again.
    editor.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": change("")}));
    let line = text.lines().position(|line| line.contains("agamid.users#get")).unwrap();
    let column = text.lines().nth(line).unwrap().find("#get").unwrap() + 2;
    let at = json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": column}});
    let hover = editor.ask("textDocument/hover", at);
    assert!(hover.to_string().contains("By id."), "{hover}");
    let line = text.lines().position(|line| line.contains("Trigger demo.password")).unwrap();
    let at = json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": 20}});
    let definition = editor.ask("textDocument/definition", at);
    assert!(definition[0]["uri"].as_str().unwrap().ends_with("demo.password.flow"), "{definition}");
    let line = text.lines().position(|line| line.contains("totp#newSecret")).unwrap();
    let column = text.lines().nth(line).unwrap().find("#newSecret").unwrap() + 2;
    let at = json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": column}});
    let wit = editor.ask("textDocument/definition", at);
    assert!(wit[0]["uri"].as_str().unwrap().ends_with("plugins/totp/wit/totp.wit"), "{wit}");
    let source = std::fs::read_to_string(root().join("plugins/totp/wit/totp.wit")).unwrap();
    let line = usize::try_from(wit[0]["range"]["start"]["line"].as_u64().unwrap()).unwrap();
    assert!(source.lines().nth(line).unwrap().contains("new-secret: func"));
    assert!(editor.leave(true).success());
}

#[test]
fn a_message_that_is_no_json_is_answered_and_the_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut editor = Editor::start(folder.path());
    editor.send("{nothing");
    let refused = editor.receive();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &json!(-32700)));
    assert!(editor.leave(true).success());
}

#[test]
fn leaving_without_shutdown_has_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Editor::start(folder.path()).leave(false).code(), Some(1));
    let mut editor = Editor::start(folder.path());
    editor.input = None;
    assert_eq!(editor.server.wait().unwrap().code(), Some(1), "the editor's end of the pipe is gone");
}
