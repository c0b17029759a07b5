//! A look at every row, in one transaction that reads a snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use agamid_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio_postgres::Row;

use super::Inner;
use super::connect::Lane;
use super::dump::{BEGIN, Walk, kept_one_time, record, unended};
use super::failure::Failure;
use super::table::Table;
use crate::backend::item::{Item, Kept, Stride};
use crate::check::{self, Entries, Finding, News, RESTORE, REWRITE, Severity, Times, tell};
use crate::error::StoreError;
use crate::record::Kind;

/// How many strays of a table are named.
const STRAYS: usize = 20;

impl Inner {
    pub(super) async fn check(&self, kinds: &[Kind], out: &mpsc::Sender<News>) -> Result<(), StoreError> {
        let mut lane = self.pool.manager().connector().first_lane().await?;
        let broken = |error| Failure::from(error).into_store_error();
        lane.open(BEGIN).await.map_err(broken)?;
        let now = self.env.now();
        let mut tables: Vec<&Table> = self.tables.values().collect();
        tables.sort_by_key(|table| table.kind);
        for table in tables {
            self.check_table(&mut lane, kinds, table, now, out).await?;
            check_strays(&mut lane, table, out).await?;
        }
        let walk = Walk::new(
            "one_time",
            &[("purpose", "text"), ("hash", "text")],
            super::one_time::STATE,
            &unended(now),
        );
        let (mut last, mut stride) = (None, Stride::new());
        loop {
            let mut rows =
                walk.rows(&mut lane, last.as_ref(), &mut stride).await.map_err(Failure::into_store_error)?;
            for row in &rows {
                if let Err(failure) = kept_one_time(row) {
                    tell(out, News::Found(unreadable(failure)?)).await?;
                }
            }
            tell(out, News::Looked(u64::try_from(rows.len()).unwrap_or(0))).await?;
            last = rows.pop();
            if last.is_none() {
                break;
            }
        }
        lane.settle("COMMIT").await.map_err(broken)
    }

    async fn check_table(
        &self,
        lane: &mut Lane,
        kinds: &[Kind],
        table: &Table,
        now: Timestamp,
        out: &mpsc::Sender<News>,
    ) -> Result<(), StoreError> {
        let mut columns = "version, schema, expires_at, document::text".to_owned();
        for column in &table.columns {
            columns.push_str(&format!(", i_{}", column.name));
        }
        let walk = Walk::new(&format!("r_{}", table.kind), &[("key", "text")], &columns, &unended(now));
        let (mut last, mut stride): (Option<Row>, _) = (None, Stride::new());
        loop {
            let mut rows =
                walk.rows(lane, last.as_ref(), &mut stride).await.map_err(Failure::into_store_error)?;
            let mut many = many(lane, table, &rows).await.map_err(Failure::into_store_error)?;
            for row in &rows {
                if let Some(finding) = look(kinds, table, row, &mut many)? {
                    tell(out, News::Found(finding)).await?;
                }
            }
            tell(out, News::Looked(u64::try_from(rows.len()).unwrap_or(0))).await?;
            last = rows.pop();
            if last.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) async fn times(&self) -> Result<Times, StoreError> {
        let sql: Arc<str> = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, max(a.at)
            FROM audit_chain c JOIN audit a ON a.chain = c.chain AND a.sequence = c.sequence"
            .into();
        let rows = self.rows(&sql, &[]).await?;
        let Some(row) = rows.first() else { return Ok(Times::default()) };
        let time = |at: usize| row.try_get::<_, Option<i64>>(at).map(|time| time.map(Timestamp));
        let read = || Ok(Times { database: time(0)?, newest: time(1)? });
        read().map_err(|error: tokio_postgres::Error| Failure::from(error).into_store_error())
    }
}

/// The rows of the second table that belong to these records.
async fn many(lane: &mut Lane, table: &Table, rows: &[Row]) -> Result<HashMap<String, Entries>, Failure> {
    let mut found: HashMap<String, Entries> = HashMap::new();
    if table.many.is_empty() {
        return Ok(found);
    }
    let keys = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    let sql = format!("SELECT key, index, value FROM n_{} WHERE key = ANY($1)", table.kind);
    for row in lane.query(&sql.into(), &[Box::new(keys)]).await? {
        found.entry(row.try_get(0)?).or_default().insert((row.try_get(1)?, row.try_get(2)?));
    }
    Ok(found)
}

fn look(
    kinds: &[Kind],
    table: &Table,
    row: &Row,
    many: &mut HashMap<String, Entries>,
) -> Result<Option<Finding>, StoreError> {
    let kept: Kept = match record(row, table.kind) {
        Ok(Item::Record(kept)) => kept,
        Ok(_) => return Ok(None),
        Err(failure) => return unreadable(failure).map(Some),
    };
    let mut entries = many.remove(&kept.key).unwrap_or_default();
    for (at, column) in table.columns.iter().enumerate() {
        let value: Option<String> = row.try_get(at + 5).map_err(|e| Failure::from(e).into_store_error())?;
        entries.extend(value.map(|value| (column.name.to_owned(), value)));
    }
    Ok(check::record(kinds, &kept, &entries))
}

/// What does not fit into its type is a finding; a database that fails ends the check.
fn unreadable(failure: Failure) -> Result<Finding, StoreError> {
    match failure.into_store_error() {
        StoreError::Corrupt { kind, key, cause } => Ok(Finding::of_record(&kind, &key, cause, RESTORE)),
        other => Err(other),
    }
}

async fn check_strays(lane: &mut Lane, table: &Table, out: &mpsc::Sender<News>) -> Result<(), StoreError> {
    if table.many.is_empty() {
        return Ok(());
    }
    let kind = table.kind;
    let sql = format!(
        "SELECT n.key, n.index FROM n_{kind} n LEFT JOIN r_{kind} r ON r.key = n.key WHERE r.key IS NULL LIMIT {STRAYS}"
    );
    let rows = lane.query(&sql.into(), &[]).await.map_err(|e| Failure::from(e).into_store_error())?;
    for row in rows {
        let read = || Ok((row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?));
        let (key, index) = read().map_err(|e: tokio_postgres::Error| Failure::from(e).into_store_error())?;
        let what = format!("stands in the index {index} and does not exist");
        tell(out, News::Found(Finding::new(Severity::Error, format!("{kind} {key}"), what, REWRITE))).await?;
    }
    Ok(())
}
