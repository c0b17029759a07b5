//! Which plugins are in service, on all nodes: one record a plugin name, followed by every node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use agamid_flow_engine::ports::RoutineSet;
use agamid_flow_engine::project::is_newer;
use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::host::{LoadError, PluginHost, PluginRecord};
use crate::plugin::Plugin;

/// How often a change that met another node's is tried again.
const TRIES: usize = 5;

/// The component that serves under a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InServiceRecord {
    /// The plugin's name.
    pub(crate) name: String,
    /// Its version, as its manifest says.
    pub(crate) version: String,
    /// The component.
    pub(crate) digest: String,
}

impl Record for InServiceRecord {
    const KIND: &'static str = "plugin_in_service";
    const CACHED: bool = true;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// A plugin in service, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// The interfaces that flows can call.
    pub interfaces: Vec<String>,
}

fn status(plugin: &Plugin) -> PluginStatus {
    PluginStatus {
        name: plugin.manifest.name.clone(),
        version: plugin.manifest.version.clone(),
        digest: plugin.digest.clone(),
        interfaces: plugin.interfaces.keys().cloned().collect(),
    }
}

/// A component that could go into service.
pub struct Prepared {
    plugin: Arc<Plugin>,
    set: Arc<dyn RoutineSet>,
}

impl Prepared {
    /// What flows could call if it did.
    pub fn set(&self) -> Arc<dyn RoutineSet> {
        Arc::clone(&self.set)
    }
}

impl PluginHost {
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

    /// Compiles a component that the operator accepts and whose manifest says this name.
    pub async fn prepare(&self, name: &str, bytes: Vec<u8>) -> Result<Prepared, LoadError> {
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        let own = &plugin.manifest.name;
        if own != name {
            return Err(LoadError::Refused(format!("the component is {own}, the address says {name}")));
        }
        self.accept(&plugin)?;
        let mut plugins = self.0.current.load().plugins.clone();
        plugins.insert(name.to_owned(), Arc::clone(&plugin));
        Ok(Prepared { plugin, set: Arc::new(self.set(plugins)) })
    }

    /// Puts it into service, on all nodes.
    pub async fn deploy(&self, prepared: Prepared, actor: &str) -> Result<PluginStatus, LoadError> {
        self.enter(&prepared.plugin, actor).await?;
        Ok(status(&prepared.plugin))
    }

    /// What flows could call without a plugin; `None` where none of the name is in service.
    pub fn without(&self, name: &str) -> Option<Arc<dyn RoutineSet>> {
        let mut plugins = self.0.current.load().plugins.clone();
        plugins.remove(name)?;
        Some(Arc::new(self.set(plugins)))
    }

    /// Takes a plugin out of service, on all nodes.
    pub async fn remove(&self, name: &str, actor: &str) -> Result<(), LoadError> {
        let _one = self.0.deploying.lock().await;
        let audit = AuditEvent::new("plugin.removed", actor, name);
        let batch = Batch::new().delete::<InServiceRecord>(name, Expect::Any).audit(audit);
        self.0.store.commit(batch).await?;
        self.swap_out(&BTreeSet::from([name.to_owned()]));
        Ok(())
    }

    /// Loads a component of the folder where none of its name is in service yet.
    pub(crate) async fn load_missing(&self, bytes: Vec<u8>) -> Result<(), LoadError> {
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        let name = &plugin.manifest.name;
        match self.0.store.get::<InServiceRecord>(name).await? {
            None => {
                self.accept(&plugin)?;
                self.enter(&plugin, "folder").await
            }
            Some(found) => {
                if found.record.digest != plugin.digest {
                    let (version, folder) = (found.record.version, &plugin.manifest.version);
                    tracing::warn!(
                        event = "plugin.folder_ignored",
                        plugin = name,
                        in_service = version,
                        folder,
                        "another one is in service: put it there with PUT /config/v1/plugins"
                    );
                }
                Ok(())
            }
        }
    }

