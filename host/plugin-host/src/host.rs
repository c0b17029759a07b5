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
use agamid_store::{Batch, Expect, Record, Store, StoreError};
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
use crate::service::{self, InServiceRecord, PluginStatus};
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
    digest: String,
    name: String,
    version: String,
    component: String,
}

impl Record for PluginRecord {
    const KIND: &'static str = "plugin";
    const CACHED: bool = true;
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
pub struct PluginHost(Arc<Inner>);

pub(crate) struct Inner {
    store: Store,
    runtime: Arc<Runtime>,
    modules: Arc<BTreeMap<String, Module>>,
    current: ArcSwap<Set>,
    by_digest: Mutex<HashMap<String, Arc<Plugin>>>,
    /// Files that could not be loaded, with the reason.
    refused: Mutex<BTreeMap<String, String>>,
    changes: watch::Sender<u64>,
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

    /// Loads a component that the operator accepts, and puts it into service in place of the plugin of its name.
    pub async fn load(&self, bytes: Vec<u8>, actor: &str) -> Result<PluginStatus, LoadError> {
        if let Some(plugin) = self.serving(&agamid_core::secret::sha256_hex(&bytes)) {
            return Ok(status(&plugin));
        }
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        self.accept(&plugin)?;
        self.enter(&plugin, actor).await?;
        Ok(status(&plugin))
    }

    /// As [`Self::load`], if the component's manifest says this name.
    pub async fn deploy(&self, name: &str, bytes: Vec<u8>, actor: &str) -> Result<PluginStatus, LoadError> {
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        let own = &plugin.manifest.name;
        if own != name {
            return Err(LoadError::Refused(format!("the component is {own}, the address says {name}")));
        }
        self.accept(&plugin)?;
        self.enter(&plugin, actor).await?;
        Ok(status(&plugin))
    }

    /// Loads a component of the folder where none of its name is in service yet.
    async fn load_missing(&self, bytes: Vec<u8>) -> Result<(), LoadError> {
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        if self.0.store.get::<InServiceRecord>(&plugin.manifest.name).await?.is_some() {
            return Ok(());
        }
        self.accept(&plugin)?;
        self.enter(&plugin, "folder").await
    }

    /// Loads a component that came with the server itself, unless one of its name is in service that is as new.
    pub async fn load_shipped(&self, bytes: Vec<u8>) -> Result<(), LoadError> {
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        self.remember(&plugin);
        let found = self.0.store.get::<InServiceRecord>(&plugin.manifest.name).await?;
        match found {
            Some(found) if release(&found.record.version) >= release(&plugin.manifest.version) => Ok(()),
            _ => self.enter(&plugin, "shipped").await,
        }
    }

    /// Writes a component and puts it into service, here and by the store on all nodes.
    async fn enter(&self, plugin: &Arc<Plugin>, actor: &str) -> Result<(), LoadError> {
        let manifest = &plugin.manifest;
        let record = PluginRecord {
            digest: plugin.digest.clone(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            component: STANDARD.encode(&plugin.bytes),
        };
        let mut batch = Batch::new();
        if self.0.store.get::<PluginRecord>(&record.digest).await?.is_none() {
            batch = batch.put(&record, Expect::Any);
        }
        let in_service =
            InServiceRecord { name: record.name, version: record.version, digest: record.digest };
        self.0.store.commit(service::enter(batch, &in_service, actor)).await?;
        self.swap_in(plugin);
        Ok(())
    }

    fn swap_in(&self, plugin: &Arc<Plugin>) {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        tracing::info!(event = "plugin.loaded", plugin = name, version, digest = plugin.digest);
        self.remember(plugin);
        self.0.current.rcu(|current| {
            let mut plugins = current.plugins.clone();
            plugins.insert(name.clone(), Arc::clone(plugin));
            self.set(plugins)
        });
        self.0.changes.send_modify(|ticks| *ticks += 1);
    }

    /// Puts the component into service that a record names, if it is not.
    pub(crate) async fn take(&self, record: &InServiceRecord) -> Result<(), LoadError> {
        if self.serving(&record.digest).is_none() {
            let plugin = self.by_digest(&record.digest).await.map_err(LoadError::Refused)?;
            self.swap_in(&plugin);
        }
        Ok(())
    }

    fn serving(&self, digest: &str) -> Option<Arc<Plugin>> {
        self.0.current.load().plugins.values().find(|plugin| plugin.digest == digest).cloned()
    }

    /// The plugins in service here.
    pub fn plugins(&self) -> Vec<PluginStatus> {
        self.0.current.load().plugins.values().map(|plugin| status(plugin)).collect()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    fn set(&self, plugins: BTreeMap<String, Arc<Plugin>>) -> Set {
        Set { runtime: Arc::clone(&self.0.runtime), modules: Arc::clone(&self.0.modules), plugins }
    }

    async fn compile(&self, bytes: Vec<u8>) -> Result<Arc<Plugin>, String> {
        let runtime = Arc::clone(&self.0.runtime);
        let compiled = tokio::task::spawn_blocking(move || {
            let turns = runtime.settings.limits.turns(runtime.cores);
            Plugin::load(&runtime.engine, runtime.compiled.as_ref(), turns, bytes)
        })
        .await;
        compiled.map_err(|error| format!("compiling stopped: {error}"))?.map(Arc::new)
    }

    /// Whether the operator accepts this very component.
    fn accept(&self, plugin: &Plugin) -> Result<(), LoadError> {
        let settings = &self.0.runtime.settings;
        let name = &plugin.manifest.name;
        if settings.digests.get(name) == Some(&plugin.digest) {
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

    fn remember(&self, plugin: &Arc<Plugin>) {
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

    async fn by_digest(&self, digest: &str) -> Result<Arc<Plugin>, String> {
        let known = self.0.by_digest.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(plugin) = known {
            return Ok(plugin);
        }
        let found = self.0.store.get::<PluginRecord>(digest).await.map_err(|error| error.to_string())?;
        let record = found.ok_or_else(|| format!("the plugin with digest {digest} is gone"))?.record;
        let bytes = STANDARD.decode(record.component).map_err(|error| error.to_string())?;
        // Only what was accepted is in the store.
        let plugin = self.compile(bytes).await?;
        self.remember(&plugin);
        Ok(plugin)
    }
}

fn status(plugin: &Plugin) -> PluginStatus {
    PluginStatus {
        name: plugin.manifest.name.clone(),
        version: plugin.manifest.version.clone(),
        digest: plugin.digest.clone(),
        interfaces: plugin.interfaces.keys().cloned().collect(),
    }
}

/// `1.2.3` as numbers, to tell which of two versions is newer.
fn release(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
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
                let plugin =
                    self.by_digest(digest).await.map_err(|reason| CallError::new("unavailable", reason))?;
                plugins.insert(name.clone(), plugin);
            }
            let set: Arc<dyn RoutineSet> = Arc::new(self.set(plugins));
            Ok(set)
        })
    }

    fn refused(&self) -> BTreeMap<String, String> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}
