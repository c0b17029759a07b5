//! `postgres://…`: the store of several nodes. A table for each kind, a column for each index with one entry a record,
//! a second table for indexes with many. Only the types of PostgreSQL that its relatives have too; no extension, no
//! function of ours inside, no superuser.
//!
//! | file | what |
//! | --- | --- |
//! | `connect` | the address, TLS, the pool; a connection is a *lane* with a chain of audit events of its own |
//! | `layout`, `migrate` | make tables, refuse those of a newer server, bring records up to date |
//! | `table` | the SQL of a kind |
//! | `flight` | statements that go out together and stop at the first that fails |
//! | `commit` | a batch as a flight; what a refused consumption leaves |
//! | `one_time` | the SQL of one-time records |
//! | `read`, `audit` | lookups; chains |
//! | `dump`, `load`, `check` | exports, imports, and whether all of it fits together |
//! | `listen` | news of other nodes' changes |
//! | `failure` | what an error of the database means |
//!
//! All rules hold under READ COMMITTED: whoever waits for a row sees it as it became, so a version that has moved on,
//! or a record that was used up, fails the condition of the statement, and a failed condition divides by zero.

mod audit;
mod check;
mod commit;
mod connect;
mod dump;
mod failure;
mod flight;
mod layout;
mod listen;
mod load;
mod migrate;
mod one_time;
mod read;
mod table;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::time::Timestamp;
use agamid_core::{BoxFuture, Env, id};
use deadpool::managed::{Object, Pool, PoolError, TimeoutType};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::Row;

use super::item::{Item, Load};
use super::{Backend, Raw, RawPage, closed};
use crate::audit::AuditEntry;
use crate::batch::{Batch, Committed};
use crate::cache::Cache;
use crate::check::{News, Times};
use crate::error::StoreError;
use crate::one_time::{Peeked, Purpose};
use crate::options::StoreOptions;
use crate::record::Kind;
use crate::store::Scan;
use connect::Lanes;
use failure::Failure;
use flight::Value;
use table::Table;

/// What was used must be remembered for as long as any node takes it for unexpired: their clocks may differ by so many
/// milliseconds.
const SKEW: i64 = 5 * 60 * 1000;

/// How many expired records one statement of a sweep removes.
const SWEEP_STEP: usize = 500;

pub(crate) struct Postgres {
    inner: Arc<Inner>,
    listener: Option<JoinHandle<()>>,
}

/// What tasks of a store share.
struct Inner {
    env: Env,
    node: String,
    pool: Pool<Lanes>,
    tables: HashMap<&'static str, Table>,
    timeout: Duration,
    /// Whether the database can tell other nodes of changes.
    tells: bool,
}

