//! The node's configuration: what it needs before it can reach the store. All else is a setting (`settings.rs`).
//!
//! `agamid.toml`, then the environment (`AGAMID_PUBLIC__ISSUER`; two underscores between levels) on top. Anything
//! unknown or of the wrong type stops the start with file, line, key and what is allowed.

mod layers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use layers::ConfigError;

/// `agamid.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NodeConfig {
    /// The listener for end users and relying parties.
    pub(crate) public: Public,
    /// The listener for operators.
    pub(crate) admin: Admin,
    /// Where records live.
    pub(crate) store: StoreConfig,
    /// Where the keys to sealed records are.
    pub(crate) secrets: Secrets,
    /// Where flow projects come from.
    pub(crate) flows: Flows,
    /// Where plugins come from.
    pub(crate) plugins: Plugins,
    /// How the log looks.
    pub(crate) log: Log,
    /// Fills an empty store: one table for each section of settings, and lists of clients and persons.
    pub(crate) seed: Seed,
    /// Pins settings for good: one table for each section.
    pub(crate) lock: toml::Table,
    /// Where all this was read: for errors that are found later.
    #[serde(skip)]
    pub(crate) source: Source,
}

/// A configuration file and its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    file: PathBuf,
    text: String,
}

impl Source {
    /// `file:line: ` of a dotted key, or of what is nearest to it; empty where it stands in no file.
    pub(crate) fn place(&self, key: &str) -> String {
        let mut table = String::new();
        let mut best: Option<(usize, usize)> = None;
        for (at, line) in self.text.lines().enumerate() {
            let line = line.trim();
            let path = if let Some(header) = line.strip_prefix('[') {
                table = header.split(']').next().unwrap_or_default().trim_matches('[').replace('"', "");
                table.clone()
            } else {
                let Some((name, _)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                    continue;
                };
                format!("{table}.{}", name.trim().replace('"', "")).trim_start_matches('.').to_owned()
            };
            let fits =
                key == path || key.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
            if fits && best.is_none_or(|(_, length)| path.len() > length) {
                best = Some((at + 1, path.len()));
            }
        }
        best.map_or_else(String::new, |(line, _)| format!("{}:{line}: ", self.file.display()))
    }
}

/// `[public]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Public {
    /// Address and port.
    pub(crate) listen: SocketAddr,
    /// The issuer: an https origin, or http on a loopback host.
    pub(crate) issuer: String,
    /// Networks of proxies whose `X-Forwarded-For` counts.
    pub(crate) trusted_proxies: Vec<String>,
    /// TLS of this listener; absent behind a proxy that has it.
    pub(crate) tls: Option<TlsFiles>,
    /// How long the server goes on serving after it was told to stop, in seconds, while `/health/ready` answers 503: as
    /// long as a load balancer takes to notice.
    pub(crate) stop_delay_seconds: u64,
}

/// `[public.tls]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// The certificate chain, PEM, the server's own first. Read again when it changes.
    pub(crate) cert: PathBuf,
    /// Its private key, PEM.
    pub(crate) key: PathBuf,
}

impl Default for Public {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            issuer: "http://localhost:8080".to_owned(),
            trusted_proxies: Vec::new(),
            tls: None,
            stop_delay_seconds: 0,
        }
    }
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    /// Address and port; loopback unless set.
    pub(crate) listen: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8081)) }
    }
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreConfig {
    /// `sled:DIRECTORY`, `postgres://USER@HOST/DATABASE` or `memory:`.
    pub(crate) url: String,
    /// Whether tables and documents of an older version are brought up to date at the start; else it is refused until
    /// `agamid migrate` has done it.
    pub(crate) auto_migrate: bool,
    /// A file with the password of the database's user, where it is not in the address.
    pub(crate) password_file: Option<PathBuf>,
    /// The certificates (PEM) of who may sign the database's certificate; those that the system trusts unless given.
    pub(crate) tls_ca: Option<PathBuf>,
    /// Connections to the database, at most.
    pub(crate) connections: usize,
    /// How long the database may take to answer.
    pub(crate) timeout_seconds: u64,
    /// `rediss://HOST`, `redis://127.0.0.1` or `unix:///PATH`: a cache and counters that nodes share.
    pub(crate) redis_url: Option<String>,
    /// A file with the password of Redis, where it is not in the address.
    pub(crate) redis_password_file: Option<PathBuf>,
    /// The certificates (PEM) of who may sign that of Redis; those that the system trusts unless given.
    pub(crate) redis_tls_ca: Option<PathBuf>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sled:./data".to_owned(),
            auto_migrate: true,
            password_file: None,
            tls_ca: None,
            connections: 16,
            timeout_seconds: 5,
            redis_url: None,
            redis_password_file: None,
            redis_tls_ca: None,
        }
    }
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Secrets {
    /// The file with the envelope key, readable by its owner only.
    pub(crate) envelope_key_file: PathBuf,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { envelope_key_file: PathBuf::from("./data/envelope.key") }
    }
}

