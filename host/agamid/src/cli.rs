//! The command line, as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Agamid: an OpenID Provider whose login journeys are programs.
#[derive(Debug, Parser)]
#[command(name = "agamid", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything on, loopback only, with sample users and flows.
    Demo(DemoOptions),
    /// The server, for production.
    Serve {
        /// The node's configuration.
        #[arg(long, default_value = "agamid.toml")]
        config: PathBuf,
    },
    /// Writes a commented agamid.toml, the envelope key, a first administrator and a first flow project.
    Init {
        /// The folder to fill; made if missing.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Each check of an authorization URL with its outcome and specification; exit code 1 when one fails. The access
    /// token (scope config.clients.read) comes from AGAMID_TOKEN.
    Explain {
        /// The whole URL.
        url: String,
        /// The admin listener of a running server.
        #[arg(long, default_value = "http://127.0.0.1:8081")]
        server: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The signing keys of a running server. The access token (scope config.keys.read or config.keys.write) comes from
    /// AGAMID_TOKEN.
    Key {
        /// What to do with them.
        #[command(subcommand)]
        tool: KeyTool,
        /// The admin listener of a running server.
        #[arg(long, global = true, default_value = "http://127.0.0.1:8081")]
        server: String,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Where people are signed in, on a running server. The access token (scope config.sessions.read or
    /// config.sessions.write) comes from AGAMID_TOKEN.
    Session {
        /// What to do with them.
        #[command(subcommand)]
        tool: SessionTool,
        /// The admin listener of a running server.
        #[arg(long, global = true, default_value = "http://127.0.0.1:8081")]
        server: String,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// The people of a running server. The access token (scope config.users.read or
    /// config.users.write) comes from AGAMID_TOKEN.
    User(RecordOptions),
    /// The groups of a running server. The access token (scope config.groups.read or
    /// config.groups.write) comes from AGAMID_TOKEN.
    Group(RecordOptions),
    /// What may be known of people on a running server. The access token (scope config.attributes.read or
    /// config.attributes.write) comes from AGAMID_TOKEN.
    Attribute(RecordOptions),
    /// The organisations of a running server. The access token (scope config.organisations.read or
    /// config.organisations.write) comes from AGAMID_TOKEN.
    Org(RecordOptions),
    /// LDAP directories. The access token for a running server (scope config.directories.read or
    /// config.directories.write) comes from AGAMID_TOKEN.
    Directory {
        /// What to do with them.
        #[command(subcommand)]
        tool: DirectoryTool,
        /// The admin listener of a running server.
        #[arg(long, global = true, default_value = "http://127.0.0.1:8081")]
        server: String,
        /// Print JSON.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Writes everything that the store holds into one file, as it is at one moment, while servers go on. A running
    /// server with an embedded store is asked (--server; scope config.export.read, token from AGAMID_TOKEN).
    Export(crate::export::ExportArgs),
    /// Puts an export into an empty store, of whatever backend. Interrupted, it goes on when it is run again.
    Import(crate::import::ImportArgs),
    /// Brings the store of an older version up to date. Interrupted, it goes on when it is run again.
    Migrate {
        /// The node's configuration.
        #[arg(long, default_value = "agamid.toml")]
        config: PathBuf,
    },
    /// Looks whether store, keys, clock and configuration are in order, and says what to do; exit code 1 where
    /// something is broken.
    Doctor(crate::doctor::DoctorArgs),
    /// Tools for flow authors; no server needed.
    Flow {
        /// Which tool.
        #[command(subcommand)]
        tool: crate::flow::command::Tool,
    },
    /// Language server for .flow, for editors: speaks the Language Server Protocol on standard input and output.
    Lsp {
        /// Where to look for plugins, built (.wasm) or as source (.wit), besides those that ship.
        #[arg(long, default_value = "plugins")]
        plugins: PathBuf,
        /// What some editors pass; standard input and output are used anyway.
        #[arg(long, hide = true)]
        stdio: bool,
    },
}

/// `agamid key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyTool {
    /// All keys with their ages: next, active, old.
    List,
    /// Publishes a next key of each algorithm; it signs once everybody can know it (`oauth.key_publication`).
    Rotate,
    /// Takes a key out of use at once, because others may have it.
    Revoke {
        /// Its id.
        kid: String,
    },
}

/// `agamid session …`
#[derive(Debug, Subcommand)]
pub(crate) enum SessionTool {
    /// The sessions of a person, the one used last first.
    List {
        /// The person's id.
        person: String,
    },
    /// Ends a session, or all of a person, and with them the tokens that came from them.
    Revoke {
        /// The session's id.
        #[arg(required_unless_present = "person", conflicts_with = "person")]
        session: Option<String>,
        /// All sessions of the person with this id.
        #[arg(long)]
        person: Option<String>,
    },
}

/// `agamid user …`, `agamid group …`, `agamid attribute …`, `agamid org …`
#[derive(Debug, Args)]
pub(crate) struct RecordOptions {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) tool: RecordTool,
    /// The admin listener of a running server.
    #[arg(long, global = true, default_value = "http://127.0.0.1:8081")]
    pub(crate) server: String,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What can be done with records of people.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordTool {
    /// A page of them; `NAME=VALUE` are parameters of the admin API, such as `limit=100` or `attribute=family_name
    /// starts_with=m`.
    List {
        /// Parameters.
        #[arg(value_name = "NAME=VALUE")]
        parameters: Vec<String>,
    },
    /// One, by id (an attribute by name).
    Show {
        /// Which.
        id: String,
    },
    /// Makes one.
    Create {
        /// Its name.
        name: String,
        /// What else it has. A value is JSON where it can be read so, else text.
        #[arg(value_name = "NAME=VALUE")]
        members: Vec<String>,
    },
    /// Changes one.
    Set {
        /// Which.
        id: String,
        /// What it has from now on; nothing after the `=` takes it away.
        #[arg(required = true, value_name = "NAME=VALUE")]
        members: Vec<String>,
    },
    /// Deletes one.
    Delete {
        /// Which.
        id: String,
    },
}

/// `agamid directory …`
#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryTool {
    /// All directories, how their servers are doing, and their last import.
    List,
    /// Imports a directory's people now.
    Import {
        /// Its name.
        name: String,
    },
    /// Reads the password of a directory's search account from standard input and prints it sealed, for
    /// bind_password_sealed.
    Seal {
        /// The directory's name.
        name: String,
        /// The configuration of a node, which names the envelope key.
        #[arg(long, default_value = "agamid.toml")]
        config: PathBuf,
    },
}

/// `agamid demo`
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoOptions {
    /// The public listener; the admin listener is on the next port, the sample relying party on the one after.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Where records live; a temporary folder unless given.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// Flow projects, watched; the shipped ones unless given.
    #[arg(long)]
    pub(crate) flows: Option<PathBuf>,
    /// Built plugins, watched.
    #[arg(long)]
    pub(crate) plugins: Option<PathBuf>,
    /// Don't open a browser.
    #[arg(long)]
    pub(crate) no_open: bool,
}
