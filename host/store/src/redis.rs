//! Redis, where an operator has one: a cache between the memory of a node and the database, and counters that all nodes
//! share. The only place that knows the `redis` crate. Valkey speaks the same.
//!
//! | file | what |
//! | --- | --- |
//! | `address` | `store.redis_url`, TLS, the password |
//! | `link` | the connection, its time limit, and doing without where the server does not answer |
//! | `records` | records that are [`crate::Record::CACHED`] |
//! | `counters` | counters that may be lost |
//!
//! **Nothing rests on it.** Whatever is asked of it is asked with a limit of 50 ms and may get no answer; then the caller
//! goes on as if there were no Redis. **Nothing in it is believed or readable:** values are sealed, and names are MACs,
//! under keys made of the envelope key, so whoever gets at the server learns nothing and can put nothing in. What they
//! can do is to take things out, to set counters back, and to serve again what was true a few seconds ago.

mod address;
mod counters;
mod link;
mod records;

use std::fmt;
use std::sync::Arc;

use agamid_core::Env;
use agamid_core::seal::Sealer;
use agamid_core::secret::Secret;

use crate::error::StoreError;
use link::Link;

pub use counters::SharedCount;
pub(crate) use records::Looked;

/// What [`Redis::open`] needs to know.
pub struct RedisOptions {
    /// `rediss://HOST`, `redis://127.0.0.1`, `unix:///run/redis.sock`.
    pub url: String,
    /// The password, where it is not in the address.
    pub password: Option<Secret>,
    /// The certificates (PEM) of who may sign the server's; those that the system trusts where absent.
    pub certificates: Option<Vec<u8>>,
    /// Seals what lies there. The same on all nodes.
    pub sealer: Sealer,
}

/// A handle on a Redis server. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    sealer: Sealer,
    env: Env,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.link.place()).finish()
    }
}

impl Redis {
    /// Takes a server into use. One that does not answer is no error: it is looked for until it does.
    ///
    /// # Errors
    /// `Open`: the address can't be right, or asks for something unsafe.
    pub async fn open(options: RedisOptions, env: Env) -> Result<Self, StoreError> {
        let client = address::client(&options)?;
        let this = Self { link: Arc::new(Link::new(client)), sealer: options.sealer, env };
        this.link.clone().start(this.name("probe", "")).await;
        Ok(this)
    }

    /// Whether the server answers.
    pub fn answers(&self) -> bool {
        self.link.is_up()
    }

    /// A name that tells strangers nothing, and that only holders of the envelope key can make.
    fn name(&self, what: &str, of: &str) -> Option<String> {
        let mac = self.sealer.mac(&format!("redis {what}"), of.as_bytes()).ok()?;
        Some(format!("agamid:{what}:{}", crate::read::to_hex(&mac)))
    }
}
