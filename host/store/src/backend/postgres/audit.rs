//! Audit chains. Each lane has its own, so that no commit waits for another one's link; only the lane that has it
//! writes to it, so its end can be known without asking.

use std::sync::Arc;

use agamid_core::time::Timestamp;
use tokio_postgres::Row;

use super::Inner;
use super::connect::Lane;
use super::failure::Failure;
use super::flight::{Step, Value};
use crate::audit::{AuditEntry, AuditEvent, ChainEnd, Link, broken};
use crate::error::StoreError;

pub(super) const LAYOUT: &str = r#"
    CREATE TABLE IF NOT EXISTS audit (
        chain text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL,
        at bigint NOT NULL,
        event bytea NOT NULL,
        previous bytea NOT NULL,
        hash bytea NOT NULL,
        PRIMARY KEY (chain, sequence)
    );
    CREATE TABLE IF NOT EXISTS audit_chain (
        chain text COLLATE "C" PRIMARY KEY,
        sequence bigint NOT NULL,
        hash bytea NOT NULL
    )
"#;

const APPEND: &str = "
    INSERT INTO audit (chain, sequence, at, event, previous, hash)
    SELECT $1, added.sequence, $2, added.event, added.previous, added.hash
    FROM unnest($3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[]) AS added (sequence, event, previous, hash)";

const MOVE_END: &str = "
    WITH done AS (
        INSERT INTO audit_chain AS c (chain, sequence, hash) VALUES ($1, $2, $3)
        ON CONFLICT (chain) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash
        WHERE c.sequence = $4 RETURNING 1)
    SELECT 1 / count(*) FROM done";

/// All chains, also those whose end was taken away; from one to the next by the key, for there are many links.
const CHAINS: &str = "
    WITH RECURSIVE link (chain) AS (
        (SELECT chain FROM audit ORDER BY chain LIMIT 1)
        UNION ALL
        SELECT (SELECT a.chain FROM audit a WHERE a.chain > link.chain ORDER BY a.chain LIMIT 1)
        FROM link WHERE link.chain IS NOT NULL)
    SELECT chain FROM link WHERE chain IS NOT NULL UNION SELECT chain FROM audit_chain ORDER BY 1";

/// How many links are read in one go.
const STEP: i64 = 1000;

/// Adds the statements that append events to the lane's chain; answers where it ends then.
pub(super) fn append(
    steps: &mut Vec<Step>,
    lane: &Lane,
    events: &[AuditEvent],
    now: Timestamp,
) -> Result<Option<ChainEnd>, StoreError> {
    if events.is_empty() {
        return Ok(None);
    }
    let mut end = lane.end.clone();
    let (mut sequences, mut bodies, mut before, mut hashes) = (vec![], vec![], vec![], vec![]);
    for event in events {
        let event = serde_json::to_vec(event)
            .map_err(|e| StoreError::Invalid(format!("an audit event cannot be written as JSON: {e}")))?;
        let link = Link::after(&end, &lane.chain, now, event.clone());
        before.push(end.hash.to_vec());
        end = ChainEnd { sequence: end.sequence + 1, hash: link.hash };
        sequences.push(number(end.sequence));
        bodies.push(event);
        hashes.push(end.hash.to_vec());
    }
    let chain = || Box::new(lane.chain.clone());
    let values: Vec<Value> = vec![
        chain(),
        Box::new(now.0),
        Box::new(sequences),
        Box::new(bodies),
        Box::new(before),
        Box::new(hashes),
    ];
    steps.push(Step { sql: APPEND.into(), values });
    let values: Vec<Value> = vec![
        chain(),
        Box::new(number(end.sequence)),
        Box::new(end.hash.to_vec()),
        Box::new(number(lane.end.sequence)),
    ];
    steps.push(Step { sql: MOVE_END.into(), values });
    Ok(Some(end))
}

fn unreadable(error: tokio_postgres::Error) -> StoreError {
    Failure::from(error).into_store_error()
}

pub(super) fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(super) fn sequence(chain: &str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| broken(chain, 0, "a negative sequence number".to_owned()))
}

pub(super) fn hash(chain: &str, at: u64, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| broken(chain, at, "a hash of the wrong length".to_owned()))
}

/// The sequence, time, event and hashes of a row, from this column on.
pub(super) fn link(chain: &str, row: &Row, first: usize) -> Result<(u64, Link), Failure> {
    let at = sequence(chain, row.try_get(first)?)?;
    let (previous, own): (Vec<u8>, Vec<u8>) = (row.try_get(first + 3)?, row.try_get(first + 4)?);
    let link = Link {
        at: Timestamp(row.try_get(first + 1)?),
        event: row.try_get(first + 2)?,
        previous: hash(chain, at, &previous)?,
        hash: hash(chain, at, &own)?,
    };
    Ok((at, link))
}

impl Inner {
    pub(super) async fn audit_chains(&self) -> Result<Vec<String>, StoreError> {
        let sql: Arc<str> = CHAINS.into();
        let rows = self.rows(&sql, &[]).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(unreadable)
    }

    async fn links(&self, chain: &str, after: u64, limit: i64) -> Result<Vec<(u64, Link)>, StoreError> {
        let sql: Arc<str> = "SELECT sequence, at, event, previous, hash FROM audit
            WHERE chain = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
            .into();
        let values: Vec<Value> = vec![Box::new(chain.to_owned()), Box::new(number(after)), Box::new(limit)];
        let rows = self.rows(&sql, &values).await?;
        rows.iter()
            .map(|row| link(chain, row, 0))
            .collect::<Result<_, _>>()
            .map_err(Failure::into_store_error)
    }

    pub(super) async fn audit_events(
        &self,
        chain: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let links = self.links(chain, after, i64::try_from(limit).unwrap_or(STEP)).await?;
        links.into_iter().map(|(sequence, link)| link.entry(chain, sequence)).collect()
    }

    async fn chain_end(&self, chain: &str) -> Result<Option<ChainEnd>, StoreError> {
        let sql: Arc<str> = "SELECT sequence, hash FROM audit_chain WHERE chain = $1".into();
        let rows = self.rows(&sql, &[Box::new(chain.to_owned())]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let at = sequence(chain, row.try_get(0).map_err(unreadable)?)?;
        let bytes: Vec<u8> = row.try_get(1).map_err(unreadable)?;
        Ok(Some(ChainEnd { sequence: at, hash: hash(chain, at, &bytes)? }))
    }

    pub(super) async fn verify_audit(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for chain in self.audit_chains().await? {
            let Some(end) = self.chain_end(&chain).await? else {
                return Err(broken(&chain, 1, "the chain's end is not recorded".to_owned()));
            };
            let mut reached = ChainEnd::default();
            while reached.sequence < end.sequence {
                let left = number(end.sequence - reached.sequence).min(STEP);
                let links = self.links(&chain, reached.sequence, left).await?;
                reached.check_all(&chain, links)?;
            }
            count += reached.check_is(&end, &chain)?;
        }
        Ok(count)
    }
}