impl Postgres {
    pub(crate) async fn open(
        options: &StoreOptions,
        env: Env,
        cache: Arc<Cache>,
    ) -> Result<Self, StoreError> {
        let node = id::new_ulid(&env);
        let connector = connect::Connector::new(options, node.clone())?;
        let mut tables = HashMap::new();
        for kind in &options.kinds {
            tables.insert(kind.name, Table::new(kind)?);
        }
        let mut first = connector.first_lane().await?;
        layout::bring_up(&mut first, &options.kinds, &tables, options.auto_migrate, env.now()).await?;
        drop(first);
        let listener = listen::start(connector.clone(), node.clone(), cache).await?;
        let pool = connect::pool(connector, options)?;
        let tells = listener.is_some();
        let inner = Inner { env, node, pool, tables, timeout: options.timeout, tells };
        Ok(Self { inner: Arc::new(inner), listener })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl Inner {
    fn table(&self, kind: &str) -> Result<&Table, StoreError> {
        self.tables.get(kind).ok_or_else(|| {
            StoreError::Invalid(format!("the kind {kind:?} is not among those the store was opened with"))
        })
    }

    async fn lane(&self) -> Result<Object<Lanes>, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Closed => closed(),
            PoolError::Backend(error) => failure::unavailable(&error),
            PoolError::Timeout(TimeoutType::Wait) => StoreError::Unavailable(
                "all connections to the database are busy (store.connections)".to_owned(),
            ),
            other => StoreError::Unavailable(format!("the database can't be reached: {other}")),
        })
    }

    /// Waits for work on a lane, but not longer than the time limit.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Failure::Silence(self.timeout)))
    }

    /// Reads; once more where the connection was lost.
    async fn rows(&self, sql: &Arc<str>, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut last = None;
        for _ in 0..2 {
            let mut lane = self.lane().await?;
            let rows = self.in_time(async { Ok(lane.query(sql, values).await?) }).await;
            match give_back(lane, rows) {
                Err(failure) if failure.is_lost_connection() => last = Some(failure),
                rows => return rows.map_err(Failure::into_store_error),
            }
        }
        Err(last.map_or_else(closed, Failure::into_store_error))
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let now = self.env.now();
        let mut removed = 0;
        let mut statements: Vec<(Arc<str>, Timestamp)> =
            self.tables.values().map(|table| (Arc::clone(&table.sql.sweep), now)).collect();
        statements.push((one_time::SWEEP.into(), Timestamp(now.0.saturating_sub(SKEW))));
        for (statement, ended) in statements {
            while removed < limit {
                let step = SWEEP_STEP.min(limit - removed);
                let limit = i64::try_from(step).unwrap_or(i64::MAX);
                let rows = self.rows(&statement, &[Box::new(ended.0), Box::new(limit)]).await?;
                let count = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose();
                let count = count.map_err(|error| Failure::from(error).into_store_error())?;
                let swept = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
                removed += swept;
                if swept < step {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// Lets the pool have a lane again, unless nobody knows what is still under way on it.
fn give_back<T>(lane: Object<Lanes>, done: Result<T, Failure>) -> Result<T, Failure> {
    if done.as_ref().is_err_and(Failure::breaks_lane) {
        Object::take(lane).abandon();
    }
    done
}

/// Work that is finished even if whoever asked for it goes away: half a flight must never lie on a lane.
fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, StoreError>> {
    let task = tokio::spawn(work);
    Box::pin(async move {
        task.await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(format!("the work broke down: {error}"))))
    })
}

impl Backend for Postgres {
    fn get<'a>(&'a self, kind: &'static str, key: &'a str) -> BoxFuture<'a, Result<Option<Raw>, StoreError>> {
        Box::pin(self.inner.get(kind, key))
    }

    fn find<'a>(
        &'a self,
        kind: &'static str,
        index: &'static str,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Raw>, StoreError>> {
        Box::pin(self.inner.find(kind, index, value))
    }

    fn scan<'a>(&'a self, kind: &'static str, scan: &'a Scan) -> BoxFuture<'a, Result<RawPage, StoreError>> {
        Box::pin(self.inner.scan(kind, scan))
    }

    fn peek<'a>(&'a self, purpose: Purpose, hash: &'a str) -> BoxFuture<'a, Result<Peeked, StoreError>> {
        Box::pin(self.inner.peek(purpose, hash))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Committed, StoreError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { to_the_end(async move { inner.commit(&batch).await }).await })
    }

    fn sweep(&self, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.inner.sweep(limit))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.inner.ping())
    }

    fn node(&self) -> BoxFuture<'_, Result<String, StoreError>> {
        Box::pin(std::future::ready(Ok(self.inner.node.clone())))
    }

    fn audit_chains(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        Box::pin(self.inner.audit_chains())
    }

    fn audit_events<'a>(
        &'a self,
        chain: &'a str,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<AuditEntry>, StoreError>> {
        Box::pin(self.inner.audit_events(chain, after, limit))
    }

    fn verify_audit(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.inner.verify_audit())
    }

    fn dump<'a>(&'a self, out: &'a mpsc::Sender<Vec<Item>>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.inner.dump(out))
    }

    fn load(&self, load: Load) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { to_the_end(async move { inner.load(&load).await }).await })
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.inner.is_empty())
    }

    fn about<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(self.inner.about(name))
    }

    fn check(&self, kinds: Vec<Kind>, out: mpsc::Sender<News>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.inner.check(&kinds, &out).await })
    }

    fn times(&self) -> BoxFuture<'_, Result<Times, StoreError>> {
        Box::pin(self.inner.times())
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
        self.inner.pool.close();
        Box::pin(std::future::ready(Ok(())))
    }
}
