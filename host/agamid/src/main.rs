//! The Agamid server and command line.
//!
//! | file | what |
//! | --- | --- |
//! | `cli.rs` | the commands, as types |
//! | `config.rs` | `agamid.toml` and the environment |
//! | `settings.rs` | settings: records in the store, seeded and locked by the configuration |
//! | `compose.rs` | builds the house: the one file that names concrete types |
//! | `serve.rs` | background jobs, graceful stop; `listen.rs` the listeners, `tls.rs` their certificate |
//! | `lsp.rs` | `agamid lsp` |
//! | `demo.rs` | `agamid demo`: everything on, with sample people, clients and a relying party |
//! | `init.rs` | `agamid init` |
//! | `explain.rs`, `key.rs`, `session.rs`, `directory.rs` | commands of these names: through `admin_client.rs` |
//! | `export.rs`, `import.rs`, `migrate.rs`, `doctor.rs` | the store as a file and back, up to date, in order |
//! | `record.rs` | `agamid user`, `group`, `attribute`, `org`: through `admin_client.rs` |
//! | `flow.rs` | `agamid flow …` |
//!
//! To add a command: a variant in `cli.rs`, a file for it, a line in [`run`].

mod admin_client;
mod cli;
mod compose;
mod config;
mod demo;
mod directory;
mod doctor;
mod explain;
mod export;
mod flow;
mod import;
mod init;
mod key;
mod listen;
mod lsp;
mod migrate;
mod out;
mod record;
mod seed;
mod serve;
mod session;
mod settings;
mod telemetry;
mod tls;

use std::process::ExitCode;

use clap::Parser;

/// A request allocates a few hundred small things: this allocator takes a good part of its time away.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes of all commands.
enum Exit {
    /// The thing asked about has errors.
    Errors,
    /// The command can't be meant so; why, and what can be.
    Usage(String),
    /// It could not be done; the reason is printed.
    Failed(String),
}

fn main() -> ExitCode {
    agamid_core::jose::install_crypto_provider();
    match run(cli::Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Exit::Errors) => ExitCode::from(1),
        Err(Exit::Usage(reason)) => {
            out::error(&format!("agamid: {reason}"));
            ExitCode::from(2)
        }
        Err(Exit::Failed(reason)) => {
            out::error(&format!("agamid: {reason}"));
            ExitCode::from(3)
        }
    }
}

fn run(command: cli::Command) -> Result<(), Exit> {
    match command {
        cli::Command::Demo(options) => on_runtime(async { demo::demo(options).await.map_err(Exit::Failed) }),
        cli::Command::Lsp { plugins, stdio: _ } => lsp::lsp(&plugins),
        cli::Command::Serve { config } => {
            on_runtime(async { serve::serve_file(config).await.map_err(Exit::Failed) })
        }
        cli::Command::Init { dir } => on_runtime(async { init::init(dir).await.map_err(Exit::Failed) }),
        cli::Command::Explain { url, server, json } => on_runtime(explain::explain(url, &server, json)),
        cli::Command::Key { tool, server, json } => on_runtime(key::key(tool, &server, json)),
        cli::Command::Session { tool, server, json } => on_runtime(session::session(tool, &server, json)),
        cli::Command::User(options) => on_runtime(record::record(&record::USERS, options)),
        cli::Command::Group(options) => on_runtime(record::record(&record::GROUPS, options)),
        cli::Command::Attribute(options) => on_runtime(record::record(&record::ATTRIBUTES, options)),
        cli::Command::Org(options) => on_runtime(record::record(&record::ORGANISATIONS, options)),
        cli::Command::Directory { tool, server, json } => {
            on_runtime(directory::directory(tool, &server, json))
        }
        cli::Command::Export(arguments) => on_runtime(export::export(arguments)),
        cli::Command::Import(arguments) => on_runtime(import::import(arguments)),
        cli::Command::Migrate { config } => on_runtime(migrate::migrate(config)),
        cli::Command::Doctor(arguments) => on_runtime(doctor::doctor(arguments)),
        cli::Command::Flow { tool } => flow::run(tool),
    }
}

fn on_runtime(work: impl Future<Output = Result<(), Exit>>) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::Failed(format!("the runtime could not start: {error}")))?;
    runtime.block_on(work)
}

/// The hash of a password that goes into a seed.
fn seed_hash(env: &agamid_core::Env, password: &str) -> Result<String, String> {
    agamid_identity::password::hash_password(env, password).map_err(|error| error.to_string())
}