/// `[flows]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Flows {
    /// A folder of flow projects, imported into an empty store.
    pub(crate) dir: Option<PathBuf>,
    /// Whether a change in that folder goes live at once.
    pub(crate) watch: bool,
}

#[expect(
    clippy::derivable_impls,
    reason = "the default is part of the contract and stands beside its siblings"
)]
impl Default for Flows {
    fn default() -> Self {
        Self { dir: None, watch: false }
    }
}

/// `[plugins]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Plugins {
    /// A folder of built components.
    pub(crate) dir: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// One event a line, for machines or for people.
    pub(crate) format: LogFormat,
    /// What is logged: `info`, or `info,agamid_store=debug`.
    pub(crate) level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading.
    Pretty,
}

/// `[seed]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Seed {
    /// Clients.
    pub(crate) clients: Vec<toml::Table>,
    /// Persons, with password hashes only.
    pub(crate) persons: Vec<toml::Table>,
    /// The sections of settings.
    #[serde(flatten)]
    pub(crate) sections: toml::Table,
}

/// The sections that `[seed.*]` and `[lock.*]` may have.
pub(crate) const SECTIONS: [&str; 6] = ["directories", "flows", "identity", "oauth", "outgoing", "plugins"];

impl NodeConfig {
    /// Reads the file and the environment (`variables`: all of it; others than ours are ignored).
    pub(crate) fn load(
        file: &Path,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|cause| ConfigError::Unreadable { file: file.to_owned(), cause: cause.to_string() })?;
        let mut config: Self = layers::read(file, &text, variables)?;
        config.source = Source { file: file.to_owned(), text };
        config.check(file)?;
        config.resolve(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// As [`Self::load`], with the environment of this process.
    pub(crate) fn of_file(file: &Path) -> Result<Self, String> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load(file, variables).map_err(|error| error.to_string())
    }

    /// Relative paths are relative to the file's folder, wherever the server is started.
    fn resolve(&mut self, folder: &Path) {
        let place = |path: &mut PathBuf| *path = folder.join(&*path);
        place(&mut self.secrets.envelope_key_file);
        for dir in [&mut self.flows.dir, &mut self.plugins.dir].into_iter().flatten() {
            place(dir);
        }
        if let Some(tls) = &mut self.public.tls {
            place(&mut tls.cert);
            place(&mut tls.key);
        }
        let store = &mut self.store;
        let files = [
            &mut store.password_file,
            &mut store.tls_ca,
            &mut store.redis_password_file,
            &mut store.redis_tls_ca,
        ];
        for file in files.into_iter().flatten() {
            place(file);
        }
        if let Some(directory) = self.store.url.strip_prefix("sled:") {
            self.store.url = format!("sled:{}", folder.join(directory).display());
        }
    }

    /// As [`Self::load`], from a text of our own that errors call `name`.
    pub(crate) fn of_text(
        name: &str,
        text: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        layers::read(Path::new(name), text, variables)
    }

    /// What types can't say.
    fn check(&self, file: &Path) -> Result<(), ConfigError> {
        let refuse = |key: &str, reason: String| {
            let place = self.source.place(key);
            let place = if place.is_empty() { format!("{}: ", file.display()) } else { place };
            Err(ConfigError::Value { place, key: key.to_owned(), reason })
        };
        for section in self.seed.sections.keys() {
            if !SECTIONS.contains(&section.as_str()) {
                return refuse(&format!("seed.{section}"), unknown_section("clients, persons, "));
            }
        }
        for section in self.lock.keys() {
            if !SECTIONS.contains(&section.as_str()) {
                return refuse(&format!("lock.{section}"), unknown_section(""));
            }
        }
        if self.public.listen == self.admin.listen && self.public.listen.port() != 0 {
            return refuse(
                "admin.listen",
                "is the same address as public.listen; give each its own port".to_owned(),
            );
        }
        if self.public.tls.is_some() && !self.public.issuer.starts_with("https://") {
            return refuse("public.issuer", "must be https where public.tls is set".to_owned());
        }
        if self.flows.watch && self.flows.dir.is_none() {
            return refuse("flows.watch", "needs flows.dir, the folder to watch".to_owned());
        }
        Ok(())
    }
}

fn unknown_section(more: &str) -> String {
    format!("is not a section; allowed are {more}{}", SECTIONS.join(", "))
}

#[cfg(test)]
mod tests;
