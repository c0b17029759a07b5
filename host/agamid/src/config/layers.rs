//! File and environment, merged, with errors that name the place.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why the configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    #[error("{}: {cause}; make one with `agamid init`, or name another with --config", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A key or its type is wrong, or the file is no TOML.
    #[error("{}:{line}: {key}: {reason}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// 1-based.
        line: usize,
        /// Dotted; `(file)` where no key can be named.
        key: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A variable is wrong.
    #[error("environment variable {variable}: {reason}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A value is of the right type but can't be.
    #[error("{place}{key} {reason}")]
    Value {
        /// `file:line: `, as far as it is known.
        place: String,
        /// Dotted.
        key: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
}

/// The start of the names of our variables.
const PREFIX: &str = "AGAMID_";
/// Variables of ours that are no configuration.
const OTHERS: [&str; 2] = ["AGAMID_TOKEN", "AGAMID_BIN"];

/// Reads the file by itself first, so that an error in it has a line; then with the environment on top.
pub(crate) fn read<T: DeserializeOwned>(
    file: &Path,
    text: &str,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let alone: T = read_text(file, text)?;
    let mut ours: Vec<(String, String)> =
        variables.filter(|(name, _)| name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str())).collect();
    if ours.is_empty() {
        return Ok(alone);
    }
    ours.sort();
    let mut table: toml::Table = text.parse().map_err(|error| located(file, text, "(file)", &error))?;
    for (name, value) in &ours {
        let path: Vec<String> = name.trim_start_matches(PREFIX).split("__").map(str::to_lowercase).collect();
        put(&mut table, &path, parse_value(value))
            .map_err(|reason| ConfigError::Variable { variable: name.clone(), reason })?;
    }
    serde_path_to_error::deserialize(table).map_err(|error| {
        let key = error.path().to_string();
        let reason = error.inner().message().to_owned();
        let blamed = ours.iter().find(|(name, _)| {
            let dotted = name.trim_start_matches(PREFIX).replace("__", ".").to_lowercase();
            dotted == key || dotted.starts_with(&format!("{key}.")) || key.starts_with(&format!("{dotted}."))
        });
        match blamed {
            Some((name, _)) => ConfigError::Variable { variable: name.clone(), reason },
            None => ConfigError::Value { place: format!("{}: ", file.display()), key, reason },
        }
    })
}

fn read_text<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, ConfigError> {
    let deserializer =
        toml::Deserializer::parse(text).map_err(|error| located(file, text, "(file)", &error))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let key = error.path().to_string();
        located(file, text, if key == "." { "(file)" } else { &key }, error.inner())
    })
}

fn located(file: &Path, text: &str, key: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    ConfigError::File {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        key: key.to_owned(),
        reason: error.message().to_owned(),
    }
}

/// A variable's text as TOML where it is one (`true`, `8080`, `["10.0.0.0/8"]`), else as a string.
fn parse_value(text: &str) -> toml::Value {
    format!("value = {text}")
        .parse::<toml::Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn put(table: &mut toml::Table, path: &[String], value: toml::Value) -> Result<(), String> {
    match path {
        [] => Err("names no setting".to_owned()),
        [last] => {
            table.insert(last.clone(), value);
            Ok(())
        }
        [first, rest @ ..] => {
            let inner = table
                .entry(first.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()))
                .as_table_mut()
                .ok_or_else(|| format!("{first} is a value, not a section"))?;
            put(inner, rest, value)
        }
    }
}
