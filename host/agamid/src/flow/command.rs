//! The commands, as types.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `agamid flow …`
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Compiles and checks flows; exit code 1 when there are errors.
    Check(CheckOptions),
    /// Writes flows in the one canonical layout.
    Fmt {
        /// `.flow` files, folders (all flows below them), or `-` for standard input.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Write nothing; list what would change, exit code 1 when anything would.
        #[arg(long)]
        check: bool,
    },
    /// Draws a flow.
    Graph(GraphOptions),
    /// Writes a small project to begin with.
    New {
        /// The project's name, and the first part of its flows' names.
        name: String,
        /// What its flows do.
        #[arg(long, value_enum, default_value_t = Template::Password)]
        template: Template,
        /// The folder to make; NAME unless given.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Runs a flow in the terminal: asks for each page's fields, or takes them from a script.
    Run(RunOptions),
    /// Checks flows again whenever a file is saved, until Ctrl-C.
    Watch(WatchOptions),
}

/// `agamid flow check`
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// `.flow` files, project folders, folders of those, or `.gama` archives. Checked together: they may Trigger each
    /// other's flows.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Exit with 1 for warnings too.
    #[arg(long, value_enum)]
    pub(crate) deny: Option<Deny>,
    /// A folder of plugins whose routines the flows may call, besides those that ship.
    #[arg(long)]
    pub(crate) plugins: Option<PathBuf>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With the source line, for people.
    Text,
    /// `{"files": n, "diagnostics": […]}`
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
}

/// What is treated as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    /// All warnings.
    Warnings,
}

/// `agamid flow graph`
#[derive(Debug, Args)]
pub(crate) struct GraphOptions {
    /// A `.flow` file, a project folder or a `.gama` archive.
    pub(crate) path: PathBuf,
    /// Which flow of a project.
    #[arg(long, value_name = "QNAME")]
    pub(crate) flow: Option<String>,
    /// How it is drawn.
    #[arg(long, value_enum, default_value_t = Drawing::Svg)]
    pub(crate) format: Drawing,
    /// The file to write, or a folder for all flows of a project; standard output unless given.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
}

/// How a flow is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// A picture.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Mermaid, as in Markdown.
    Mermaid,
}

/// What `flow new` can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Username and password, five tries.
    Password,
    /// A password, then a code from an authenticator app, set up on the way.
    Totp,
    /// A link by mail. Not in this version: it says what is missing.
    MagicLink,
    /// Creating an account. Not in this version: it says what is missing.
    Registration,
    /// A passkey. Not in this version: it says what is missing.
    Passkey,
    /// Another provider's login. Not in this version: it says what is missing.
    Social,
}

/// `agamid flow run`
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// A `.flow` file, a project folder or a `.gama` archive.
    pub(crate) path: PathBuf,
    /// Which flow of a project.
    #[arg(long, value_name = "QNAME")]
    pub(crate) flow: Option<String>,
    /// The flow's inputs, by name.
    #[arg(long, value_name = "JSON")]
    pub(crate) inputs: Option<String>,
    /// The flow's properties, in place of those of project.json.
    #[arg(long, value_name = "JSON")]
    pub(crate) config: Option<String>,
    /// A JSON list with the answers to pages, in order: `{…}`, `{"_callback": {…}}`, `{"_abort": true}`.
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
    /// A JSON object with the answers to calls: `{"ns.pkg.iface#fn": value}`.
    #[arg(long, value_name = "FILE")]
    pub(crate) stubs: Option<PathBuf>,
    /// Print everything that happened as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `agamid flow watch`
#[derive(Debug, Args)]
pub(crate) struct WatchOptions {
    /// A `.flow` file, a project folder, or a folder of projects.
    pub(crate) path: PathBuf,
    /// A folder of plugins whose routines the flows may call, besides those that ship.
    #[arg(long)]
    pub(crate) plugins: Option<PathBuf>,
}
