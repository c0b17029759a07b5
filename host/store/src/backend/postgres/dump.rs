//! Everything in the database as it stood at one moment: one transaction that reads a snapshot, on a connection of its
//! own so that nobody waits for it.

use std::sync::Arc;

use agamid_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio_postgres::Row;

use super::connect::Lane;
use super::failure::Failure;
use super::flight::Value;
use super::{Inner, audit, one_time};
use crate::audit::ChainEnd;
use crate::backend::item::{Item, Kept, Stride};
use crate::error::StoreError;
use crate::rules::{ONE_TIME, State};
use crate::stored::corrupt;

/// Who takes the items may be slow, and a large table takes its time.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0";

/// How a table is walked: its rows in the order of columns that the next page goes on from.
pub(super) struct Walk {
    first: Arc<str>,
    next: Arc<str>,
    /// How many columns, the first ones, say where to go on.
    place: usize,
    /// The column with the document, if there is one.
    large: Option<usize>,
}

impl Walk {
    /// `place` are the columns of the order, with their types.
    pub(super) fn new(table: &str, place: &[(&str, &str)], columns: &str, condition: &str) -> Self {
        let names: Vec<&str> = place.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let after: Vec<String> =
            place.iter().enumerate().map(|(at, (_, kind))| format!("${}::{kind}", at + 2)).collect();
        let after = after.join(", ");
        let select = format!("SELECT {names}, {columns} FROM {table} WHERE {condition}");
        let rest = format!("ORDER BY {names} LIMIT $1");
        Self {
            first: format!("{select} {rest}").into(),
            next: format!("{select} AND ({names}) > ({after}) {rest}").into(),
            place: place.len(),
            large: columns
                .split(", ")
                .position(|column| column.contains("::text"))
                .map(|at| at + place.len()),
        }
    }

    pub(super) async fn rows(
        &self,
        lane: &mut Lane,
        after: Option<&Row>,
        stride: &mut Stride,
    ) -> Result<Vec<Row>, Failure> {
        let limit = i64::try_from(stride.length()).unwrap_or(1);
        let mut values: Vec<Value> = vec![Box::new(limit)];
        let Some(after) = after else {
            return self.measured(lane.query(&self.first, &values).await?, stride);
        };
        for at in 0..self.place {
            // The sequence of a chain is the one place that is no text.
            match after.try_get::<_, String>(at) {
                Ok(text) => values.push(Box::new(text)),
                Err(_) => values.push(Box::new(after.try_get::<_, i64>(at)?)),
            }
        }
        self.measured(lane.query(&self.next, &values).await?, stride)
    }

    fn measured(&self, rows: Vec<Row>, stride: &mut Stride) -> Result<Vec<Row>, Failure> {
        let mut bytes = 0;
        for row in &rows {
            if let Some(at) = self.large {
                bytes += row.try_get::<_, Option<&str>>(at)?.map_or(0, str::len);
            }
        }
        stride.read(bytes.max(rows.len() * 200));
        Ok(rows)
    }
}

impl Inner {
    pub(super) async fn dump(&self, out: &mpsc::Sender<Vec<Item>>) -> Result<(), StoreError> {
        let connector = self.pool.manager().connector();
        let mut lane = connector.first_lane().await?;
        lane.open(BEGIN).await.map_err(|error| Failure::from(error).into_store_error())?;
        let now = self.env.now();
        let mut kinds: Vec<&&str> = self.tables.keys().collect();
        kinds.sort_unstable();
        for kind in kinds {
            let walk = Walk::new(
                &format!("r_{kind}"),
                &[("key", "text")],
                "version, schema, expires_at, document::text",
                &unended(now),
            );
            pages(&mut lane, &walk, out, |row| record(row, kind)).await?;
        }
        let walk =
            Walk::new("one_time", &[("purpose", "text"), ("hash", "text")], one_time::STATE, &unended(now));
        pages(&mut lane, &walk, out, kept_one_time).await?;
        let place = [("chain", "text"), ("sequence", "bigint")];
        let walk = Walk::new("audit", &place, "at, event, previous, hash", "true");
        pages(&mut lane, &walk, out, |row| {
            let chain: String = row.try_get(0)?;
            let (sequence, link) = audit::link(&chain, row, 1)?;
            Ok(Item::Link { chain, sequence, link })
        })
        .await?;
        let walk = Walk::new("audit_chain", &[("chain", "text")], "sequence, hash", "true");
        pages(&mut lane, &walk, out, end).await?;
        lane.settle("COMMIT").await.map_err(|error| Failure::from(error).into_store_error())
    }
}

/// A time of ours, as SQL: no row that has ended by now.
pub(super) fn unended(now: Timestamp) -> String {
    format!("(expires_at IS NULL OR expires_at > {})", now.0)
}

async fn pages(
    lane: &mut Lane,
    walk: &Walk,
    out: &mpsc::Sender<Vec<Item>>,
    read: impl Fn(&Row) -> Result<Item, Failure>,
) -> Result<(), StoreError> {
    let (mut last, mut stride): (Option<Row>, _) = (None, Stride::new());
    loop {
        let mut rows =
            walk.rows(lane, last.as_ref(), &mut stride).await.map_err(Failure::into_store_error)?;
        let items = rows.iter().map(&read).collect::<Result<_, _>>().map_err(Failure::into_store_error)?;
        let gone = |_| StoreError::Unavailable("nobody reads the export any more".to_owned());
        out.send(items).await.map_err(gone)?;
        last = rows.pop();
        if last.is_none() {
            return Ok(());
        }
    }
}

pub(super) fn record(row: &Row, kind: &str) -> Result<Item, Failure> {
    let key: String = row.try_get(0)?;
    let (version, schema): (i64, i16) = (row.try_get(1)?, row.try_get(2)?);
    let unreadable = |what: &str| corrupt(kind, &key, format!("its {what} is negative"));
    let version = u64::try_from(version).map_err(|_| unreadable("version"))?;
    let schema = u16::try_from(schema).map_err(|_| unreadable("schema"))?;
    let body: String = row.try_get(4)?;
    let expires_at = row.try_get::<_, Option<i64>>(3)?.map(Timestamp);
    Ok(Item::Record(Kept {
        kind: kind.to_owned(),
        key,
        version,
        schema,
        expires_at,
        body: body.into_bytes(),
    }))
}

/// In the form that all backends share.
pub(super) fn kept_one_time(row: &Row) -> Result<Item, Failure> {
    let (purpose, hash): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let key = format!("{purpose}:{hash}");
    let (state, expires_at) = one_time::state(row, &purpose, &hash)?;
    let version = if matches!(state, State::Live(_)) { 1 } else { 2 };
    let body = serde_json::to_vec(&state).map_err(|error| corrupt(ONE_TIME, &key, error.to_string()))?;
    let expires_at = Some(expires_at);
    Ok(Item::Record(Kept { kind: ONE_TIME.to_owned(), key, version, schema: 1, expires_at, body }))
}

fn end(row: &Row) -> Result<Item, Failure> {
    let chain: String = row.try_get(0)?;
    let sequence = audit::sequence(&chain, row.try_get(1)?)?;
    let hash = audit::hash(&chain, sequence, &row.try_get::<_, Vec<u8>>(2)?)?;
    Ok(Item::End { chain, end: ChainEnd { sequence, hash } })
}
