//! `agamid import`: an export back into a store.

use std::path::PathBuf;
use std::time::Duration;

use agamid_core::Env;
use agamid_store::{ExportFile, ImportOptions};
use clap::Args;

use crate::compose::open_store;
use crate::config::NodeConfig;
use crate::export::ProtectionArgs;
use crate::{Exit, out};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// `agamid import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file to read.
    file: PathBuf,
    /// The configuration of the node whose store is filled.
    #[arg(long, default_value = "agamid.toml")]
    config: PathBuf,
    /// Import though the store holds something. What the file and the store both have stops it.
    #[arg(long)]
    into_non_empty: bool,
    #[command(flatten)]
    protection: ProtectionArgs,
}

/// Reads the file through, then puts everything in place, then compares.
pub(crate) async fn import(arguments: ImportArgs) -> Result<(), Exit> {
    let env = Env::system();
    let failed = |error: &dyn std::fmt::Display| Exit::Failed(error.to_string());
    let config = NodeConfig::of_file(&arguments.config).map_err(Exit::Failed)?;
    let protection = arguments.protection.read(&env, false)?;
    out::error("reading the file through");
    let file = ExportFile::open(&arguments.file, protection, env.clone()).await.map_err(|e| failed(&e))?;
    let summary = file.summary();
    let store = open_store(&config.store, &env, None).await.map_err(Exit::Failed)?;
    let (clock, mut told) = (env.clock.clone(), env.clock.monotonic());
    let progress = move |line: u64| {
        let now = clock.monotonic();
        if now.saturating_sub(told) > TELL_EVERY {
            told = now;
            out::error(&format!(
                "line {line} of about {}",
                summary.records.saturating_add(summary.audit_events)
            ));
        }
    };
    let options = ImportOptions { into_non_empty: arguments.into_non_empty };
    let done = store.import(&file, options, progress).await.map_err(|e| failed(&e))?;
    if !arguments.into_non_empty {
        out::error("comparing");
        let differences = store.compare(&file).await.map_err(|e| failed(&e))?;
        if let Some(first) = differences.first() {
            return Err(Exit::Failed(format!("the store is not what the file says: {first}")));
        }
    }
    store.close().await.map_err(|e| failed(&e))?;
    let resumed = if done.resumed { ", going on with an interrupted import" } else { "" };
    out::line(&format!(
        "{} records and {} audit events are in place{resumed}; {} had ended meanwhile",
        done.records, done.audit_events, done.ended
    ));
    Ok(())
}
