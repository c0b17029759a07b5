//! What the compiler has to say: numbered findings with place, message and hint.

use serde::Serialize;

use crate::ast::Span;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The flow still deploys.
    Warning,
    /// The flow is refused.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnostic {
    /// Stable number, `AGM0101`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// File as the caller named it.
    pub file: String,
    /// 1-based line of the start.
    pub line: u32,
    /// 1-based column of the start, in characters.
    pub column: u32,
    /// What is wrong: names the thing.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Bytes in the source.
    #[serde(skip)]
    pub span: Span,
}
