//! The typed face of the store.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;

use crate::audit::AuditEntry;
use crate::backend::keyspace::Ordered;
use crate::backend::memory::Memory;
use crate::backend::postgres::Postgres;
use crate::backend::sled::Sled;
use crate::backend::{Backend, Raw};
use crate::batch::{Batch, Committed, Operation};
use crate::cache::{Cache, Changes};
use crate::error::StoreError;
use crate::keys;
use crate::one_time::{Consume, Consumption, Peeked, Purpose};
use crate::options::StoreOptions;
use crate::record::{Kind, Record, Versioned, decode};
use crate::redis::{Looked, Redis};

/// A handle on the store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) env: Env,
    pub(crate) backend: Arc<dyn Backend>,
    /// The kinds that may be written; any where absent.
    pub(crate) kinds: Option<Arc<[Kind]>>,
    /// What its address begins with.
    pub(crate) scheme: &'static str,
    cache: Arc<Cache>,
    /// Between that and a database of several nodes.
    redis: Option<Redis>,
}

/// What part of a kind to read, in order.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The index to walk; by primary key when absent.
    pub index: Option<&'static str>,
    /// Inclusive bounds on the index value (or key).
    pub range: Option<RangeInclusive<String>>,
    /// Goes on after the page that ended with this cursor.
    pub after: Option<String>,
    /// At most this many, 1 to 1,000.
    pub limit: usize,
}

impl Default for Scan {
    /// The first 100 by primary key.
    fn default() -> Self {
        Self { index: None, range: None, after: None, limit: 100 }
    }
}

/// Part of a scan.
#[derive(Debug, Clone)]
pub struct Page<R> {
    /// The records.
    pub records: Vec<Versioned<R>>,
    /// Where the next page starts; absent at the end. It holds index values and keys: don't hand it to strangers.
    pub next: Option<String>,
}

impl Store {
    /// Opens `memory:`, `sled:DIRECTORY` or `postgres://…`. A directory in use by another process, a database that
    /// can't be reached, written to or understood is refused with that reason.
    pub async fn open(options: StoreOptions, env: Env) -> Result<Self, StoreError> {
        let kinds = Some(options.kinds.iter().copied().collect());
        let cache = Arc::new(Cache::new(env.clone()));
        let (scheme, backend): (_, Arc<dyn Backend>) = match options.url.split_once(':') {
            Some(("memory", "")) => (
                "memory",
                Arc::new(Ordered::start(Memory::new(env.clone()), env.clone(), &options.kinds, true).await?),
            ),
            Some(("sled", directory)) if !directory.is_empty() => {
                let sled = Sled::open(directory.into(), env.clone()).await?;
                (
                    "sled",
                    Arc::new(Ordered::start(sled, env.clone(), &options.kinds, options.auto_migrate).await?),
                )
            }
            Some(("postgres" | "postgresql", _)) => {
                ("postgres", Arc::new(Postgres::open(&options, env.clone(), Arc::clone(&cache)).await?))
            }
            _ => {
                let allowed = "allowed are \"memory:\" (lost at exit), \"sled:DIRECTORY\" and \
                               \"postgres://USER@HOST/DATABASE\"";
                // What stands behind the scheme may hold a password.
                let shown = options.url.split_once("://").map(|(scheme, _)| format!("{scheme}://…"));
                let shown = shown.unwrap_or(options.url);
                return Err(StoreError::Open(format!("{shown:?} is no store address: {allowed}")));
            }
        };
        // An embedded store is nearer than any Redis.
        let redis = options.redis.filter(|_| backend.is_shared());
        Ok(Self { env, backend, kinds, scheme, cache, redis })
    }

    /// A store in memory for any kind of record: for tests and tools.
    pub async fn memory(env: Env) -> Result<Self, StoreError> {
        let options = StoreOptions { url: "memory:".to_owned(), ..StoreOptions::default() };
        Ok(Self { kinds: None, ..Self::open(options, env).await? })
    }

