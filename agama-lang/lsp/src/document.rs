//! An open file: its text, its tree, what was found in it.

use std::path::{Path, PathBuf};

use agama_lang::ast::Flow;
use agama_lang::check::facts::Facts;
use agama_lang::compile::compile_parsed;
use agama_lang::diagnostic::{Diagnostic, has_errors};
use agama_lang::parse::parse_partial;
use agama_lang::symbols::Symbols;
use lsp_types::Uri;

use crate::address::path_of;
use crate::text::{Text, small};
use crate::workspace::flow_name;

/// An open file.
pub(crate) struct Document {
    pub(crate) uri: Uri,
    pub(crate) path: Option<PathBuf>,
    pub(crate) version: i32,
    pub(crate) text: Text,
    /// What could be read of the text.
    pub(crate) flow: Option<Flow>,
    /// What that names.
    pub(crate) symbols: Symbols,
    /// Everything found.
    pub(crate) findings: Vec<Diagnostic>,
    /// Findings of the parser alone, kept for checking again.
    parsed: Vec<Diagnostic>,
}

impl Document {
    pub(crate) fn new(uri: Uri, version: i32, text: String) -> Self {
        let path = path_of(uri.as_str());
        let mut document = Self {
            uri,
            path,
            version,
            text: Text::default(),
            flow: None,
            symbols: Symbols::default(),
            findings: Vec::new(),
            parsed: Vec::new(),
        };
        document.set_text(Text::new(text));
        document
    }

    /// Takes a new text and reads it. [`Self::check`] is the caller's to call.
    pub(crate) fn set_text(&mut self, text: Text) {
        self.text = text;
        (self.flow, self.parsed) = parse_partial(self.text.source(), &self.name());
        self.symbols = self.flow.as_ref().map(Symbols::of).unwrap_or_default();
    }

    /// Whether the text can be read as a whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.flow.is_some() && !has_errors(&self.parsed)
    }

    /// Checks the tree against the world around it.
    pub(crate) fn check(&mut self, facts: &dyn Facts) {
        let tree = if self.is_whole() { self.flow.clone() } else { None };
        let expected = self.path.as_deref().and_then(flow_name);
        let parsed = (tree, self.parsed.clone());
        let compiled = compile_parsed(parsed, self.text.source(), &self.name(), expected.as_deref(), facts);
        self.findings = compiled.diagnostics;
    }

    /// The file as findings call it.
    pub(crate) fn name(&self) -> String {
        let name =
            self.path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| self.uri.as_str().to_owned())
    }

    /// The variable at an offset, with its place.
    pub(crate) fn variable_at(&self, offset: usize) -> Option<(&str, agama_lang::ast::Span)> {
        self.symbols.variable_at(small(offset))
    }
}
