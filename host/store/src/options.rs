//! How a store is opened.

use std::time::Duration;

use agamid_core::secret::Secret;

use crate::record::Kind;
use crate::redis::Redis;

/// What [`crate::Store::open`] needs to know.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `memory:`, `sled:DIRECTORY` or `postgres://USER@HOST/DATABASE`.
    pub url: String,
    /// Every kind of record that will be stored.
    pub kinds: Vec<Kind>,
    /// Whether an older layout may be brought up to date at opening; otherwise it is refused.
    pub auto_migrate: bool,
    /// The password of the database's user, where it is not in the address.
    pub password: Option<Secret>,
    /// The certificates (PEM) of who may sign the database's; those of the web where absent.
    pub certificates: Option<Vec<u8>>,
    /// Connections to the database, at most.
    pub connections: usize,
    /// How long the database may take to answer.
    pub timeout: Duration,
    /// A cache that the nodes on one database share.
    pub redis: Option<Redis>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            url: "memory:".to_owned(),
            kinds: Vec::new(),
            auto_migrate: true,
            password: None,
            certificates: None,
            connections: 16,
            timeout: Duration::from_secs(5),
            redis: None,
        }
    }
}