    /// The same store, its backend wrapped.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn wrapped(&self, wrap: impl FnOnce(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Self {
        Self { backend: wrap(Arc::clone(&self.backend)), ..self.clone() }
    }

    /// A store over a backend that has been started.
    #[cfg(test)]
    pub(crate) fn over(backend: Arc<dyn Backend>, env: Env) -> Self {
        let cache = Arc::new(Cache::new(env.clone()));
        Self { env, backend, kinds: None, scheme: "memory", cache, redis: None }
    }

    /// Reads one record.
    pub async fn get<R: Record>(&self, key: &str) -> Result<Option<Versioned<R>>, StoreError> {
        keys::check("key", R::KIND, key)?;
        self.backend.get(R::KIND, key).await?.map(versioned).transpose()
    }

    /// Reads one record that is [`Record::CACHED`]; what it says may be up to a second old.
    pub async fn cached<R: Record>(&self, key: &str) -> Result<Option<Arc<Versioned<R>>>, StoreError> {
        let read_at = self.env.clock.monotonic();
        if let Some(kept) = self.cache.get::<R>(key, read_at) {
            metrics::counter!("agamid_store_cache_reads_total", "kind" => R::KIND, "result" => "hit")
                .increment(1);
            return Ok(Some(kept));
        }
        metrics::counter!("agamid_store_cache_reads_total", "kind" => R::KIND, "result" => "miss")
            .increment(1);
        let epoch = self.cache.epoch();
        let (found, age) = self.shared::<R>(key, read_at).await?;
        let found = found.map(Arc::new);
        if let Some(found) = &found
            && R::CACHED
            && let Some(read_at) = read_at.checked_sub(age)
        {
            self.cache.keep(key, epoch, read_at, found);
        }
        Ok(found)
    }

    /// Whether other nodes may write to it too.
    pub fn is_shared(&self) -> bool {
        self.backend.is_shared()
    }

    /// How long to wait for news before looking oneself: within a second where others write, hardly ever elsewhere.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(if self.is_shared() { 700 } else { 60_000 })
    }

    /// Reads from the cache that nodes share, else from the backend; with how old it was at `now`.
    async fn shared<R: Record>(
        &self,
        key: &str,
        now: Duration,
    ) -> Result<(Option<Versioned<R>>, Duration), StoreError> {
        let redis = self.redis.as_ref().filter(|_| R::CACHED && !self.cache.is_news(R::KIND, key, now));
        let Some(redis) = redis else { return Ok((self.get(key).await?, Duration::ZERO)) };
        keys::check("key", R::KIND, key)?;
        let asked_at_node = self.env.now();
        let looked = redis.look_up(R::KIND, key).await;
        let result = if matches!(looked, Looked::Found(..)) { "hit" } else { "miss" };
        metrics::counter!("agamid_redis_cache_reads_total", "kind" => R::KIND, "result" => result)
            .increment(1);
        let asked_at = match looked {
            Looked::Found(raw, age) => match versioned(raw) {
                Ok(found) => return Ok((Some(found), age)),
                // A newer node wrote it: the store says what to do about that.
                Err(_) => None,
            },
            Looked::Absent(asked_at) => Some(asked_at),
            Looked::Away => None,
        };
        let raw = self.backend.get(R::KIND, key).await?;
        if let (Some(raw), Some(asked_at)) = (&raw, asked_at) {
            redis.keep(R::KIND, raw, asked_at, asked_at_node).await;
        }
        Ok((raw.map(versioned).transpose()?, Duration::ZERO))
    }

    /// News of records that are [`Record::CACHED`], whichever node changes them.
    pub fn changes(&self) -> Changes {
        self.cache.watch()
    }

    /// All records with exactly this index value, ordered by key.
    pub async fn find<R: Record>(
        &self,
        index: &'static str,
        value: &str,
    ) -> Result<Vec<Versioned<R>>, StoreError> {
        check_index::<R>(index)?;
        keys::check("index value", R::KIND, value)?;
        self.backend.find(R::KIND, index, value).await?.into_iter().map(versioned).collect()
    }

    /// A page of records in order: of the index value, then the key. A record appears once per entry it has in the
    /// index.
    pub async fn scan<R: Record>(&self, scan: Scan) -> Result<Page<R>, StoreError> {
        if let Some(index) = scan.index {
            check_index::<R>(index)?;
        }
        if !(1..=1000).contains(&scan.limit) {
            return Err(StoreError::Invalid(format!("a page of {} records: ask for 1 to 1000", scan.limit)));
        }
        if let Some(range) = &scan.range {
            keys::check("range", R::KIND, range.start())?;
            keys::check("range", R::KIND, range.end())?;
        }
        let (found, next) = self.backend.scan(R::KIND, &scan).await?;
        let records = found.into_iter().map(versioned).collect::<Result<_, _>>()?;
        Ok(Page { records, next })
    }

    /// Writes a batch, atomically and durably. Others may see the change shortly before this answers.
    ///
    /// # Errors
    /// `Conflict` and `Invalid`: nothing was written. `Unavailable`: it is not known whether it was.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.check_kinds(&batch)?;
        let touched = Touched { cache: &self.cache, places: batch.all_touched() };
        let committed = self.backend.commit(batch).await;
        if let Some(redis) = &self.redis {
            redis.remove(&touched.places).await;
        }
        drop(touched);
        committed
    }

    fn check_kinds(&self, batch: &Batch) -> Result<(), StoreError> {
        let Some(kinds) = &self.kinds else { return Ok(()) };
        for operation in &batch.operations {
            if let Operation::Put { document, .. } = operation
                && !kinds.iter().any(|kind| kind.name == document.kind)
            {
                let reason =
                    format!("the kind {:?} is not among those the store was opened with", document.kind);
                return Err(StoreError::Invalid(reason));
            }
        }
        batch.if_refused.as_ref().map_or(Ok(()), |refusal| self.check_kinds(refusal))
    }

    /// Uses up a one-time record: [`Store::commit`] of a batch with only that.
    pub async fn consume(&self, consume: Consume) -> Result<Consumption, StoreError> {
        let committed = self.commit(Batch::new().consume(consume)).await?;
        let outcome = committed.consumptions.into_iter().next();
        outcome.ok_or_else(|| StoreError::Unavailable("the writer gave no outcome".to_owned()))
    }

    /// Looks at a one-time record without using it up. What is seen may be used up by somebody else a moment later:
    /// [`Batch::consume`] decides.
    pub async fn peek(&self, purpose: Purpose, hash: &str) -> Result<Peeked, StoreError> {
        keys::check("hash", "one_time", hash)?;
        self.backend.peek(purpose, hash).await
    }

    /// Removes up to `limit` expired records; answers how many were removed. Works in small steps, between which
    /// other commits go on.
    pub async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.backend.sweep(limit).await
    }

    /// Whether the store answers, and could write.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.backend.ping().await
    }

    /// This node's name, a ULID. With an embedded store it stays, for there is only one node; on a database each
    /// start is a node of its own.
    pub async fn node(&self) -> Result<String, StoreError> {
        self.backend.node().await
    }

    /// The names of all audit chains: a node's name, or that and the number of one of its connections.
    pub async fn audit_chains(&self) -> Result<Vec<String>, StoreError> {
        self.backend.audit_chains().await
    }

    /// Entries of an audit chain with a sequence number above `after`, in order, at most `limit` (and 1,000).
    pub async fn audit_events(
        &self,
        chain: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.backend.audit_events(chain, after, limit.min(1000)).await
    }

    /// Checks every audit chain; answers the number of events.
    ///
    /// # Errors
    /// `Corrupt` names the first broken link as `CHAIN/SEQUENCE`.
    pub async fn verify_audit(&self) -> Result<u64, StoreError> {
        self.backend.verify_audit().await
    }

    /// Writes what is pending and lets go of the data directory or the connections. Every later call answers
    /// `Unavailable`.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.backend.close().await
    }
}

/// What a commit may have changed: forgotten when it is over, and also where whoever asked for it does not wait.
struct Touched<'a> {
    cache: &'a Cache,
    places: Vec<(&'static str, String)>,
}

impl Drop for Touched<'_> {
    fn drop(&mut self) {
        for (kind, key) in &self.places {
            self.cache.changed(kind, key);
        }
    }
}

fn versioned<R: Record>(raw: Raw) -> Result<Versioned<R>, StoreError> {
    let record = decode(&raw.key, raw.schema, &raw.body)?;
    Ok(Versioned { record, version: raw.version })
}

fn check_index<R: Record>(index: &str) -> Result<(), StoreError> {
    if R::INDEXES.iter().any(|declared| declared.name == index) {
        return Ok(());
    }
    Err(StoreError::Invalid(format!("a {} has no index {index:?}", R::KIND)))
}

#[cfg(test)]
mod tests;
