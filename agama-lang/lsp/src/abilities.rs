//! What the client and the server tell each other at the start.

use std::path::PathBuf;

use lsp_server::{Message, Request, RequestId};
use serde_json::{Value, json};

use crate::address::path_of;
use crate::highlight::{MODIFIERS, TYPES};

/// What the client can do, as far as the server cares. Read leniently: what is missing or odd is not there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Client {
    /// It takes requests to watch files.
    watches: bool,
    /// It can create files as part of an edit.
    pub(crate) creates_files: bool,
}

impl Client {
    pub(crate) fn of(params: &Value) -> Self {
        let workspace = params.pointer("/capabilities/workspace");
        let find = |path: &str| workspace.and_then(|workspace| workspace.pointer(path));
        let operations = find("/workspaceEdit/resourceOperations").and_then(Value::as_array);
        Self {
            watches: find("/didChangeWatchedFiles/dynamicRegistration") == Some(&Value::Bool(true)),
            creates_files: operations.is_some_and(|list| list.iter().any(|item| item == "create")),
        }
    }
}

/// The folders that the client has open.
pub(crate) fn roots(params: &Value) -> Vec<PathBuf> {
    let folders = params.get("workspaceFolders").and_then(Value::as_array);
    let found: Vec<PathBuf> =
        folders.into_iter().flatten().filter_map(|folder| path_of(folder.get("uri")?.as_str()?)).collect();
    if !found.is_empty() {
        return found;
    }
    let root = params.get("rootUri").and_then(Value::as_str).and_then(path_of);
    let path = || params.get("rootPath").and_then(Value::as_str).map(PathBuf::from);
    root.or_else(path).into_iter().collect()
}

/// The answer to `initialize`.
pub(crate) fn initialize_result(formats: bool) -> Value {
    json!({
        "serverInfo": {"name": "agamid lsp", "version": env!("CARGO_PKG_VERSION")},
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": {"openClose": true, "change": 2, "save": {"includeText": false}},
            "completionProvider": {"triggerCharacters": [".", "#", "\"", "/", "$", "|"]},
            "signatureHelpProvider": {"triggerCharacters": [" "]},
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "renameProvider": {"prepareProvider": true},
            "documentFormattingProvider": formats,
            "codeActionProvider": {"codeActionKinds": ["quickfix"]},
            "foldingRangeProvider": true,
            "semanticTokensProvider": {
                "legend": {"tokenTypes": TYPES, "tokenModifiers": MODIFIERS},
                "full": true,
                "range": false,
            },
            "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": true}},
        },
    })
}

/// Asks to be told when files change that no editor holds, where the client can do that.
pub(crate) fn watch_files(client: &Client) -> Option<Message> {
    let watchers: Vec<Value> = ["**/*.flow", "**/project.json", "**/web/**"]
        .iter()
        .map(|pattern| json!({"globPattern": pattern}))
        .collect();
    let params = json!({"registrations": [{
        "id": "agama-files",
        "method": "workspace/didChangeWatchedFiles",
        "registerOptions": {"watchers": watchers},
    }]});
    client.watches.then(|| {
        Request {
            id: RequestId::from("agama-watch".to_owned()),
            method: "client/registerCapability".to_owned(),
            params,
        }
        .into()
    })
}
