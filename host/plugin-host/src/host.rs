//! The plugin host: loads components, swaps them in, hands out sets of routines.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agamid_core::BoxFuture;
use agamid_core::ports::Hooks;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{HostModule, Pins, RoutineSet, Routines};
use agamid_store::{Record, Store, StoreError};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notify::{RecursiveMode, Watcher as _};
use serde::{Deserialize, Serialize};
use tokio::sync::{AcquireError, Semaphore, mpsc, watch};

use crate::call::{self, TICK};
use crate::compiled::CompiledCache;
use crate::hooks::PluginHooks;
use crate::plugin::Plugin;
use crate::service::InServiceRecord;
use crate::set::{Module, Set};
use crate::settings::PluginSettings;
use crate::types::{self, Signature};

/// A build writes its file in several steps; this long after the last one it is read.
const QUIET: Duration = Duration::from_millis(100);

/// What the host is made of.
pub struct PluginHostParts {
    /// Keeps the components that runs refer to.
    pub store: Store,
    /// The server's own abilities.
    pub modules: Vec<Arc<dyn HostModule>>,
    /// Keeps compiled components between starts; without it each start compiles.
    pub compiled: Option<CompiledCache>,
    /// Section `plugins`.
    pub settings: PluginSettings,
}

/// Why the host could not start.
#[derive(Debug, thiserror::Error)]
pub enum PluginHostError {
    /// wasmtime can't run here.
    #[error("WebAssembly can't run here: {0}")]
    Engine(String),
    /// A host module's WIT is broken.
    #[error("a host module's WIT can't be read: {0}")]
    Module(String),
}

/// A component as it is kept, by digest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PluginRecord {
    pub(crate) digest: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) component: String,
}

impl Record for PluginRecord {
    const KIND: &'static str = "plugin";
    fn key(&self) -> String {
        self.digest.clone()
    }
}

/// What calls need.
pub(crate) struct Runtime {
    engine: wasmtime::Engine,
    pub(crate) settings: PluginSettings,
    /// A permit for each core: more guests at a time would only slow each other down.
    running: Arc<Semaphore>,
    cores: usize,
    compiled: Option<CompiledCache>,
}

impl Runtime {
    /// Calls a plugin on the blocking pool, when it is its turn.
    pub(crate) async fn call(
        self: &Arc<Self>,
        plugin: Arc<Plugin>,
        interface: &str,
        function: &str,
        signature: &Signature,
        args: Vec<Value>,
    ) -> Result<Value, CallError> {
        let patience = Duration::from_millis(self.settings.limits.call_ms);
        let turn = async {
            let own = Arc::clone(&plugin.turns).acquire_owned().await?;
            Ok::<_, AcquireError>((own, Arc::clone(&self.running).acquire_owned().await?))
        };
        let turn = tokio::time::timeout(patience, turn).await.map_err(|_| {
            let waited =
                format!("the plugin is busy: its turn did not come within {} ms", patience.as_millis());
            CallError::new("busy", waited)
        })?;
        let turn = turn.map_err(|_| CallError::new("unavailable", "the server stops"))?;
        let runtime = Arc::clone(self);
        let (interface, function, signature) = (interface.to_owned(), function.to_owned(), signature.clone());
        let name = plugin.manifest.name.clone();
        let done = tokio::task::spawn_blocking(move || {
            let result = call::call(
                &runtime.engine,
                &plugin,
                &runtime.settings.limits,
                &interface,
                &function,
                &signature,
                &args,
            );
            drop(turn);
            result
        });
        let result = done.await.map_err(|_| CallError::new("trap", "the call stopped"))?;
        let outcome = result.as_ref().map_or_else(|error| error.code.clone(), |_| "ok".to_owned());
        metrics::counter!("plugin_calls_total", "plugin" => name, "outcome" => outcome).increment(1);
        result
    }
}

/// The plugin host. Cheap to clone.
#[derive(Clone)]
pub struct PluginHost(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) runtime: Arc<Runtime>,
    modules: Arc<BTreeMap<String, Module>>,
    pub(crate) current: ArcSwap<Set>,
    /// What came with the server, by name.
    pub(crate) shipped: Mutex<BTreeMap<String, Arc<Plugin>>>,
    /// Components that can't be loaded here, by digest.
    pub(crate) broken: Mutex<HashMap<String, String>>,
    /// One change of what is in service at a time.
    pub(crate) deploying: tokio::sync::Mutex<()>,
    by_digest: Mutex<HashMap<String, Arc<Plugin>>>,
    /// Files that could not be loaded, with the reason.
    refused: Mutex<BTreeMap<String, String>>,
    pub(crate) changes: watch::Sender<u64>,
}