    /// Loads a component that came with the server itself, unless one of its name is in service that is as new.
    pub async fn load_shipped(&self, bytes: Vec<u8>) -> Result<(), LoadError> {
        let plugin = self.compile(bytes).await.map_err(LoadError::Refused)?;
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        self.0
            .shipped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), Arc::clone(&plugin));
        self.remember(&plugin);
        for _ in 0..TRIES {
            let found = self.0.store.get::<InServiceRecord>(name).await?;
            let expect = found.as_ref().map_or(Expect::Absent, |found| Expect::Version(found.version));
            if found.is_some_and(|found| !is_newer(version, &found.record.version)) {
                return Ok(());
            }
            match self.enter_expecting(&plugin, "shipped", expect).await {
                // Another node, started at the same time, was faster: look again.
                Err(LoadError::Store(StoreError::Conflict { .. })) => {}
                done => return done,
            }
        }
        Ok(())
    }

    async fn enter(&self, plugin: &Arc<Plugin>, actor: &str) -> Result<(), LoadError> {
        self.enter_expecting(plugin, actor, Expect::Any).await
    }

    /// Writes a component and puts it into service, here and by the store on all nodes.
    async fn enter_expecting(
        &self,
        plugin: &Arc<Plugin>,
        actor: &str,
        expect: Expect,
    ) -> Result<(), LoadError> {
        let _one = self.0.deploying.lock().await;
        let (name, version) = (plugin.manifest.name.clone(), plugin.manifest.version.clone());
        let digest = plugin.digest.clone();
        let mut batch = Batch::new();
        if self.0.store.get::<PluginRecord>(&digest).await?.is_none() {
            let component = STANDARD.encode(&plugin.bytes);
            let (digest, name, version) = (digest.clone(), name.clone(), version.clone());
            batch = batch.put(&PluginRecord { digest, name, version, component }, Expect::Any);
        }
        let mut audit = AuditEvent::new("plugin.deployed", actor, &name);
        audit.detail = serde_json::json!({ "version": version, "digest": digest });
        let record = InServiceRecord { name, version, digest };
        self.0.store.commit(batch.put(&record, expect).audit(audit)).await?;
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

    fn swap_out(&self, names: &BTreeSet<String>) {
        tracing::info!(event = "plugin.removed", plugins = ?names);
        self.0.current.rcu(|current| {
            let mut plugins = current.plugins.clone();
            plugins.retain(|name, _| !names.contains(name));
            self.set(plugins)
        });
        self.0.changes.send_modify(|ticks| *ticks += 1);
    }

    fn serving(&self, digest: &str) -> Option<Arc<Plugin>> {
        self.0.current.load().plugins.values().find(|plugin| plugin.digest == digest).cloned()
    }

    /// The plugins in service here.
    pub fn plugins(&self) -> Vec<PluginStatus> {
        self.0.current.load().plugins.values().map(|plugin| status(plugin)).collect()
    }

    /// Puts into service what the store says, wherever it was deployed. What can't be loaded here is told, once, and the
    /// others go on.
    pub async fn adopt(&self) -> Result<(), StoreError> {
        let _one = self.0.deploying.lock().await;
        let page = self.0.store.scan::<InServiceRecord>(Scan { limit: 1000, ..Scan::default() }).await?;
        let records: BTreeMap<String, InServiceRecord> =
            page.records.into_iter().map(|found| (found.record.name.clone(), found.record)).collect();
        for record in records.values().filter(|record| self.serving(&record.digest).is_none()) {
            self.take(record).await?;
        }
        let gone: BTreeSet<String> = self
            .0
            .current
            .load()
            .plugins
            .keys()
            .filter(|name| !records.contains_key(*name))
            .cloned()
            .collect();
        if !gone.is_empty() {
            self.swap_out(&gone);
        }
        Ok(())
    }

    /// Puts the component into service that a record names. Where it can't be loaded, the one that came with the server
    /// serves, if there is one and no other.
    async fn take(&self, record: &InServiceRecord) -> Result<(), StoreError> {
        let (name, digest) = (&record.name, &record.digest);
        if self.0.broken.lock().unwrap_or_else(PoisonError::into_inner).contains_key(digest) {
            return Ok(());
        }
        let reason = match self.loaded(record).await {
            Ok(plugin) => {
                self.swap_in(&plugin);
                return Ok(());
            }
            Err(LoadError::Store(error)) => return Err(error),
            Err(LoadError::Refused(reason)) => reason,
        };
        tracing::error!(
            event = "plugin.not_adopted",
            plugin = name,
            version = record.version,
            digest,
            reason
        );
        self.0.broken.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), reason);
        let shipped = self.0.shipped.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let (Some(shipped), false) = (shipped, self.0.current.load().plugins.contains_key(name)) {
            self.swap_in(&shipped);
        }
        Ok(())
    }

    /// Other nodes have accepted it; this one's operator must too.
    async fn loaded(&self, record: &InServiceRecord) -> Result<Arc<Plugin>, LoadError> {
        let plugin = self.by_digest(&record.digest).await?;
        if plugin.manifest.name != record.name {
            let own = &plugin.manifest.name;
            return Err(LoadError::Refused(format!("it is {own}, its record says {}", record.name)));
        }
        self.accept(&plugin)?;
        Ok(plugin)
    }
}
