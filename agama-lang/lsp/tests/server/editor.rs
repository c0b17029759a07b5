//! An editor that holds files in memory and talks to the server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use agama_lang::check::facts::ParamFacts;
use agama_lang::diagnostic::Diagnostic;
use agama_lsp::{Declared, Entry, Files, Routine, Server, Settings};
use lsp_server::{Message, Notification, Request};
use serde_json::{Value, json};

/// Files by path.
#[derive(Clone, Default)]
pub(crate) struct Memory(pub(crate) Rc<RefCell<BTreeMap<PathBuf, String>>>);

impl Files for Memory {
    fn read(&self, path: &Path) -> Option<String> {
        self.0.borrow().get(path).cloned()
    }

    fn list(&self, folder: &Path) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        for path in self.0.borrow().keys() {
            let Ok(below) = path.strip_prefix(folder) else { continue };
            let mut parts = below.components();
            let name = parts.next().unwrap().as_os_str().to_string_lossy().into_owned();
            let entry = Entry { name, folder: parts.next().is_some() };
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
        found
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.borrow().contains_key(path)
    }
}

/// A project with a page, a subflow and properties.
pub(crate) const SHOP: &[(&str, &str)] = &[
    (
        "/w/shop/project.json",
        r#"{"projectName": "shop", "version": "1", "configs": {"shop.login": {"issuer": "Shop", "mail": {"from": "x"}}},
 "launchable": {"shop.login": ["hint", "lang"]}}"#,
    ),
    (
        "/w/shop/code/shop.otp.flow",
        "// Asks for a code.\n// Needs a phone.\nFlow shop.otp\n    Basepath \"shop\"\n    Inputs person phone\n\nFinish person\n",
    ),
    (
        "/w/shop/code/shop.menu.flow",
        "Flow shop.menu\n    Basepath \"\"\n\nx = Trigger shop.otp\nFinish true\n",
    ),
    (
        "/w/shop/web/shop/login.html",
        "{{ forms.text(\"login\", \"Name\") }}{{ forms.password(\"password\", \"P\") }}<button name=\"go\">",
    ),
    ("/w/shop/web/shop/odd.html", "<input name=\"odd key\">"),
    (
        "/w/shop/web/shop/whole.html",
        "{% include \"shop/login.html\" %}{% include \"more.html\" %}<input name=\"own\">",
    ),
    ("/w/shop/web/shop/more.html", "{% include \"shop/whole.html\" %}<input name=\"more\">"),
    ("/w/shop/web/shop/style.css", ""),
    ("/w/shop/web/other/page.html", ""),
];

/// An editor with a server.
pub(crate) struct Editor {
    server: Server,
    pub(crate) files: Memory,
    next: i32,
    /// What is shown of each file.
    pub(crate) shown: BTreeMap<String, Value>,
}

impl Editor {
    /// An editor on the shop, started.
    pub(crate) fn shop() -> Self {
        let mut editor = Self::with(SHOP, Some(shout));
        let capabilities = json!({"workspace": {
            "didChangeWatchedFiles": {"dynamicRegistration": true},
            "workspaceEdit": {"resourceOperations": ["create", "rename"]},
        }});
        editor.ask("initialize", json!({"capabilities": capabilities, "rootUri": "file:///w"})).unwrap();
        editor.tell("initialized", json!({}));
        editor
    }

    /// An editor that has said nothing yet.
    pub(crate) fn with(files: &[(&str, &str)], format: Option<agama_lsp::Format>) -> Self {
        let files = Memory(Rc::new(RefCell::new(
            files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect(),
        )));
        let settings =
            Settings { files: Box::new(files.clone()), routines: routines(), flows: shipped(), format };
        Self { server: Server::new(settings), files, next: 0, shown: BTreeMap::new() }
    }

    pub(crate) fn end(&self) -> Option<agama_lsp::End> {
        self.server.end()
    }