impl Inner {
    /// The set in service.
    pub(crate) fn current(&self) -> Arc<Set> {
        self.current.load_full()
    }
}

fn engine(settings: &PluginSettings, cores: usize) -> wasmtime::Result<wasmtime::Engine> {
    let mut pool = wasmtime::PoolingAllocationConfig::default();
    let most = u32::try_from(cores).unwrap_or(64).saturating_add(4);
    pool.total_component_instances(most)
        .total_core_instances(most.saturating_mul(4))
        .total_memories(most.saturating_mul(2))
        .total_tables(most.saturating_mul(4))
        .max_memory_size(settings.limits.memory_bytes)
        .table_elements(settings.limits.table_elements);
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(512 * 1024)
        .allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&config)
}

impl PluginHost {
    /// A host with the server's modules and no plugin yet.
    pub fn new(parts: PluginHostParts) -> Result<Self, PluginHostError> {
        let PluginHostParts { store, modules, compiled, settings } = parts;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let engine =
            engine(&settings, cores).map_err(|error| PluginHostError::Engine(format!("{error:#}")))?;
        let ticking = engine.weak();
        std::thread::Builder::new()
            .name("plugin-clock".to_owned())
            .spawn(move || {
                while let Some(engine) = ticking.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|error| PluginHostError::Engine(error.to_string()))?;
        let mut typed = BTreeMap::new();
        for module in modules {
            for (name, interface) in types::of_text(module.wit()).map_err(PluginHostError::Module)? {
                typed.insert(format!("agamid.{name}"), Module { module: Arc::clone(&module), interface });
            }
        }
        let running = Arc::new(Semaphore::new(cores));
        let runtime = Arc::new(Runtime { engine, settings, running, cores, compiled });
        let modules = Arc::new(typed);
        let empty =
            Set { runtime: Arc::clone(&runtime), modules: Arc::clone(&modules), plugins: BTreeMap::new() };
        Ok(Self(Arc::new(Inner {
            store,
            runtime,
            modules,
            current: ArcSwap::from_pointee(empty),
            shipped: Mutex::default(),
            broken: Mutex::default(),
            deploying: tokio::sync::Mutex::default(),
            by_digest: Mutex::default(),
            refused: Mutex::default(),
            changes: watch::channel(0).0,
        })))
    }

    /// Asks the plugins that the operator granted a hook.
    pub fn hooks(&self) -> Arc<dyn Hooks> {
        Arc::new(PluginHooks(Arc::downgrade(&self.0)))
    }

    /// Loads every component of a folder. What can't be loaded is reported, and its old version stays. Where `missing`
    /// is set, only plugins that none is in service of.
    pub async fn load_folder(&self, folder: &Path, missing: bool) -> Result<(), StoreError> {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) => {
                tracing::warn!(event = "plugins.no_folder", folder = %folder.display(), %error);
                return Ok(());
            }
        };
        files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
        files.sort();
        let mut refused = BTreeMap::new();
        for file in files {
            let loaded = match std::fs::read(&file) {
                Ok(bytes) if missing => self.load_missing(bytes).await.map_err(|error| error.to_string()),
                Ok(bytes) => self.load(bytes, "folder").await.map(drop).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = loaded {
                tracing::error!(event = "plugin.refused", file = %file.display(), error);
                refused.insert(file.display().to_string(), error);
            }
        }
        self.refuse(refused);
        Ok(())
    }

    /// Remembers what could not be loaded, for whoever shows it.
    fn refuse(&self, refused: BTreeMap<String, String>) {
        let mut known = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != refused {
            *known = refused;
            drop(known);
            self.0.changes.send_modify(|ticks| *ticks += 1);
        }
    }

    pub(crate) fn set(&self, plugins: BTreeMap<String, Arc<Plugin>>) -> Set {
        Set { runtime: Arc::clone(&self.0.runtime), modules: Arc::clone(&self.0.modules), plugins }
    }

