//! Backends that are an ordered keyspace with one writer. What the bytes mean is said once for all of them, by `read`
//! and `rules`.

mod check;
mod dump;
mod migrate;
pub(crate) mod tap;

use std::sync::{Arc, Weak};

use agamid_core::{BoxFuture, Env, id};
use tokio::sync::mpsc;

use super::item::{Item, Load};
use super::{Backend, Raw, RawPage};
use crate::audit::{AuditEntry, ChainEnd, Link, broken};
use crate::batch::{Batch, Committed};
use crate::check::{News, Times};
use crate::error::StoreError;
use crate::one_time::{Consumption, Peeked, Purpose};
use crate::read::Found;
use crate::record::Kind;
use crate::rules::NODE;
use crate::store::Scan;
use crate::stored::corrupt;
use crate::{keys, read};

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// How many expired records one step of a sweep removes; other commits come between the steps.
const SWEEP_STEP: usize = 256;

/// How many audit entries are read in one go.
const AUDIT_STEP: usize = 500;

/// Looks up by key.
pub(crate) trait Read {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// An ordered keyspace with a single writer.
pub(crate) trait Keyspace: Read + Send + Sync {
    /// Pairs with `from <= key < to` in order, at most `limit`.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError>;

    /// Has the writer evaluate the request by `rules::evaluate` and answers when its changes are durable.
    /// Requests take effect one after another, each whole or not at all.
    fn submit(&self, request: Request) -> BoxFuture<'_, Result<Reply, StoreError>>;

    /// Finishes what was submitted and lets go of every resource. Afterwards everything is `Unavailable`.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What the writer can be asked.
#[derive(Debug)]
pub(crate) enum Request {
    /// Puts the store's own facts into an empty store, and checks them in any other.
    Start {
        node: String,
        kinds: Vec<Kind>,
    },
    Commit(Batch),
    /// Removes the records behind these expiry keys, if they are still expired.
    Sweep(Vec<Vec<u8>>),
    /// Puts in place what an export holds.
    Load(Load),
    /// Brings records up to date.
    Migrate(MigrateStep),
    /// From this group of commits on, the writer hands every change to the tap; until `Untap`.
    Tap(Weak<tap::Tap>),
    Untap(Weak<tap::Tap>),
    /// Nothing; shows that the writer is alive and has room.
    Ping,
}

/// Part of a migration; without keys, its end.
#[derive(Debug)]
pub(crate) struct MigrateStep {
    pub(crate) kind: Kind,
    pub(crate) keys: Vec<String>,
}

/// What the writer answers.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) consumptions: Vec<Consumption>,
    pub(crate) swept: usize,
}

/// A keyspace as a backend.
pub(crate) struct Ordered<K> {
    env: Env,
    keyspace: Arc<K>,
}

impl<K: Keyspace> Ordered<K> {
    /// Takes a keyspace into service. `migrates`: whether an older one may be brought up to date.
    pub(crate) async fn start(
        keyspace: impl Into<Arc<K>>,
        env: Env,
        kinds: &[Kind],
        migrates: bool,
    ) -> Result<Self, StoreError> {
        let keyspace = keyspace.into();
        keyspace.submit(Request::Start { node: id::new_ulid(&env), kinds: kinds.to_vec() }).await?;
        let this = Self { env, keyspace };
        this.bring_up(kinds, migrates).await?;
        Ok(this)
    }

    fn about_now(&self, name: &str) -> Result<Option<String>, StoreError> {
        let value = self.keyspace.get(&keys::about(name))?;
        Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    }

    fn node_now(&self) -> Result<String, StoreError> {
        let node = self.keyspace.get(&keys::about(NODE))?;
        let node = node.ok_or_else(|| corrupt("audit", NODE, "the store has no node id"))?;
        String::from_utf8(node).map_err(|e| corrupt("audit", NODE, e.to_string()))
    }

    fn chain_ends(&self) -> Result<Vec<(String, ChainEnd)>, StoreError> {
        let heads = self.keyspace.range(b"h", b"i", usize::MAX)?;
        let ends = heads.into_iter().map(|(key, bytes)| {
            let node = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            let end = ChainEnd::from_bytes(&node, &bytes)?;
            Ok((node, end))
        });
        ends.collect()
    }

    fn links(&self, node: &str, after: u64, limit: usize) -> Result<Vec<(u64, Link)>, StoreError> {
        let from = keys::audit(node, after.saturating_add(1));
        let links = self.keyspace.range(&from, &keys::audit(node, u64::MAX), limit)?;
        let links = links.into_iter().map(|(key, bytes)| {
            let (_, sequence) =
                keys::of_audit(&key).ok_or_else(|| corrupt("audit", node, "a malformed key"))?;
            Ok((sequence, Link::from_bytes(node, sequence, &bytes)?))
        });
        links.collect()
    }