    /// Asks; answers the result, or code and reason of the refusal.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        self.next += 1;
        let request = Request { id: self.next.into(), method: method.to_owned(), params };
        let mut messages = self.server.handle(request.into());
        let Some(Message::Response(response)) = messages.pop() else { panic!("{method}: {messages:?}") };
        assert!(messages.is_empty() && response.id == self.next.into(), "one answer, to this question");
        response.response_result.map_err(|error| (error.code, error.message))
    }

    /// Tells; answers what else than findings came back.
    pub(crate) fn tell(&mut self, method: &str, params: Value) -> Vec<Message> {
        let messages = self.server.handle(Notification { method: method.to_owned(), params }.into());
        let mut rest = Vec::new();
        for message in messages {
            match message {
                Message::Notification(shown) if shown.method == "textDocument/publishDiagnostics" => {
                    let uri = shown.params["uri"].as_str().unwrap().to_owned();
                    self.shown.insert(uri, shown.params["diagnostics"].clone());
                }
                other => rest.push(other),
            }
        }
        rest
    }

    pub(crate) fn open(&mut self, path: &str, text: &str) {
        let item = json!({"uri": uri(path), "languageId": "agama", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": item}));
    }

    /// Opens a text without its `^`; answers the place of the `^`.
    pub(crate) fn open_at(&mut self, path: &str, marked: &str) -> Value {
        let (text, position) = marked_text(marked);
        self.open(path, &text);
        json!({"textDocument": {"uri": uri(path)}, "position": position})
    }

    /// Replaces a range given as (line, column) pairs.
    pub(crate) fn change(&mut self, path: &str, start: (u32, u32), end: (u32, u32), text: &str) {
        let position = |(line, character): (u32, u32)| json!({"line": line, "character": character});
        let change = json!({"range": {"start": position(start), "end": position(end)}, "text": text});
        let document = json!({"uri": uri(path), "version": 2});
        self.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]}));
    }

    /// The errors among the findings shown of a file: code and line.
    pub(crate) fn errors(&self, path: &str) -> Vec<(String, u64)> {
        let shown = self.shown[&uri(path)].as_array().unwrap();
        let severe = shown.iter().filter(|finding| finding["severity"] == 1);
        let line = |finding: &Value| finding["range"]["start"]["line"].as_u64().unwrap();
        severe.map(|finding| (finding["code"].as_str().unwrap().to_owned(), line(finding))).collect()
    }

    /// The findings shown of a file: code, line, column, last column.
    pub(crate) fn findings(&self, path: &str) -> Vec<(String, u64, u64, u64)> {
        let shown = self.shown.get(&uri(path)).unwrap_or_else(|| panic!("nothing was shown of {path}"));
        shown
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                let number = |path: &str| finding.pointer(path).unwrap().as_u64().unwrap();
                (
                    finding["code"].as_str().unwrap().to_owned(),
                    number("/range/start/line"),
                    number("/range/start/character"),
                    number("/range/end/character"),
                )
            })
            .collect()
    }
}

pub(crate) fn uri(path: &str) -> String {
    format!("file://{path}")
}

/// A text without its `^`, and the place of the `^` as the protocol counts.
pub(crate) fn marked_text(marked: &str) -> (String, Value) {
    let (before, after) = marked.split_once('^').unwrap();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    (format!("{before}{after}"), json!({"line": line, "character": column}))
}

/// Applies edits of the protocol to a text, the last place first.
pub(crate) fn apply(text: &str, edits: &Value) -> String {
    let offset = |position: &Value| -> usize {
        let line = usize::try_from(position["line"].as_u64().unwrap()).unwrap();
        let column = usize::try_from(position["character"].as_u64().unwrap()).unwrap();
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let units: Vec<u16> = text[start..].encode_utf16().take(column).collect();
        start + String::from_utf16(&units).unwrap().len()
    };
    let mut edits: Vec<&Value> = edits.as_array().unwrap().iter().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(offset(&edit["range"]["start"])));
    let mut out = text.to_owned();
    for edit in edits {
        let (start, end) = (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]));
        out.replace_range(start..end, edit["newText"].as_str().unwrap());
    }
    out
}

/// A formatter that can be told from doing nothing.
fn shout(source: &str, _file: &str) -> Result<String, Vec<Diagnostic>> {
    if source.contains("x = (") { Err(Vec::new()) } else { Ok(source.replace("  =  ", " = ")) }
}

fn shipped() -> Vec<(String, String)> {
    let source = "// Asks for the password.\nFlow demo.password\n    Basepath \"demo\"\n    Inputs loginHint\nFinish true\n";
    vec![("demo.password".to_owned(), source.to_owned())]
}

fn routines() -> Vec<Routine> {
    let routine =
        |package: &str, function: &str, params: &[(&str, &str)], result: &str, docs: &str| Routine {
            package: package.to_owned(),
            function: function.to_owned(),
            params: params
                .iter()
                .map(|(name, ty)| ParamFacts {
                    name: (*name).to_owned(),
                    ty: (*ty).to_owned(),
                    optional: ty.starts_with("option<"),
                })
                .collect(),
            result: result.to_owned(),
            signature: format!(
                "{function}: func({}) -> {result}",
                params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect::<Vec<_>>().join(", ")
            ),
            docs: docs.to_owned(),
            declared: package
                .starts_with("extras.")
                .then(|| Declared { file: "/w/totp.wit".into(), line: 7 }),
        };
    let user = "option<{id: string, username: string, last-seen: option<u64>}>";
    vec![
        routine("agamid.users", "find", &[("login", "string")], user, "By username or mail address."),
        routine("agamid.users", "get", &[("id", "string")], user, "By id."),
        routine(
            "extras.otp.totp",
            "newSecret",
            &[("entropy", "secret")],
            "result<secret, string>",
            "A new secret.",
        ),
    ]
}
