//! The server without its streams: a message in, messages out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agama_lang::diagnostic::{Code, Severity};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidChangeWatchedFiles, DidChangeWorkspaceFolders, DidCloseTextDocument,
    DidOpenTextDocument, DidSaveTextDocument, Notification as _, PublishDiagnostics,
};
use lsp_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, DidChangeTextDocumentParams,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, Location,
    NumberOrString, PublishDiagnosticsParams, Uri,
};
use serde_json::{Value, json};

use crate::abilities::{self, Client};
use crate::address::path_of;
use crate::document::Document;
use crate::files::Files;
use crate::requests;
use crate::settings::{Format, Routines, Settings};
use crate::text::Text;
use crate::workspace::{Workspace, World};

/// So many findings of one file are shown; a file with more is no flow.
const MOST_FINDINGS: usize = 500;

/// How the conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `shutdown`, then `exit`.
    Orderly,
    /// `exit` alone.
    Early,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    ShutDown,
}

/// The language server. It reads files through [`Files`] and does nothing else but answer.
pub struct Server {
    pub(crate) files: Box<dyn Files>,
    pub(crate) routines: Routines,
    pub(crate) format: Option<Format>,
    pub(crate) workspace: Workspace,
    pub(crate) client: Client,
    documents: BTreeMap<String, Document>,
    phase: Phase,
    end: Option<End>,
}

impl Server {
    /// A server that waits for `initialize`.
    pub fn new(settings: Settings) -> Self {
        Self {
            files: settings.files,
            routines: Routines::new(settings.routines),
            format: settings.format,
            workspace: Workspace::new(&settings.flows),
            client: Client::default(),
            documents: BTreeMap::new(),
            phase: Phase::Waiting,
            end: None,
        }
    }

    /// How the conversation ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Takes a message; answers what goes back, in this order.
    pub fn handle(&mut self, message: Message) -> Vec<Message> {
        match message {
            Message::Request(request) => self.request(request),
            Message::Notification(notification) => self.notification(notification),
            // The only thing this server asks is to be told of changed files; it goes on without.
            Message::Response(_) => Vec::new(),
        }
    }

    fn request(&mut self, request: Request) -> Vec<Message> {
        let Request { id, method, params } = request;
        let response = match (self.phase, method.as_str()) {
            (Phase::Waiting, "initialize") => Response::new_ok(id, self.initialize(&params)),
            (Phase::Waiting, _) => error(id, ErrorCode::ServerNotInitialized, "initialize comes first"),
            (Phase::ShutDown, _) => error(id, ErrorCode::InvalidRequest, "the server is shut down"),
            (Phase::Running, "initialize") => {
                error(id, ErrorCode::InvalidRequest, "the server is initialized already")
            }
            (Phase::Running, "shutdown") => {
                self.phase = Phase::ShutDown;
                Response::new_ok(id, Value::Null)
            }
            (Phase::Running, method) => match requests::answer(self, method, params) {
                Ok(result) => Response::new_ok(id, result),
                Err((code, reason)) => error(id, code, &reason),
            },
        };
        vec![response.into()]
    }

    fn initialize(&mut self, params: &Value) -> Value {
        self.client = Client::of(params);
        for root in abilities::roots(params) {
            self.workspace.add_root(root);
        }
        self.refresh();
        self.phase = Phase::Running;
        abilities::initialize_result(self.format.is_some())
    }

    fn notification(&mut self, notification: Notification) -> Vec<Message> {
        let Notification { method, params } = notification;
        if method == "exit" {
            let orderly = self.phase == Phase::ShutDown;
            self.end = Some(if orderly { End::Orderly } else { End::Early });
            return Vec::new();
        }
        if self.phase != Phase::Running {
            return Vec::new();
        }
        match method.as_str() {
            "initialized" => abilities::watch_files(&self.client).into_iter().collect(),
            DidOpenTextDocument::METHOD => self.opened(params),
            DidChangeTextDocument::METHOD => self.changed(params),
            DidCloseTextDocument::METHOD => self.closed(params),
            DidSaveTextDocument::METHOD | DidChangeWatchedFiles::METHOD => {
                self.refresh();
                self.publish_all()
            }
            DidChangeWorkspaceFolders::METHOD => self.folders_changed(params),
            // A notification that is not known, or can't be read, has no answer.
            _ => Vec::new(),
        }
    }

    fn opened(&mut self, params: Value) -> Vec<Message> {
        let Ok(params) = serde_json::from_value::<DidOpenTextDocumentParams>(params) else {
            return Vec::new();
        };
        let item = params.text_document;
        let document = Document::new(item.uri, item.version, item.text);
        let path = document.path.clone();
        self.documents.insert(document.uri.as_str().to_owned(), document);
        if let Some(path) = path {
            self.workspace.cover(&path, &*self.files);
        }
        // A file that is opened may be new.
        self.refresh();
        self.publish_all()
    }

