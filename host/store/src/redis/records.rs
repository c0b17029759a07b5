//! Records between the memory of a node and the database.
//!
//! How old a record is, is told by the server's own clock: whoever misses one is told the time *before* asking the
//! database, and that time lies sealed beside the record. A reader is told the time with the record, so it knows the
//! record's whole age, wherever a request or the server was held up in between. The clock of the node that read it stands
//! beside it, so that a server which lies about the time, or whose clock is turned back, can't make old records young.

use std::time::Duration;

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Redis;
use crate::backend::Raw;
use crate::cache::{LIFETIME, place};

/// The purpose of the seal.
const SEAL: &str = "redis record";

/// Larger documents stay with the database: they would hold up what is behind them.
const LARGEST: usize = 256 << 10;

/// How far apart the clocks of two nodes may be before they stop reading each other's records.
const SKEW: Duration = Duration::from_secs(5);

/// A time by the server's clock, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerTime(i64);

/// What is found of a record.
pub(crate) enum Looked {
    /// The record, and how old it is.
    Found(Raw, Duration),
    /// Nothing of use; to be kept with this time once it is read.
    Absent(ServerTime),
    /// There is no server to ask.
    Away,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    asked_at: ServerTime,
    asked_at_node: Timestamp,
    version: u64,
    schema: u16,
    body: Vec<u8>,
}

impl Redis {
    pub(crate) async fn look_up(&self, kind: &str, key: &str) -> Looked {
        let place = place(kind, key);
        let Some(name) = self.name("record", &place) else { return Looked::Away };
        let mut pipeline = redis::pipe();
        pipeline.cmd("GET").arg(name).cmd("TIME");
        let answer = self.link.ask::<(Option<Vec<u8>>, (i64, i64))>(&pipeline).await;
        let Some((sealed, (seconds, micros))) = answer else { return Looked::Away };
        let now = ServerTime(seconds.saturating_mul(1_000_000).saturating_add(micros));
        match sealed.and_then(|sealed| self.opened(&place, key, &sealed, now)) {
            Some((raw, age)) => Looked::Found(raw, age),
            None => Looked::Absent(now),
        }
    }

    /// What lies there, where it is whole, ours and fresh.
    fn opened(&self, place: &str, key: &str, sealed: &[u8], now: ServerTime) -> Option<(Raw, Duration)> {
        let opened = self.sealer.open(SEAL, place.as_bytes(), sealed).ok()?;
        let kept: Kept = postcard::from_bytes(&opened).ok()?;
        let age = now.0.checked_sub(kept.asked_at.0).and_then(|age| u64::try_from(age).ok());
        let age = Duration::from_micros(age?);
        let apart = Duration::from_millis(self.env.now().0.abs_diff(kept.asked_at_node.0));
        if age >= LIFETIME || apart >= LIFETIME + SKEW {
            return None;
        }
        let raw = Raw { key: key.to_owned(), version: kept.version, schema: kept.schema, body: kept.body };
        Some((raw, age))
    }

    /// Puts a record there that was read after `asked_at` and `asked_at_node`.
    pub(crate) async fn keep(&self, kind: &str, raw: &Raw, asked_at: ServerTime, asked_at_node: Timestamp) {
        if raw.body.len() > LARGEST {
            return;
        }
        let place = place(kind, &raw.key);
        let (version, schema, body) = (raw.version, raw.schema, raw.body.clone());
        let kept = Kept { asked_at, asked_at_node, version, schema, body };
        let sealed = postcard::to_stdvec(&kept).ok();
        let sealed = sealed.and_then(|plain| self.sealer.seal(SEAL, place.as_bytes(), &plain).ok());
        let (Some(sealed), Some(name)) = (sealed, self.name("record", &place)) else { return };
        let mut pipeline = redis::pipe();
        let lifetime = u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
        pipeline.cmd("SET").arg(name).arg(sealed).arg("PX").arg(lifetime).ignore();
        let _kept: Option<()> = self.link.ask(&pipeline).await;
    }

    /// Takes records away. Where that fails they are too old within [`LIFETIME`] all the same.
    pub(crate) async fn remove(&self, records: &[(&'static str, String)]) {
        let mut pipeline = redis::pipe();
        for name in records.iter().filter_map(|(kind, key)| self.name("record", &place(kind, key))) {
            pipeline.cmd("DEL").arg(name).ignore();
        }
        if !records.is_empty() {
            let _removed: Option<()> = self.link.ask(&pipeline).await;
        }
    }
}
