//! Lookups: one round trip each.

use std::sync::Arc;

use tokio_postgres::Row;

use super::failure::Failure;
use super::flight::Value;
use super::table::{READ, Table, visible};
use super::{Inner, one_time};
use crate::backend::{Raw, RawPage};
use crate::error::StoreError;
use crate::one_time::{Peeked, Purpose};
use crate::read::{from_hex, to_hex};
use crate::store::Scan;
use crate::stored::corrupt;

fn raw(row: &Row) -> Result<Raw, Failure> {
    let key: String = row.try_get(0)?;
    let (version, schema): (i64, i16) = (row.try_get(1)?, row.try_get(2)?);
    let body: String = row.try_get(3)?;
    let unreadable = || corrupt("record", &key, "its version or schema is negative");
    Ok(Raw {
        version: u64::try_from(version).map_err(|_| unreadable())?,
        schema: u16::try_from(schema).map_err(|_| unreadable())?,
        body: body.into_bytes(),
        key,
    })
}

/// A scan in SQL.
struct Walk {
    sql: Arc<str>,
    values: Vec<Value>,
}

impl Walk {
    fn new(table: &Table, scan: &Scan, now: i64) -> Result<Self, StoreError> {
        let after = scan.after.as_deref().map(|after| cursor(after, scan.index.is_some())).transpose()?;
        let kind = table.kind;
        let limit = i64::try_from(scan.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let mut values: Vec<Value> = vec![Box::new(now), Box::new(limit)];
        let mut add = |value: String| {
            values.push(Box::new(value));
            format!("${}", values.len())
        };
        let is_many = |index: &str| table.many.iter().any(|many| many.name == index);
        let key = if scan.index.is_some_and(is_many) { "n.key" } else { "r.key" };
        let (from, value) = match scan.index {
            None => (format!("r_{kind} r"), "r.key".to_owned()),
            Some(index) if is_many(index) => (
                format!("n_{kind} n JOIN r_{kind} r ON r.key = n.key AND n.index = '{index}'"),
                "n.value".to_owned(),
            ),
            Some(index) => (format!("r_{kind} r"), format!("r.i_{index}")),
        };
        let mut conditions = vec![visible("$1")];
        if let Some(range) = &scan.range {
            conditions.push(format!("{value} >= {}", add(range.start().clone())));
            conditions.push(format!("{value} <= {}", add(range.end().clone())));
        }
        match (after, scan.index) {
            (Some((_, key)), None) => conditions.push(format!("r.key > {}", add(key))),
            (Some((at, last)), Some(_)) => {
                conditions.push(format!("({value}, {key}) > ({}, {})", add(at), add(last)));
            }
            (None, Some(_)) if scan.range.is_none() => conditions.push(format!("{value} IS NOT NULL")),
            (None, _) => {}
        }
        let order = if scan.index.is_some() { format!("{value}, {key}") } else { value.clone() };
        let conditions = conditions.join(" AND ");
        let sql = format!("SELECT {READ}, {value} FROM {from} WHERE {conditions} ORDER BY {order} LIMIT $2");
        Ok(Self { sql: sql.into(), values })
    }
}

/// Index value and key of a cursor.
fn cursor(text: &str, of_index: bool) -> Result<(String, String), StoreError> {
    let foreign = || StoreError::Invalid("the cursor is not one that a page ended with".to_owned());
    let place = String::from_utf8(from_hex(text)?).map_err(|_| foreign())?;
    if !of_index {
        return if place.contains('\0') { Err(foreign()) } else { Ok((String::new(), place)) };
    }
    let (value, key) = place.split_once('\0').ok_or_else(foreign)?;
    if key.contains('\0') { Err(foreign()) } else { Ok((value.to_owned(), key.to_owned())) }
}

impl Inner {
    pub(super) async fn get(&self, kind: &str, key: &str) -> Result<Option<Raw>, StoreError> {
        let values: Vec<Value> = vec![Box::new(key.to_owned()), Box::new(self.env.now().0)];
        let rows = self.rows(&self.table(kind)?.sql.get, &values).await?;
        rows.first().map(raw).transpose().map_err(Failure::into_store_error)
    }

    pub(super) async fn find(&self, kind: &str, index: &str, value: &str) -> Result<Vec<Raw>, StoreError> {
        let table = self.table(kind)?;
        let sql = if table.many.iter().any(|many| many.name == index) {
            format!(
                "SELECT {READ} FROM n_{kind} n JOIN r_{kind} r ON r.key = n.key
                 WHERE n.index = '{index}' AND n.value = $1 AND {} ORDER BY r.key",
                visible("$2")
            )
        } else {
            format!(
                "SELECT {READ} FROM r_{kind} r WHERE r.i_{index} = $1 AND {} ORDER BY r.key",
                visible("$2")
            )
        };
        let values: Vec<Value> = vec![Box::new(value.to_owned()), Box::new(self.env.now().0)];
        let rows = self.rows(&sql.into(), &values).await?;
        rows.iter().map(raw).collect::<Result<_, _>>().map_err(Failure::into_store_error)
    }

    pub(super) async fn scan(&self, kind: &str, scan: &Scan) -> Result<RawPage, StoreError> {
        let walk = Walk::new(self.table(kind)?, scan, self.env.now().0)?;
        let mut rows = self.rows(&walk.sql, &walk.values).await?;
        let more = rows.len() > scan.limit;
        rows.truncate(scan.limit);
        let read = || -> Result<RawPage, Failure> {
            let records = rows.iter().map(raw).collect::<Result<Vec<_>, _>>()?;
            let next = match (rows.last(), records.last()) {
                (Some(row), Some(last)) if more => {
                    let value: String = row.try_get(4)?;
                    let place = if scan.index.is_some() { format!("{value}\0{}", last.key) } else { value };
                    Some(to_hex(place.as_bytes()))
                }
                _ => None,
            };
            Ok((records, next))
        };
        read().map_err(Failure::into_store_error)
    }

    pub(super) async fn peek(&self, purpose: Purpose, hash: &str) -> Result<Peeked, StoreError> {
        let values: Vec<Value> =
            vec![Box::new(purpose.name()), Box::new(hash.to_owned()), Box::new(self.env.now().0)];
        let rows = self.rows(&one_time::PEEK.into(), &values).await?;
        let Some(row) = rows.first() else { return Ok(Peeked::Absent) };
        one_time::peeked(row, purpose, hash).map_err(Failure::into_store_error)
    }

    /// Asks for a write, for a database that only reads must not look healthy.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let sql = "SELECT current_setting('transaction_read_only')".into();
        let rows = self.rows(&sql, &[]).await?;
        let read_only = rows.first().map(|row| row.try_get::<_, String>(0)).transpose();
        match read_only.map_err(|error| Failure::from(error).into_store_error())?.as_deref() {
            Some("on") => Err(StoreError::Unavailable(
                "the database is read-only: point store.url at the primary".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}
