//! What the compiler has to say: numbered findings with place, message and hint.

use serde::Serialize;

use crate::ast::Span;
use crate::source::LineIndex;

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
    /// What is wrong: names the thing.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Bytes in the source.
    #[serde(skip)]
    pub span: Span,
}

/// Declares the numbered findings; `docs/diagnostics.md` explains each.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal,)*) => {
        /// The number of a finding. 01xx: the text can't be read; 02xx: it is read, but something is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum Code {
            $($(#[doc = $doc])* #[serde(rename = $number)] $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// `AGM0101`
            pub fn number(self) -> &'static str {
                match self {
                    $(Code::$name => $number,)*
                }
            }
        }
    };
}

codes! {
    /// The source, a line or the nesting is larger than allowed.
    TooLarge = "AGM0101",
    /// A character that may not stand in a source.
    BadCharacter = "AGM0102",
    /// A list or map is broken over lines elsewhere than beside a comma.
    LiteralBreak = "AGM0103",
    /// A condition goes on in another column than its `When`.
    ConditionColumn = "AGM0104",
    /// A line starts in a column that belongs to no open block.
    Indentation = "AGM0105",
    /// A block has no statements.
    EmptyBlock = "AGM0106",
    /// The line is no statement.
    Syntax = "AGM0107",
    /// The header is missing, incomplete or out of order.
    Header = "AGM0108",
    /// A string that can't be: unclosed, or with a wrong escape.
    BadString = "AGM0109",
    /// A statement that may not stand here: `Quit` outside a loop, `Otherwise` without `When`.
    Misplaced = "AGM0110",
    /// A way to write it from another language.
    OtherLanguage = "AGM0111",
    /// The flow has no statements.
    NoStatements = "AGM0112",
    /// The name in the header is not that of the file.
    NameMismatch = "AGM0201",
    /// A flow that Triggers itself.
    SelfTrigger = "AGM0202",
    /// Two inputs, or an input and the configuration, have one name.
    DuplicateInput = "AGM0203",
    /// A variable is read that nothing assigns.
    UndefinedVariable = "AGM0204",
    /// A statement that nothing reaches.
    Unreachable = "AGM0205",
    /// A path through the flow ends without `Finish`.
    NoFinish = "AGM0206",
    /// `idx` is assigned.
    AssignsIdx = "AGM0207",
    /// A template does not exist.
    MissingTemplate = "AGM0208",
    /// A flow does not exist.
    MissingFlow = "AGM0209",
    /// A subflow takes fewer inputs.
    TooManyInputs = "AGM0210",
    /// A routine does not exist.
    MissingRoutine = "AGM0211",
    /// A routine takes another number of arguments.
    WrongArity = "AGM0212",
    /// A template can't be read.
    BadTemplate = "AGM0301",
    /// `project.json` or the shape of the project is wrong.
    BadProject = "AGM0302",
    /// A plugin can't be loaded.
    BadPlugin = "AGM0303",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.number())
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

    /// How many findings there are already.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// The source's lines.
    pub fn lines(&self) -> &LineIndex<'a> {
        &self.index
    }

    fn push(&mut self, severity: Severity, code: Code, span: Span, message: String, hint: String) {
        let (line, column) = self.index.line_column(span.start);
        let hint = Some(hint).filter(|hint| !hint.is_empty());
        self.found.push(Diagnostic {
            code,
            severity,
            file: self.file.to_owned(),
            line,
            column,
            message,
            hint,
            span,
        });
    }
}

/// Whether any finding is an error.
pub fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|finding| finding.severity == Severity::Error)
}

/// One finding as text, with its source line, for people.
pub fn render(finding: &Diagnostic, source: &str) -> String {
    let index = LineIndex::new(source);
    let word = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let number = finding.line.to_string();
    let gutter = " ".repeat(number.len());
    let text = index.line(finding.line).replace('\t', " ");
    let column = usize::try_from(finding.column.saturating_sub(1)).unwrap_or(0);
    let (last_line, last_column) = index.line_column(finding.span.end);
    let room = text.chars().count().saturating_sub(column);
    let width = if last_line == finding.line {
        usize::try_from(last_column.saturating_sub(finding.column)).unwrap_or(0)
    } else {
        room
    };
    let carets = "^".repeat(width.clamp(1, room.max(1)));
    let mut out = format!(
        "{word}[{}]: {}\n{gutter}--> {}:{}:{}\n{gutter} |\n{number} | {text}\n{gutter} | {}{carets}\n",
        finding.code,
        finding.message,
        finding.file,
        finding.line,
        finding.column,
        " ".repeat(column),
    );
    if let Some(hint) = &finding.hint {
        out.push_str(&format!("{gutter} = help: {hint}\n"));
    }
    out
}
