//! Everything in a keyspace as it stood at one moment, while others go on writing.

use std::sync::Arc;

use agamid_core::time::Timestamp;
use tokio::sync::mpsc;

use super::tap::{Changed, Tap, walked};
use super::{Keyspace, Ordered, Request};
use crate::audit::{ChainEnd, Link};
use crate::backend::item::{Item, Kept, Stride};
use crate::error::StoreError;
use crate::keys;
use crate::stored::{Stored, corrupt};

/// How many changes are handed on in one go, and how many bytes.
const STEP: usize = 200;
const STEP_BYTES: usize = 1 << 20;

impl<K: Keyspace> Ordered<K> {
    /// Walks while a tap collects what is written meanwhile; closing the tap between two commits is the moment.
    pub(super) async fn dump_now(&self, out: &mpsc::Sender<Vec<Item>>) -> Result<(), StoreError> {
        let tap = Arc::new(Tap::default());
        let now = self.env.now();
        self.keyspace.submit(Request::Tap(Arc::downgrade(&tap))).await?;
        for (from, to) in [(b"r", b"s"), (b"a", b"b"), (b"h", b"i")] {
            self.walk(from, to, now, out).await?;
        }
        self.keyspace.submit(Request::Untap(Arc::downgrade(&tap))).await?;
        send(out, vec![Item::Changes]).await?;
        let mut replay = tap.replay()?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        while let Some(changed) = replay.next()? {
            bytes += changed.1.as_ref().map_or(0, Vec::len);
            items.extend(item(changed, now)?);
            if items.len() >= STEP || bytes > STEP_BYTES {
                bytes = 0;
                send(out, std::mem::take(&mut items)).await?;
            }
        }
        send(out, items).await
    }

    async fn walk(
        &self,
        from: &[u8],
        to: &[u8],
        now: Timestamp,
        out: &mpsc::Sender<Vec<Item>>,
    ) -> Result<(), StoreError> {
        let (mut from, mut stride) = (from.to_vec(), Stride::new());
        loop {
            let pairs = self.keyspace.range(&from, to, stride.length())?;
            stride.read(pairs.iter().map(|(_, value)| value.len()).sum());
            let Some((last, _)) = pairs.last() else { return Ok(()) };
            from.clone_from(last);
            from.push(0);
            let mut items = Vec::with_capacity(pairs.len());
            for pair in pairs {
                let item = item(walked(pair), now)?;
                // What has ended was never there.
                items.extend(item.filter(|item| !matches!(item, Item::Deleted { .. })));
            }
            send(out, items).await?;
        }
    }
}

/// Whoever reads may have gone: then there is no export.
async fn send(out: &mpsc::Sender<Vec<Item>>, items: Vec<Item>) -> Result<(), StoreError> {
    let gone = |_| StoreError::Unavailable("nobody reads the export any more".to_owned());
    out.send(items).await.map_err(gone)
}

/// What a key and its value say; nothing for keys that follow from others.
fn item((key, value): Changed, now: Timestamp) -> Result<Option<Item>, StoreError> {
    match (key.first(), value) {
        (Some(b'r'), value) => record(&key, value, now).map(Some),
        (Some(b'a'), Some(value)) => {
            let (chain, sequence) = keys::of_audit(&key).ok_or_else(|| malformed(&key))?;
            let link = Link::from_bytes(chain, sequence, &value)?;
            Ok(Some(Item::Link { chain: chain.to_owned(), sequence, link }))
        }
        (Some(b'h'), Some(value)) => {
            let chain = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            let end = ChainEnd::from_bytes(&chain, &value)?;
            Ok(Some(Item::End { chain, end }))
        }
        _ => Ok(None),
    }
}

fn record(at: &[u8], value: Option<Vec<u8>>, now: Timestamp) -> Result<Item, StoreError> {
    let (kind, key) = keys::of_record(at).ok_or_else(|| malformed(at))?;
    let deleted = || Item::Deleted { kind: kind.to_owned(), key: key.to_owned() };
    let Some(value) = value else { return Ok(deleted()) };
    let Stored { header, body } = Stored::from_bytes(kind, key, &value)?;
    let kept = Kept {
        kind: kind.to_owned(),
        key: key.to_owned(),
        version: header.version,
        schema: header.schema,
        expires_at: header.expires_at,
        body,
    };
    Ok(if kept.expired(now) { deleted() } else { Item::Record(kept) })
}

fn malformed(key: &[u8]) -> StoreError {
    corrupt("entry", &String::from_utf8_lossy(key), "a malformed key")
}
