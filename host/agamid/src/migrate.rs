//! `agamid migrate`: the store of an older version, brought up to date.

use std::path::PathBuf;

use agamid_core::Env;

use crate::compose::open_store;
use crate::config::{Log, LogFormat, NodeConfig};
use crate::{Exit, out, telemetry};

/// Opens the store with leave to change it; how far it comes is told line by line.
pub(crate) async fn migrate(config: PathBuf) -> Result<(), Exit> {
    let mut config = NodeConfig::of_file(&config).map_err(Exit::Failed)?;
    config.store.auto_migrate = true;
    let log = Log { format: LogFormat::Pretty, level: "warn,agamid_store=info".to_owned() };
    telemetry::start_log(&log).map_err(Exit::Failed)?;
    let store = open_store(&config.store, &Env::system(), None).await.map_err(Exit::Failed)?;
    store.close().await.map_err(|error| Exit::Failed(error.to_string()))?;
    out::line("the store is up to date");
    Ok(())
}