    pub(crate) async fn compile(&self, bytes: Vec<u8>) -> Result<Arc<Plugin>, String> {
        let runtime = Arc::clone(&self.0.runtime);
        let compiled = tokio::task::spawn_blocking(move || {
            let turns = runtime.settings.limits.turns(runtime.cores);
            Plugin::load(&runtime.engine, runtime.compiled.as_ref(), turns, bytes)
        })
        .await;
        compiled.map_err(|error| format!("compiling stopped: {error}"))?.map(Arc::new)
    }

    /// Whether the operator accepts this very component; one that came with the server is accepted.
    pub(crate) fn accept(&self, plugin: &Plugin) -> Result<(), LoadError> {
        let settings = &self.0.runtime.settings;
        let name = &plugin.manifest.name;
        let shipped = self.0.shipped.lock().unwrap_or_else(PoisonError::into_inner);
        if settings.digests.get(name) == Some(&plugin.digest)
            || shipped.get(name).is_some_and(|shipped| shipped.digest == plugin.digest)
        {
            return Ok(());
        }
        if settings.allow_unsigned {
            tracing::warn!(
                event = "plugin.unsigned",
                plugin = name,
                digest = plugin.digest,
                "accepted without a listed digest"
            );
            return Ok(());
        }
        Err(LoadError::Refused(format!(
            "{name} is not accepted: add `\"{name}\" = \"{}\"` to [lock.plugins.digests]",
            plugin.digest
        )))
    }

    pub(crate) fn remember(&self, plugin: &Arc<Plugin>) {
        let mut known = self.0.by_digest.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(plugin.digest.clone(), Arc::clone(plugin));
    }

    /// Watches a folder of components until the watcher is dropped.
    pub fn watch(&self, folder: &Path) -> notify::Result<notify::RecommendedWatcher> {
        let (send, mut receive) = mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // The receiver is gone when the server stops.
                let _ = send.send(());
            }
        })?;
        let folder = folder.canonicalize()?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        let host = self.clone();
        tokio::spawn(async move {
            while receive.recv().await.is_some() {
                while let Ok(Some(())) = tokio::time::timeout(QUIET, receive.recv()).await {}
                if let Err(error) = host.load_folder(&folder, false).await {
                    tracing::error!(event = "plugins.not_reloaded", %error);
                }
            }
        });
        Ok(watcher)
    }

    /// The component with this digest.
    pub(crate) async fn by_digest(&self, digest: &str) -> Result<Arc<Plugin>, LoadError> {
        let known = self.0.by_digest.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(plugin) = known {
            return Ok(plugin);
        }
        let refused = |reason: String| LoadError::Refused(reason);
        let found = self.0.store.get::<PluginRecord>(digest).await?;
        let record = found.ok_or_else(|| refused(format!("the plugin with digest {digest} is gone")))?.record;
        let bytes = STANDARD.decode(record.component).map_err(|error| refused(error.to_string()))?;
        if agamid_core::secret::sha256_hex(&bytes) != digest {
            return Err(refused(format!("what is stored under the digest {digest} is something else")));
        }
        let plugin = self.compile(bytes).await.map_err(refused)?;
        self.remember(&plugin);
        Ok(plugin)
    }
}

/// Why a component was not put into service.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be, or the operator does not accept it; the reason says what to do.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Routines for PluginHost {
    fn current(&self) -> Arc<dyn RoutineSet> {
        self.0.current.load_full()
    }

    fn pinned<'a>(&'a self, pins: &'a Pins) -> BoxFuture<'a, Result<Arc<dyn RoutineSet>, CallError>> {
        Box::pin(async move {
            let mut plugins = BTreeMap::new();
            for (name, digest) in pins {
                let plugin = self.by_digest(digest).await;
                let plugin = plugin.map_err(|error| CallError::new("unavailable", error.to_string()))?;
                plugins.insert(name.clone(), plugin);
            }
            let set: Arc<dyn RoutineSet> = Arc::new(self.set(plugins));
            Ok(set)
        })
    }

    fn record(&self) -> &'static str {
        InServiceRecord::KIND
    }

    fn adopt(&self) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let adopted = PluginHost::adopt(self).await;
            adopted.map_err(|error| CallError::new("unavailable", error.to_string()))
        })
    }

    fn refused(&self) -> BTreeMap<String, String> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}
