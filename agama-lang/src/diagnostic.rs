//! What the compiler has to say: numbered findings with place, message and hint.
//!
//! `code.rs` has the numbers, `render.rs` shows a finding to people, `allow.rs` drops those that a comment allows;
//! [`crate::report`] writes whole reports.

mod allow;
mod code;
mod render;

use serde::Serialize;

use crate::ast::Span;
use crate::source::LineIndex;

pub(crate) use allow::apply as apply_allows;
pub use code::Code;
pub use render::render;
pub(crate) use render::render_in;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The flow still deploys.
    Warning,
    /// The flow is refused.
    Error,
}

impl Severity {
    /// `warning`, `error`
    pub fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A change of the source that mends a finding, where the mend is mechanical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What the change does, as a command: `Rename it to user`.
    pub title: String,
    /// Texts to put in place of spans. The spans do not overlap.
    pub edits: Vec<(Span, String)>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostic {
    /// Stable number, shown as `AGM0101`.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// File as the caller named it.
    pub file: String,
    /// 1-based line of the start.
    pub line: u32,
    /// 1-based column of the start, in characters.
    pub column: u32,
    /// 1-based line of the end.
    pub end_line: u32,
    /// 1-based column behind the last character.
    pub end_column: u32,
    /// What is wrong: names the thing.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Bytes in the source.
    #[serde(skip)]
    pub span: Span,
    /// Further places in the same source that belong to it, with what they have to do with it.
    #[serde(skip)]
    pub related: Vec<(Span, String)>,
    /// The change that mends it, where there is just one.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding about a file that is no flow, or about a line of it.
    pub fn of_file(
        code: Code,
        file: impl Into<String>,
        line: u32,
        message: impl Into<String>,
        hint: &str,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            file: file.into(),
            line,
            column: 1,
            end_line: line,
            end_column: 1,
            message: message.into(),
            hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
            span: Span::default(),
            related: Vec::new(),
            fix: None,
        }
    }

    /// Adds a further place.
    pub(crate) fn relate(&mut self, span: Span, what: impl Into<String>) -> &mut Self {
        self.related.push((span, what.into()));
        self
    }

    /// Says how to mend it mechanically.
    pub(crate) fn mend(&mut self, title: impl Into<String>, edits: Vec<(Span, String)>) -> &mut Self {
        self.fix = Some(Fix { title: title.into(), edits });
        self
    }
}

/// Collects findings about one source.
pub struct Sink<'a> {
    index: LineIndex<'a>,
    file: &'a str,
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> Sink<'a> {
    /// Findings go to `found`; places are looked up in `source`.
    pub fn new(source: &'a str, file: &'a str, found: &'a mut Vec<Diagnostic>) -> Self {
        Self { index: LineIndex::new(source), file, found }
    }

    /// Reports an error; an empty hint is none.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, code, span, message.into(), hint.into());
    }

    /// Reports a warning.
    pub fn warning(&mut self, code: Code, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Warning, code, span, message.into(), hint.into());
    }

    /// Reports a finding as bad as its code is, to which related places and a fix can be added.
    pub(crate) fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(code.severity(), code, span, message.into(), hint.into())
    }

    /// How many findings there are already.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// The source's lines.
    pub fn lines(&self) -> &LineIndex<'a> {
        &self.index
    }

    fn push(
        &mut self,
        severity: Severity,
        code: Code,
        span: Span,
        message: String,
        hint: String,
    ) -> &mut Diagnostic {
        let (line, column) = self.index.line_column(span.start);
        let (end_line, end_column) = self.index.line_column(span.end.max(span.start));
        let hint = Some(hint).filter(|hint| !hint.is_empty());
        self.found.push_mut(Diagnostic {
            code,
            severity,
            file: self.file.to_owned(),
            line,
            column,
            end_line,
            end_column,
            message,
            hint,
            span,
            related: Vec::new(),
            fix: None,
        })
    }
}

/// Whether any finding is an error.
pub fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|finding| finding.severity == Severity::Error)
}
