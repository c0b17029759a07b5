//! `agamid export`: the store as a file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::seal::EnvelopeKey;
use agamid_core::secret::Secret;
use agamid_store::export::Sealing;
use agamid_store::{Export, ExportFile, Protection, Store};
use clap::Args;

use crate::admin_client::AdminClient;
use crate::compose::{open_store, store_options};
use crate::config::NodeConfig;
use crate::{Exit, out};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// `agamid export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file to write; one that exists is never written over.
    file: PathBuf,
    /// The node's configuration.
    #[arg(long, default_value = "agamid.toml")]
    config: PathBuf,
    /// Ask a running server, at its admin listener.
    #[arg(long)]
    server: Option<String>,
    #[command(flatten)]
    protection: ProtectionArgs,
}

/// What protects the file. One of them has to be said.
#[derive(Debug, Args)]
pub(crate) struct ProtectionArgs {
    /// Encrypted to the passphrase in this file (its first line), of 12 characters or more.
    #[arg(long, group = "protection")]
    passphrase_file: Option<PathBuf>,
    /// Encrypted to the key in this file; an export makes one where there is none.
    #[arg(long, group = "protection")]
    key_file: Option<PathBuf>,
    /// Not encrypted: whoever has the file has every hash and every name.
    #[arg(long, group = "protection")]
    plaintext: bool,
}

impl ProtectionArgs {
    /// Reads the passphrase or key. `makes`: whether a key that is missing is made.
    pub(crate) fn read(&self, env: &Env, makes: bool) -> Result<Protection, Exit> {
        let failed = |error: String| Exit::Failed(error);
        if self.plaintext {
            return Ok(Protection::Plaintext);
        }
        if let Some(path) = &self.key_file {
            let key = if makes { EnvelopeKey::load_or_create(path, env) } else { EnvelopeKey::load(path) };
            return key.map(Protection::Key).map_err(|error| failed(format!("--key-file: {error}")));
        }
        let Some(path) = &self.passphrase_file else {
            return Err(Exit::Usage(
                "say how the file is protected: --passphrase-file FILE, --key-file FILE, or --plaintext"
                    .to_owned(),
            ));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| failed(format!("--passphrase-file {}: {error}", path.display())))?;
        let protection = Protection::Passphrase(Secret::new(text.lines().next().unwrap_or_default()));
        protection.check().map_err(|error| failed(error.to_string()))?;
        Ok(protection)
    }
}

/// Writes the file beside its place, reads it once through, and puts it in its place.
pub(crate) async fn export(arguments: ExportArgs) -> Result<(), Exit> {
    let env = Env::system();
    let failed = |error: String| Exit::Failed(error);
    if arguments.file.exists() {
        return Err(failed(format!("{} exists: choose another name", arguments.file.display())));
    }
    let protection = arguments.protection.read(&env, true)?;
    let mut partial = Partial::create(&arguments.file).map_err(failed)?;
    let written = tokio::select! {
        written = write(&arguments, &protection, &env, &mut partial) => written,
        _ = tokio::signal::ctrl_c() => Err(failed("interrupted; nothing was kept".to_owned())),
    };
    written?;
    let read = ExportFile::open(&partial.path, protection, env).await;
    let summary = read.map_err(|error| failed(format!("what was written can't be read: {error}")))?.summary();
    partial.keep(&arguments.file).map_err(failed)?;
    out::line(&format!(
        "{}: {} records and {} audit events, as they were at {}",
        arguments.file.display(),
        summary.records,
        summary.audit_events,
        summary.at
    ));
    Ok(())
}

async fn write(
    arguments: &ExportArgs,
    protection: &Protection,
    env: &Env,
    partial: &mut Partial,
) -> Result<(), Exit> {
    match &arguments.server {
        Some(server) => from_server(server, protection, env, partial).await,
        None => from_store(&arguments.config, protection, env, partial).await,
    }
}

async fn from_store(
    config: &Path,
    protection: &Protection,
    env: &Env,
    partial: &mut Partial,
) -> Result<(), Exit> {
    let store = open_existing(config, env).await?;
    let mut export: Export =
        store.export(protection.clone()).await.map_err(|error| Exit::Failed(error.to_string()))?;
    while let Some(piece) = export.next().await {
        partial.write(&piece.map_err(|error| Exit::Failed(error.to_string()))?)?;
    }
    store.close().await.map_err(|error| Exit::Failed(error.to_string()))
}

/// Opens the store of a configuration, as it is. A directory that is not there is not made.
pub(crate) async fn open_existing(config: &Path, env: &Env) -> Result<Store, Exit> {
    let mut config = NodeConfig::of_file(config).map_err(Exit::Failed)?;
    config.store.auto_migrate = false;
    let options = store_options(&config.store).map_err(Exit::Failed)?;
    if let Some(directory) = options.url.strip_prefix("sled:")
        && !Path::new(directory).join("db").exists()
    {
        return Err(Exit::Failed(format!("store.url: there is no store in {directory}")));
    }
    open_store(&config.store, env, None).await.map_err(|error| {
        let hint = if error.contains("in use by") {
            " (a server runs on it: ask that one with --server http://127.0.0.1:8081)"
        } else {
            ""
        };
        Exit::Failed(format!("{error}{hint}"))
    })
}

/// What a server sends is plain; it is encrypted here.
async fn from_server(
    server: &str,
    protection: &Protection,
    env: &Env,
    partial: &mut Partial,
) -> Result<(), Exit> {
    let failed = |error: &dyn std::fmt::Display| Exit::Failed(error.to_string());
    let mut answer = AdminClient::new(server, "config.export.read")?.open("/config/v1/export").await?;
    let mut sealing = Sealing::begin(protection, env).map_err(|error| failed(&error))?;
    while let Some(piece) = answer.chunk().await.map_err(|error| failed(&error))? {
        partial.write(&sealing.push(&piece).map_err(|error| failed(&error))?)?;
    }
    partial.write(&sealing.finish().map_err(|error| failed(&error))?)
}

/// A file that is not whole yet: named `….partial`, readable by its owner only, removed unless it is kept.
struct Partial {
    path: PathBuf,
    file: File,
    written: u64,
    told: Duration,
    env: Env,
    kept: bool,
}

impl Partial {
    fn create(target: &Path) -> Result<Self, String> {
        let mut name = target.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        // What a killed export left.
        let _none = std::fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let env = Env::system();
        Ok(Self { path, file, written: 0, told: env.clock.monotonic(), env, kept: false })
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Exit> {
        let written = self.file.write_all(piece);
        written.map_err(|error| Exit::Failed(format!("{}: {error}", self.path.display())))?;
        self.written += u64::try_from(piece.len()).unwrap_or(0);
        let now = self.env.clock.monotonic();
        if now.saturating_sub(self.told) > TELL_EVERY {
            self.told = now;
            out::error(&format!("{} MiB written", self.written >> 20));
        }
        Ok(())
    }

    fn keep(mut self, target: &Path) -> Result<(), String> {
        // A link never takes the place of a file that came meanwhile; not every file system has them.
        let link = || std::fs::hard_link(&self.path, target);
        let rename = |error| if target.exists() { Err(error) } else { std::fs::rename(&self.path, target) };
        let moved = self.file.sync_all().and_then(|()| link().or_else(rename));
        moved.map_err(|error| format!("{}: {error}", target.display()))?;
        let _removed = std::fs::remove_file(&self.path);
        self.kept = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            let _removed = std::fs::remove_file(&self.path);
        }
    }
}