    fn changed(&mut self, params: Value) -> Vec<Message> {
        let Ok(params) = serde_json::from_value::<DidChangeTextDocumentParams>(params) else {
            return Vec::new();
        };
        let key = params.text_document.uri.as_str().to_owned();
        let Some(document) = self.documents.get_mut(&key) else { return Vec::new() };
        let text = std::mem::take(&mut document.text);
        document.version = params.text_document.version;
        document.set_text(params.content_changes.into_iter().fold(text, Text::changed));
        let seen_by_others = document
            .path
            .as_deref()
            .is_some_and(|path| self.workspace.update(path, document.text.source(), document.flow.as_ref()));
        if seen_by_others { self.publish_all() } else { self.publish(&key).into_iter().collect() }
    }

    fn closed(&mut self, params: Value) -> Vec<Message> {
        let Ok(params) = serde_json::from_value::<DidCloseTextDocumentParams>(params) else {
            return Vec::new();
        };
        let uri = params.text_document.uri;
        if self.documents.remove(uri.as_str()).is_none() {
            return Vec::new();
        }
        // What is on the disk counts again.
        self.refresh();
        let mut out = vec![published(uri, None, Vec::new())];
        out.extend(self.publish_all());
        out
    }

    fn folders_changed(&mut self, params: Value) -> Vec<Message> {
        let Ok(params) = serde_json::from_value::<DidChangeWorkspaceFoldersParams>(params) else {
            return Vec::new();
        };
        for folder in params.event.removed.iter().filter_map(|folder| path_of(folder.uri.as_str())) {
            self.workspace.remove_root(&folder);
        }
        for folder in params.event.added.iter().filter_map(|folder| path_of(folder.uri.as_str())) {
            self.workspace.add_root(folder);
        }
        self.refresh();
        self.publish_all()
    }

    /// Looks at the workspace again.
    fn refresh(&mut self) {
        let by_path: BTreeMap<PathBuf, &str> = self
            .documents
            .values()
            .filter_map(|document| Some((document.path.clone()?, document.text.source())))
            .collect();
        let open = |path: &Path| by_path.get(path).map(|text| (*text).to_owned());
        self.workspace.refresh(&*self.files, &open);
    }

    fn publish_all(&mut self) -> Vec<Message> {
        let keys: Vec<String> = self.documents.keys().cloned().collect();
        keys.iter().filter_map(|key| self.publish(key)).collect()
    }

    /// Checks an open file, and tells what was found.
    fn publish(&mut self, key: &str) -> Option<Message> {
        let document = self.documents.get_mut(key)?;
        let file = document.path.clone();
        let world = World { workspace: &self.workspace, routines: &self.routines, file: file.as_deref() };
        document.check(&world);
        let shown = document.findings.iter().take(MOST_FINDINGS);
        let findings = shown.map(|finding| diagnostic(document, finding)).collect();
        Some(published(document.uri.clone(), Some(document.version), findings))
    }

    /// An open file.
    pub(crate) fn document(&self, uri: &Uri) -> Option<&Document> {
        self.documents.get(uri.as_str())
    }

    /// The text of a file, as the editor holds it or as it is on the disk.
    pub(crate) fn text_of(&self, path: &Path) -> Option<Text> {
        let open = self.documents.values().find(|document| document.path.as_deref() == Some(path));
        match open {
            Some(document) => Some(document.text.clone()),
            None => self.files.read(path).map(Text::new),
        }
    }
}

/// A finding as editors show it.
pub(crate) fn diagnostic(document: &Document, finding: &agama_lang::diagnostic::Diagnostic) -> Diagnostic {
    let severity = match finding.severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
    };
    let message = match &finding.hint {
        Some(hint) => format!("{}\n{hint}", finding.message),
        None => finding.message.clone(),
    };
    let related = finding.related.iter().map(|(span, what)| DiagnosticRelatedInformation {
        location: Location::new(document.uri.clone(), document.text.range(*span)),
        message: what.clone(),
    });
    let related: Vec<DiagnosticRelatedInformation> = related.collect();
    Diagnostic {
        related_information: (!related.is_empty()).then_some(related),
        range: document.text.range(finding.span),
        severity: Some(severity),
        code: Some(NumberOrString::String(finding.code.number().to_owned())),
        source: Some("agama".to_owned()),
        // Editors fade what is of no use.
        tags: matches!(finding.code, Code::Unreachable | Code::NeverRead)
            .then(|| vec![DiagnosticTag::UNNECESSARY]),
        message,
        ..Diagnostic::default()
    }
}

fn published(uri: Uri, version: Option<i32>, diagnostics: Vec<Diagnostic>) -> Message {
    let params = PublishDiagnosticsParams { uri, diagnostics, version };
    Notification { method: PublishDiagnostics::METHOD.to_owned(), params: json!(params) }.into()
}

fn error(id: RequestId, code: ErrorCode, reason: &str) -> Response {
    Response::new_err(id, code as i32, reason.to_owned())
}
