//! The syntax tree: one flow as its author wrote it, every node with its place in the source.
//!
//! The tree holds no meaning beyond the grammar: names are not resolved, strings are already unescaped.

/// A half-open range of byte offsets into the source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A name or literal together with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// What was written.
    pub node: T,
    /// Where it was written.
    pub span: Span,
}

/// A plain name: a variable, an input, a method.
pub type Ident = Spanned<String>;
/// A string literal, escapes already resolved.
pub type StringLit = Spanned<String>;

/// One `.flow` file.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The qualified name after `Flow`.
    pub name: Ident,
    /// The folder of this flow's templates, below `web/`.
    pub basepath: StringLit,
    /// `Timeout n seconds`.
    pub timeout_seconds: Option<Spanned<u64>>,
    /// The variable that receives the flow's properties.
    pub configs: Option<Ident>,
    /// Input variables, in order.
    pub inputs: Vec<Ident>,
    /// The statements in column 0.
    pub body: Vec<Stmt>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// The logical line that opens it (for blocks: the header line only).
    pub span: Span,
}

/// The statements of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum StmtKind {
    /// `x.y = value`
    Assign {
        /// Where the value goes.
        target: VarExpr,
        /// What is assigned.
        value: Expr,
    },
    /// `Log a b c`
    Log {
        /// At least one argument.
        args: Vec<Simple>,
    },
    /// `Finish value`: a boolean, a string or a variable.
    Finish {
        /// The result of the flow.
        value: Simple,
    },
    /// `x = RFAC url`
    Rfac {
        /// Receives the callback's parameters.
        target: Option<VarExpr>,
        /// A string literal or a variable.
        url: Simple,
    },
    /// `x = RRF "template" model true`
    Rrf {
        /// Receives the submitted form.
        target: Option<VarExpr>,
        /// Path below the base path.
        template: StringLit,
        /// The data shown.
        model: Option<VarExpr>,
        /// Whether the callback URL is open too while the page waits.
        callback: bool,
    },
    /// `x | E = Trigger flow args`
    Trigger {
        /// Receives the subflow's result.
        target: Option<VarExpr>,
        /// Receives the error, if the subflow crashes.
        error: Option<Ident>,
        /// Which flow.
        flow: FlowRef,
        /// Positional inputs.
        args: Vec<Simple>,
        /// `Override templates`, absent when the block was not written.
        overrides: Vec<TemplateOverride>,
    },
    /// `x | E = Call ns.pkg.iface#fn args` or `x = Call object method args`
    Call {
        /// Receives the result.
        target: Option<VarExpr>,
        /// Receives the error, if the call fails.
        error: Option<Ident>,
        /// What is called.
        callee: Callee,
        /// Arguments.
        args: Vec<Simple>,
    },
    /// `When … Otherwise …`
    When {
        /// The condition.
        condition: Condition,
        /// Runs when it holds.
        then: Vec<Stmt>,
        /// Runs when it does not.
        otherwise: Vec<Stmt>,
    },
    /// `Match x to …`
    Match {
        /// The value compared.
        subject: Simple,
        /// Tried in order; the first equal label wins.
        arms: Vec<MatchArm>,
        /// Runs when no label is equal.
        otherwise: Vec<Stmt>,
    },
    /// `n = Repeat count times max`
    Repeat {
        /// Receives the number of complete rounds.
        target: Option<VarExpr>,
        /// A number literal or a variable.
        count: Simple,
        /// The loop's body.
        body: LoopBody,
    },
    /// `n = Iterate over x using y`
    Iterate {
        /// Receives the number of complete rounds.
        target: Option<VarExpr>,
        /// A list, map or string.
        over: VarExpr,
        /// The loop variable.
        item: Ident,
        /// The loop's body.
        body: LoopBody,
    },
}

/// The body of a loop: statements, and at most one `Quit` among them.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopBody {
    /// Statements up to the `Quit`, or all.
    pub before: Vec<Stmt>,
    /// `Quit When condition`.
    pub quit: Option<Quit>,
}

/// `Quit When condition` and what follows it in the loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Quit {
    /// Leaves the innermost loop when it holds.
    pub condition: Condition,
    /// Its line.
    pub span: Span,
    /// Statements after the `Quit`.
    pub after: Vec<Stmt>,
}

/// One arm of a `Match`.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchArm {
    /// Compared with the subject.
    pub label: Simple,
    /// Runs when equal.
    pub body: Vec<Stmt>,
}

/// One pair of `Override templates`.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateOverride {
    /// The path the browser would show, from the templates root.
    pub original: StringLit,
    /// The replacement, below the parent's base path; empty means the same file name.
    pub replacement: StringLit,
}

/// The flow a `Trigger` names.
#[derive(Debug, Clone, PartialEq)]
pub enum FlowRef {
    /// A literal qualified name.
    Name(Ident),
    /// `$variable`.
    Variable(VarExpr),
}

/// What a `Call` names.
#[derive(Debug, Clone, PartialEq)]
pub enum Callee {
    /// `ns.pkg.iface#function`
    Static {
        /// The part before `#`.
        package: Ident,
        /// The part after `#`.
        function: Ident,
    },
    /// `object method`
    Method {
        /// The object.
        object: VarExpr,
        /// The method's name.
        method: Ident,
    },
}

/// The right side of an assignment.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A literal or variable.
    Simple(Simple),
    /// `[a, b]`
    List(Vec<Expr>, Span),
    /// `{k: v}`
    Map(Vec<(Ident, Expr)>, Span),
}

/// A literal or variable: all that arguments, labels and comparisons may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Simple {
    /// `"text"`
    String(StringLit),
    /// `12`, `-3.5`
    Number(Spanned<f64>),
    /// `true`, `false`
    Bool(Spanned<bool>),
    /// `null`
    Null(Span),
    /// `x.y`
    Var(VarExpr),
    /// `-x.y`
    Negated(VarExpr),
}

/// A variable with its accessors: `x.name."odd key".$key[0][i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct VarExpr {
    /// The variable.
    pub base: Ident,
    /// Applied from left to right.
    pub accessors: Vec<Accessor>,
    /// The whole expression.
    pub span: Span,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Accessor {
    /// `.name` or `."any text"`
    Property(Ident),
    /// `.$variable`
    DynamicProperty(Ident),
    /// `[3]`
    Index(Spanned<u64>),
    /// `[variable]`
    DynamicIndex(Ident),
}

/// A condition. `and` binds tighter than `or`; both stop early.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `a is b`, `a is not b`
    Compare {
        /// Left side.
        left: Simple,
        /// Right side.
        right: Simple,
        /// `is not`.
        negated: bool,
        /// The comparison.
        span: Span,
    },
    /// All must hold, tried in order.
    And(Vec<Condition>),
    /// One must hold, tried in order.
    Or(Vec<Condition>),
}
