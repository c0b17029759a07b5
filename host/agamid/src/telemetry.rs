//! Log and metrics.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts the log: one event a line, on standard error.
pub(crate) fn start_log(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| {
        format!("log.level {:?}: {error}; use for example \"info\" or \"info,agamid_store=debug\"", log.level)
    })?;
    // It would write the values of every statement, secrets and all.
    let quiet = "tokio_postgres=info".parse().map_err(|error| format!("the log could not start: {error}"))?;
    let filter = filter.add_directive(quiet);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Pretty => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none();
            lines.compact().with_target(false).with_ansi(colours).try_init()
        }
    };
    started.map_err(|error| format!("the log could not start: {error}"))
}

/// Starts collecting metrics; the handle renders them for `/metrics`.
pub(crate) fn start_metrics() -> Result<PrometheusHandle, String> {
    PrometheusBuilder::new().install_recorder().map_err(|error| format!("metrics could not start: {error}"))
}
