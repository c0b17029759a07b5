//! Migration of a table, in steps that are transactions: killed anywhere, it goes on where it was. Several nodes may do
//! it at once: whoever comes second finds the rows locked, then done.

use agamid_core::time::Timestamp;

use super::connect::Lane;
use super::failure::Failure;
use super::flight::{Begin, Step, Value, fly};
use super::layout::MARK;
use super::table::Table;
use crate::error::StoreError;
use crate::layout::{self, Cursor, Recorded};
use crate::record::Kind;
use crate::rules::conflict;

/// How many records a step deals with.
const STEP: usize = 64;

/// How many steps lie between two lines of progress.
const TELL_EVERY: usize = 100;

/// Rewrites all records of a kind as it describes them today.
pub(super) async fn migrate(
    lane: &mut Lane,
    kind: &Kind,
    table: &Table,
    cursor: Option<&str>,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut after = Cursor::after(kind, cursor);
    let mut done = 0;
    for number in 0.. {
        let moved = step(lane, kind, table, &mut after, now).await?;
        done += moved;
        let over = moved == 0;
        if over || number % TELL_EVERY == 0 {
            tracing::info!(event = "store.migrating", kind = kind.name, schema = kind.schema, done, over);
        }
        if over {
            break;
        }
    }
    Ok(())
}

async fn step(
    lane: &mut Lane,
    kind: &Kind,
    table: &Table,
    after: &mut String,
    now: Timestamp,
) -> Result<usize, Failure> {
    let name = kind.name;
    let read = format!(
        "SELECT key, schema, document::text FROM r_{name}
         WHERE key > $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY key LIMIT {STEP} FOR UPDATE"
    );
    lane.open("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let rows = lane.query(&read.into(), &[Box::new(after.clone()), Box::new(now.0)]).await?;
    let (mut steps, mut keys) = (Vec::new(), Vec::new());
    for row in &rows {
        let (key, schema, body): (String, i16, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let negative = || crate::stored::corrupt(name, &key, "its schema is negative");
        let schema = u16::try_from(schema).map_err(|_| negative())?;
        let document = layout::renewed(kind, &key, schema, body.as_bytes())?;
        table.renew(&mut steps, &document, now)?;
        keys.resize(steps.len(), key.clone());
        after.clone_from(&key);
    }
    let cursor = layout::cursor_name(name);
    if rows.is_empty() {
        steps.push(mark(&layout::kind_name(name), Recorded::of(kind).text()?));
        let values: Vec<Value> = vec![Box::new(cursor)];
        steps.push(Step { sql: "DELETE FROM about WHERE name = $1".into(), values });
    } else {
        steps.push(mark(&cursor, Cursor::text(kind, after)?));
    }
    let landed = fly(lane, Begin::Inside, &steps).await;
    match landed {
        Ok(_) => {
            lane.settled();
            Ok(rows.len())
        }
        Err((at, failure)) => Err(match (failure.taken(), keys.get(at)) {
            (Some(index), Some(key)) => taken(name, key, &index).into(),
            _ => failure,
        }),
    }
}

fn taken(kind: &str, key: &str, index: &str) -> StoreError {
    let reason = format!("another record has the same value in the unique index {index}: change one of them");
    conflict(kind, key, reason)
}

fn mark(name: &str, value: String) -> Step {
    Step { sql: MARK.into(), values: vec![Box::new(name.to_owned()), Box::new(value)] }
}
