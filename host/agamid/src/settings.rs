//! Settings: records in the store, one a section. `[seed.*]` fills them into an empty store, `[lock.*]` wins for good.

use agamid_store::setting::Setting;
use agamid_store::{Batch, Expect, Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::NodeConfig;

/// Why the settings could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A key or its type is wrong.
    #[error("{place}{origin}.{section}.{key}: {reason}")]
    Refused {
        /// `file:line: `, where it stands in a file.
        place: String,
        /// `seed`, `lock` or `stored`.
        origin: &'static str,
        /// The section.
        section: &'static str,
        /// The key below it.
        key: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The settings of one section as they are in force: what the store has (the seed, if it has none yet), with the
/// locked keys on top.
pub(crate) async fn section<T: Serialize + DeserializeOwned + Default>(
    store: &Store,
    config: &NodeConfig,
    section: &'static str,
) -> Result<T, SettingsError> {
    let stored = match store.get::<Setting>(section).await? {
        Some(found) => found.record.value,
        None => seed::<T>(store, config, section).await?,
    };
    // The seed is checked at every start, though it is used at the first only.
    if let Some(seed) = config.seed.sections.get(section) {
        read::<T>(config, "seed", section, to_json("seed", section, seed)?)?;
    }
    let Some(lock) = config.lock.get(section) else {
        return read(config, "stored", section, stored);
    };
    let mut value = stored;
    merge(&mut value, to_json("lock", section, lock)?);
    read(config, "lock", section, value)
}

/// Whether the settings of a section that are stored, with the locked keys on top, are ones that this version knows.
pub(crate) async fn check<T: DeserializeOwned>(
    store: &Store,
    config: &NodeConfig,
    section: &'static str,
) -> Result<Option<T>, SettingsError> {
    let Some(found) = store.get::<Setting>(section).await? else { return Ok(None) };
    let mut value = found.record.value;
    let origin = match config.lock.get(section) {
        Some(lock) => {
            merge(&mut value, to_json("lock", section, lock)?);
            "lock"
        }
        None => "stored",
    };
    read(config, origin, section, value).map(Some)
}

async fn seed<T: Serialize + DeserializeOwned + Default>(
    store: &Store,
    config: &NodeConfig,
    section: &'static str,
) -> Result<serde_json::Value, SettingsError> {
    let settings: T = match config.seed.sections.get(section) {
        Some(table) => read(config, "seed", section, to_json("seed", section, table)?)?,
        None => T::default(),
    };
    let value = serde_json::to_value(&settings).map_err(|error| refused("seed", section, "(all)", &error))?;
    let setting = Setting { section: section.to_owned(), value };
    match store.commit(Batch::new().put(&setting, Expect::Absent)).await {
        Ok(_) => Ok(setting.value),
        // Another node was faster: theirs counts.
        Err(StoreError::Conflict { .. }) => {
            let found = store.get::<Setting>(section).await?;
            Ok(found.map_or(setting.value, |found| found.record.value))
        }
        Err(error) => Err(error.into()),
    }
}

fn to_json(
    origin: &'static str,
    section: &'static str,
    value: &toml::Value,
) -> Result<serde_json::Value, SettingsError> {
    serde_json::to_value(value).map_err(|error| refused(origin, section, "(all)", &error))
}

fn read<T: DeserializeOwned>(
    config: &NodeConfig,
    origin: &'static str,
    section: &'static str,
    value: serde_json::Value,
) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, reason) = (error.path().to_string(), error.inner().to_string());
        // An unknown key is in the reason, its table in the path.
        let unknown = reason.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let key = match (path.as_str(), unknown) {
            (".", Some(key)) => key.to_owned(),
            (path, Some(key)) if !path.ends_with(key) => format!("{path}.{key}"),
            (path, _) => path.to_owned(),
        };
        let place = config.source.place(&format!("{origin}.{section}.{key}"));
        SettingsError::Refused { place, origin, section, key, reason }
    })
}

fn refused(
    origin: &'static str,
    section: &'static str,
    key: &str,
    reason: &serde_json::Error,
) -> SettingsError {
    let place = String::new();
    SettingsError::Refused { place, origin, section, key: key.to_owned(), reason: reason.to_string() }
}

/// Puts `over` on top of `base`, table by table.
fn merge(base: &mut serde_json::Value, over: serde_json::Value) {
    match (base, over) {
        (serde_json::Value::Object(base), serde_json::Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
