//! The numbers of the findings. Each has a page, `docs/diagnostics/AGM0204.md`.

use serde::Serialize;

use super::Severity;

/// Declares the numbered findings; `docs/diagnostics` explains each.
macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $number:literal $severity:ident,)*) => {
        /// The number of a finding. 01xx: the text can't be read; 02xx: it is read, but something is wrong; 03xx: the
        /// files around the flows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code {
            $(#[doc = $doc] #[serde(rename = $number)] $name,)*
        }

        impl Code {
            /// All of them, by number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// `AGM0101`
            pub fn number(self) -> &'static str {
                match self {
                    $(Code::$name => $number,)*
                }
            }

            /// `TooLarge`
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$name => stringify!($name),)*
                }
            }

            /// One sentence on what it means.
            pub fn title(self) -> &'static str {
                match self {
                    $(Code::$name => $doc.trim_ascii(),)*
                }
            }

            /// How bad it is, as a rule.
            pub fn severity(self) -> Severity {
                match self {
                    $(Code::$name => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// The source, a line or the nesting is larger than allowed.
    TooLarge = "AGM0101" Error,
    /// A character that may not stand in a source.
    BadCharacter = "AGM0102" Error,
    /// A list or map is broken over lines elsewhere than beside a comma.
    LiteralBreak = "AGM0103" Error,
    /// A condition goes on in another column than its `When`.
    ConditionColumn = "AGM0104" Error,
    /// A line starts in a column that belongs to no open block.
    Indentation = "AGM0105" Error,
    /// A block has no statements.
    EmptyBlock = "AGM0106" Error,
    /// The line is no statement.
    Syntax = "AGM0107" Error,
    /// The header is missing, incomplete or out of order.
    Header = "AGM0108" Error,
    /// A string that can't be: unclosed, or with a wrong escape.
    BadString = "AGM0109" Error,
    /// A statement that may not stand here: `Quit` outside a loop, `Otherwise` without `When`.
    Misplaced = "AGM0110" Error,
    /// A way to write it from another language.
    OtherLanguage = "AGM0111" Error,
    /// The flow has no statements.
    NoStatements = "AGM0112" Error,
    /// The name in the header is not that of the file.
    NameMismatch = "AGM0201" Error,
    /// A flow that Triggers itself.
    SelfTrigger = "AGM0202" Error,
    /// Two inputs, or an input and the configuration, have one name.
    DuplicateInput = "AGM0203" Error,
    /// A variable is read that nothing assigns.
    UndefinedVariable = "AGM0204" Error,
    /// A statement that nothing reaches.
    Unreachable = "AGM0205" Warning,
    /// A path through the flow ends without `Finish`.
    NoFinish = "AGM0206" Warning,
    /// `idx` is assigned.
    AssignsIdx = "AGM0207" Error,
    /// A template does not exist.
    MissingTemplate = "AGM0208" Error,
    /// A flow does not exist.
    MissingFlow = "AGM0209" Error,
    /// A subflow takes fewer inputs.
    TooManyInputs = "AGM0210" Warning,
    /// A routine does not exist.
    MissingRoutine = "AGM0211" Error,
    /// A routine takes another number of arguments.
    WrongArity = "AGM0212" Error,
    /// A variable is assigned and never read.
    NeverRead = "AGM0213" Warning,
    /// A subflow takes more inputs; those left out are null.
    TooFewInputs = "AGM0214" Warning,
    /// A link starts a flow that may not be started directly.
    NotLaunchable = "AGM0215" Warning,
    /// An argument does not fit the type that the routine takes.
    ArgumentType = "AGM0216" Error,
    /// The result of a routine is used as what it is not.
    ResultMisuse = "AGM0217" Error,
    /// Two values are compared that may both be null, and null equals null.
    BothNull = "AGM0218" Warning,
    /// A secret is compared with `is`.
    SecretCompared = "AGM0219" Warning,
    /// A secret is written to the log.
    SecretLogged = "AGM0220" Warning,
    /// A `Repeat` in which every round is the same.
    IdleLoop = "AGM0221" Warning,
    /// A flow that Triggers itself by way of others.
    Recursion = "AGM0222" Warning,
    /// An error is caught, and nothing looks at it.
    ErrorIgnored = "AGM0223" Warning,
    /// The flow's timeout is longer than the session it runs in.
    TimeoutTooLong = "AGM0224" Warning,
    /// A path to a successful `Finish` on which nothing proves that the person is there.
    NoProof = "AGM0225" Warning,
    /// A template shows a field that the flow never passes.
    FieldNotPassed = "AGM0226" Warning,
    /// A field of a form is read that its template does not post.
    FieldNotPosted = "AGM0227" Warning,
    /// A part of a value is used where the value is always null.
    AlwaysNull = "AGM0228" Warning,
    /// A comment allows a finding that is not there, or that can't be allowed.
    UselessAllow = "AGM0229" Warning,
    /// A template can't be read.
    BadTemplate = "AGM0301" Error,
    /// `project.json` or the shape of the project is wrong.
    BadProject = "AGM0302" Error,
    /// A plugin can't be loaded.
    BadPlugin = "AGM0303" Error,
}

impl Code {
    /// The code of a number such as `AGM0204`.
    pub fn of_number(number: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// Whether a comment in the flow can silence it: not where the flow can't be read, or could not run.
    pub fn can_be_allowed(self) -> bool {
        let readable = self >= Code::UndefinedVariable && self < Code::BadTemplate;
        readable && !matches!(self, Code::AssignsIdx | Code::UselessAllow)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.number())
    }
}