    /// A chain whose recorded end was taken away would otherwise not be looked at.
    async fn check_chains_have_ends(&self) -> Result<(), StoreError> {
        let mut from = b"a".to_vec();
        while let Some((key, _)) = self.keyspace.range(&from, b"b", 1)?.pop() {
            let (node, sequence) =
                keys::of_audit(&key).ok_or_else(|| corrupt("audit", "", "a malformed key"))?;
            if self.keyspace.get(&keys::chain_end(node))?.is_none() {
                return Err(broken(node, sequence, "the chain's end is not recorded".to_owned()));
            }
            from = keys::audit(node, u64::MAX);
            from.push(0);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Checks one chain up to the end that was read before; what was appended since is the next call's.
    async fn verify_chain(&self, node: &str, end: &ChainEnd) -> Result<u64, StoreError> {
        let mut reached = ChainEnd::default();
        while reached.sequence < end.sequence {
            let step = AUDIT_STEP.min(usize::try_from(end.sequence - reached.sequence).unwrap_or(AUDIT_STEP));
            let links = self.links(node, reached.sequence, step)?;
            reached.check_all(node, links)?;
            tokio::task::yield_now().await;
        }
        reached.check_is(end, node)
    }

    async fn sweep_now(&self, limit: usize) -> Result<usize, StoreError> {
        let mut removed = 0;
        while removed < limit {
            let step = SWEEP_STEP.min(limit - removed);
            let (from, to) = keys::expired(self.env.now());
            let expired = self.keyspace.range(&from, &to, step)?;
            let asked = expired.len();
            let expired = expired.into_iter().map(|(key, _)| key).collect();
            let swept = self.keyspace.submit(Request::Sweep(expired)).await?.swept;
            removed += swept;
            if asked < step || swept == 0 {
                break;
            }
        }
        Ok(removed)
    }
}

fn raw((key, stored): Found) -> Raw {
    Raw { key, version: stored.header.version, schema: stored.header.schema, body: stored.body }
}

/// An answer that was there at once.
fn at_once<'a, T: Send + 'a>(answer: Result<T, StoreError>) -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(std::future::ready(answer))
}

impl<K: Keyspace> Backend for Ordered<K> {
    fn get<'a>(&'a self, kind: &'static str, key: &'a str) -> BoxFuture<'a, Result<Option<Raw>, StoreError>> {
        let stored = read::stored(&*self.keyspace, kind, key);
        let now = self.env.now();
        at_once(stored.map(|stored| {
            stored.filter(|stored| stored.visible(now)).map(|stored| raw((key.to_owned(), stored)))
        }))
    }

    fn find<'a>(
        &'a self,
        kind: &'static str,
        index: &'static str,
        value: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Raw>, StoreError>> {
        let found = read::find(&*self.keyspace, kind, index, value, self.env.now());
        at_once(found.map(|found| found.into_iter().map(raw).collect()))
    }

    fn scan<'a>(&'a self, kind: &'static str, scan: &'a Scan) -> BoxFuture<'a, Result<RawPage, StoreError>> {
        let page = read::scan(&*self.keyspace, kind, scan, self.env.now());
        at_once(page.map(|(found, next)| (found.into_iter().map(raw).collect(), next)))
    }

    fn peek<'a>(&'a self, purpose: Purpose, hash: &'a str) -> BoxFuture<'a, Result<Peeked, StoreError>> {
        at_once(crate::rules::peek(&*self.keyspace, purpose, hash, self.env.now()))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move {
            let reply = self.keyspace.submit(Request::Commit(batch)).await?;
            Ok(Committed { consumptions: reply.consumptions })
        })
    }

    fn sweep(&self, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.sweep_now(limit))
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.keyspace.submit(Request::Ping).await.map(drop) })
    }

    fn node(&self) -> BoxFuture<'_, Result<String, StoreError>> {
        at_once(self.node_now())
    }

    fn audit_chains(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        at_once(self.chain_ends().map(|ends| ends.into_iter().map(|(node, _)| node).collect()))
    }

    fn audit_events<'a>(
        &'a self,
        chain: &'a str,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<AuditEntry>, StoreError>> {
        let links = self.links(chain, after, limit);
        at_once(links.and_then(|links| {
            links.into_iter().map(|(sequence, link)| link.entry(chain, sequence)).collect()
        }))
    }

    fn verify_audit(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut count = 0;
            let ends = self.chain_ends()?;
            self.check_chains_have_ends().await?;
            for (node, end) in ends {
                count += self.verify_chain(&node, &end).await?;
            }
            Ok(count)
        })
    }

    fn dump<'a>(&'a self, out: &'a mpsc::Sender<Vec<Item>>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.dump_now(out))
    }

    fn load(&self, load: Load) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.keyspace.submit(Request::Load(load)).await.map(drop) })
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool, StoreError>> {
        let holds = |from: &[u8], to: &[u8]| Ok(!self.keyspace.range(from, to, 1)?.is_empty());
        at_once(holds(b"r", b"s").and_then(|records| Ok(!records && !holds(b"a", b"b")?)))
    }

    fn about<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        at_once(self.about_now(name))
    }

    fn check(&self, kinds: Vec<Kind>, out: mpsc::Sender<News>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.check_now(&kinds, &out).await })
    }

    fn times(&self) -> BoxFuture<'_, Result<Times, StoreError>> {
        at_once(self.times_now())
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.keyspace.close()
    }
}
