//! `agamid serve`: listeners, background jobs, graceful stop.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agamid_core::Env;
use agamid_identity::directory::Directories;
use agamid_store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::compose::{House, compose};
use crate::config::NodeConfig;
use crate::tls::Tls;
use crate::{listen, out, telemetry};

/// How often expired records are removed, and how many at a time.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
const SWEEP_AT_ONCE: usize = 1_000;

/// How often it is looked whether a directory is due to be imported.
const DIRECTORIES_EVERY: Duration = Duration::from_secs(30);

/// Runs the server of a configuration file until it is told to stop.
pub(crate) async fn serve_file(file: PathBuf) -> Result<(), String> {
    let config = NodeConfig::of_file(&file)?;
    telemetry::start_log(&config.log)?;
    let metrics = telemetry::start_metrics()?;
    let public = listen::bind(config.public.listen, "public.listen").await.map_err(|e| e.to_string())?;
    let admin = listen::bind(config.admin.listen, "admin.listen").await.map_err(|e| e.to_string())?;
    let tls = config.public.tls.as_ref().map(Tls::load).transpose()?;
    let house = compose(&config, Env::system(), false, metrics).await?;
    let stop = listen::stop_signal().map_err(|error| error.to_string())?;
    let listeners = Listeners { public: vec![public], tls, admin: vec![admin], more: Vec::new() };
    let delay = Duration::from_secs(config.public.stop_delay_seconds);
    run(house, listeners, &config.public.issuer, listen::Stop { told: stop, delay }).await
}

/// Where the server is heard.
pub(crate) struct Listeners {
    pub(crate) public: Vec<TcpListener>,
    /// TLS of the public ones.
    pub(crate) tls: Option<Tls>,
    pub(crate) admin: Vec<TcpListener>,
    /// Others, each with its own routes.
    pub(crate) more: Vec<(TcpListener, axum::Router)>,
}

/// Serves until `stop`; then it says that it is not ready, goes on for the delay, lets requests in progress end, and
/// closes the store.
pub(crate) async fn run(
    house: House,
    listeners: Listeners,
    issuer: &str,
    stop: listen::Stop,
) -> Result<(), String> {
    let (leaving, mut told) = (house.leaving.clone(), stop.told.clone());
    tokio::spawn(async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = told.wait_for(|stop| *stop).await;
        leaving.store(true, Ordering::SeqCst);
    });
    let stop = stop.delayed();
    let sweeper = tokio::spawn(sweep(house.store.clone(), stop.clone()));
    let persons = house.identity.persons.clone();
    tokio::spawn(async move {
        match persons.resume_deletions().await {
            Ok(0) => {}
            Ok(persons) => tracing::info!(event = "person.deletions_resumed", persons),
            Err(error) => tracing::warn!(event = "person.deletions_not_resumed", %error),
        }
    });
    let auth_server = house.auth_server.clone();
    let key_keeper = tokio::spawn(async move { auth_server.keys().keep().await });
    let importer = tokio::spawn(import_directories(house.identity.directories.clone()));
    let mut serving = tokio::task::JoinSet::new();
    for listener in listeners.public {
        serving.spawn(listen::serve(listener, listeners.tls.clone(), house.public.clone(), stop.clone()));
    }
    for listener in listeners.admin {
        serving.spawn(listen::serve(listener, None, house.admin.clone(), stop.clone()));
    }
    for (listener, router) in listeners.more {
        serving.spawn(listen::serve(listener, None, router, stop.clone()));
    }
    if let Some(tls) = listeners.tls {
        serving.spawn(tls.follow(stop.clone()));
    }
    let (engine, mut stopped) = (house.engine.clone(), stop.clone());
    tokio::spawn(async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = stopped.wait_for(|stop| *stop).await;
        engine.stop();
    });
    tracing::info!(event = "server.ready", issuer);
    out::line(&format!("ready {issuer}"));
    while serving.join_next().await.is_some() {}
    sweeper.abort();
    key_keeper.abort();
    importer.abort();
    let closed = house.store.close().await.map_err(|error| error.to_string());
    tracing::info!(event = "server.stopped");
    closed
}

/// Imports the people of directories when that is due.
async fn import_directories(directories: Directories) {
    loop {
        directories.import_due().await;
        tokio::time::sleep(DIRECTORIES_EVERY).await;
    }
}

/// Removes expired records in bounded steps.
async fn sweep(store: Store, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::time::sleep(SWEEP_EVERY).await;
        loop {
            match store.sweep(SWEEP_AT_ONCE).await {
                Ok(removed) => {
                    tracing::debug!(event = "store.swept", removed);
                    if removed < SWEEP_AT_ONCE {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(event = "store.sweep_failed", %error);
                    break;
                }
            }
        }
    }
}
