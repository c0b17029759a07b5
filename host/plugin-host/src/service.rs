//! Which plugins are in service, on all nodes: one record a plugin name, followed by every node.

use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::host::{LoadError, PluginHost};

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

/// All that are in service.
pub(crate) async fn all(store: &Store) -> Result<Vec<InServiceRecord>, StoreError> {
    let page = store.scan::<InServiceRecord>(Scan { limit: 1000, ..Scan::default() }).await?;
    Ok(page.records.into_iter().map(|found| found.record).collect())
}

/// Writes that a component serves from now on.
pub(crate) fn enter(batch: Batch, record: &InServiceRecord, actor: &str) -> Batch {
    let mut audit = AuditEvent::new("plugin.deployed", actor, &record.name);
    audit.detail = serde_json::json!({ "version": record.version, "digest": record.digest });
    batch.put(record, Expect::Any).audit(audit)
}

impl PluginHost {
    /// Puts into service what the store says, wherever it was deployed.
    pub async fn adopt(&self) -> Result<(), LoadError> {
        for record in all(self.store()).await? {
            self.take(&record).await?;
        }
        Ok(())
    }

    /// Follows what other nodes put into service, for good.
    pub fn follow_store(&self) {
        let host = self.clone();
        tokio::spawn(async move {
            let store = host.store().clone();
            let mut changes = store.changes();
            let mut failed = String::new();
            while changes.of::<InServiceRecord>(store.patience()).await {
                let error = host.adopt().await.err().map(|error| error.to_string()).unwrap_or_default();
                // One line for each reason: the same one comes again at every look.
                if error != failed && !error.is_empty() {
                    tracing::error!(event = "plugin.not_adopted", error);
                }
                failed = error;
            }
        });
    }
}
