//! One-time records in SQL. A used one stays as its tombstone: the same row, without its payload.

use tokio_postgres::Row;

use super::failure::Failure;
use super::flight::{Step, Value};
use crate::backend::Document;
use crate::error::StoreError;
use crate::one_time::{Consume, OneTime, Peeked, Purpose, Tombstone};
use crate::rules::{ONE_TIME, State};
use crate::stored::corrupt;

use agamid_core::time::Timestamp;

pub(super) const LAYOUT: &str = r#"
    CREATE TABLE IF NOT EXISTS one_time (
        purpose text COLLATE "C" NOT NULL,
        hash text COLLATE "C" NOT NULL,
        client text, person text, session text, run text, address text, family text,
        payload json,
        expires_at bigint NOT NULL,
        used_at bigint,
        remains json,
        PRIMARY KEY (purpose, hash)
    );
    CREATE INDEX IF NOT EXISTS e_one_time ON one_time (expires_at)
"#;

const ISSUE: &str = "
    WITH done AS (
        INSERT INTO one_time AS o
            (purpose, hash, client, person, session, run, address, family, payload, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json, $10)
        ON CONFLICT (purpose, hash) DO UPDATE SET client = excluded.client, person = excluded.person,
            session = excluded.session, run = excluded.run, address = excluded.address, family = excluded.family,
            payload = excluded.payload, expires_at = excluded.expires_at, used_at = NULL, remains = NULL
        WHERE o.expires_at <= $11
        RETURNING 1)
    SELECT 1 / count(*) FROM done";

const CONSUME: &str = "
    WITH live AS (
        SELECT client, person, session, run, address, family, payload::text AS payload, expires_at FROM one_time
        WHERE purpose = $1 AND hash = $2 AND expires_at > $3 AND used_at IS NULL
            AND ($4::text IS NULL OR client = $4) AND ($5::text IS NULL OR person = $5)
            AND ($6::text IS NULL OR session = $6) AND ($7::text IS NULL OR run = $7)
            AND ($8::text IS NULL OR address = $8)
        FOR UPDATE),
    done AS (
        UPDATE one_time o SET used_at = $3, payload = NULL, remains = $9::text::json FROM live
        WHERE o.purpose = $1 AND o.hash = $2 RETURNING 1)
    SELECT live.*, 1 / (SELECT count(*) FROM done) FROM (SELECT 1) AS always LEFT JOIN live ON true";

const BURN: &str = "UPDATE one_time SET used_at = $3, payload = NULL, remains = NULL
    WHERE purpose = $1 AND hash = $2 AND expires_at > $3 AND used_at IS NULL";

/// Reads all there is, used or not.
pub(super) const PEEK: &str = "
    SELECT client, person, session, run, address, family, payload::text, expires_at, used_at, remains::text
    FROM one_time WHERE purpose = $1 AND hash = $2 AND expires_at > $3";

/// The same, and nobody else may use it up meanwhile.
pub(super) const HOLD: &str = "
    SELECT client, person, session, run, address, family, payload::text, expires_at, used_at, remains::text
    FROM one_time WHERE purpose = $1 AND hash = $2 AND expires_at > $3 FOR UPDATE";

pub(super) const SWEEP: &str = "
    WITH old AS (SELECT purpose, hash FROM one_time WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
                 FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM one_time o USING old WHERE o.purpose = old.purpose AND o.hash = old.hash RETURNING 1)
    SELECT count(*) FROM gone";

/// All there is, behind purpose and hash.
pub(super) const STATE: &str =
    "client, person, session, run, address, family, payload::text, expires_at, used_at, remains::text";

const LOAD: &str = "
    WITH done AS (
        INSERT INTO one_time AS o (purpose, hash, client, person, session, run, address, family, payload, expires_at,
            used_at, remains)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json, $10, $11, $12::text::json)
        ON CONFLICT (purpose, hash) DO UPDATE SET client = excluded.client, person = excluded.person,
            session = excluded.session, run = excluded.run, address = excluded.address, family = excluded.family,
            payload = excluded.payload, expires_at = excluded.expires_at, used_at = excluded.used_at,
            remains = excluded.remains
        WHERE o.expires_at <= $13
        RETURNING 1)
    SELECT 1 / count(*) FROM done";

/// Writes a record, used or not, where none is.
pub(super) fn load(steps: &mut Vec<Step>, document: &Document, now: Timestamp) -> Result<(), StoreError> {
    let key = &document.key;
    let unreadable = |cause: String| corrupt(ONE_TIME, key, cause);
    let state: State =
        serde_json::from_slice(&document.body).map_err(|error| unreadable(error.to_string()))?;
    let (purpose, hash) =
        key.split_once(':').ok_or_else(|| unreadable("its key has no purpose".to_owned()))?;
    let ends = document.expires_at.ok_or_else(|| unreadable("it has no end".to_owned()))?;
    let mut values: Vec<Value> = vec![Box::new(purpose.to_owned()), Box::new(hash.to_owned())];
    let (texts, payload, used_at, left) = match &state {
        State::Live(o) => (
            [&o.client, &o.person, &o.session, &o.run, &o.address, &o.family],
            Some(json(&o.payload)?),
            None,
            None,
        ),
        State::Used(tombstone) => {
            let left = tombstone.left.as_ref().map(json).transpose()?;
            ([&None, &None, &None, &None, &None, &tombstone.family], None, Some(tombstone.used_at.0), left)
        }
    };
    for text in texts {
        values.push(Box::new(text.clone()));
    }
    values.push(Box::new(payload));
    values.push(Box::new(ends.0));
    values.push(Box::new(used_at));
    values.push(Box::new(left));
    values.push(Box::new(now.0));
    steps.push(Step { sql: LOAD.into(), values });
    Ok(())
}

/// What a row says whose first columns are purpose and hash, and the others [`STATE`]; with its end.
pub(super) fn state(row: &Row, purpose: &str, hash: &str) -> Result<(State, Timestamp), Failure> {
    let unreadable = |cause: String| corrupt(ONE_TIME, &format!("{purpose}:{hash}"), cause);
    let json = |text: Option<String>| {
        let value = text.map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(|error: serde_json::Error| unreadable(error.to_string()))
    };
    let expires_at = Timestamp(row.try_get(9)?);
    if let Some(used_at) = row.try_get::<_, Option<i64>>(10)? {
        let left = json(row.try_get(11)?)?;
        let family = row.try_get(7)?;
        return Ok((State::Used(Tombstone { family, used_at: Timestamp(used_at), left }), expires_at));
    }
    let known = Purpose::of_name(purpose).ok_or_else(|| unreadable("an unknown purpose".to_owned()))?;
    let payload = json(row.try_get(8)?)?.unwrap_or_default();
    let one_time = OneTime {
        purpose: known,
        hash: hash.to_owned(),
        client: row.try_get(2)?,
        person: row.try_get(3)?,
        session: row.try_get(4)?,
        run: row.try_get(5)?,
        address: row.try_get(6)?,
        family: row.try_get(7)?,
        payload,
        expires_at,
    };
    Ok((State::Live(one_time), expires_at))
}

fn place(purpose: Purpose, hash: &str) -> Vec<Value> {
    vec![Box::new(purpose.name()), Box::new(hash.to_owned())]
}

/// JSON as it is written into a column.
fn json(value: &serde_json::Value) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Invalid(format!("a one_time cannot be written as JSON: {error}")))
}

pub(super) fn issue(steps: &mut Vec<Step>, record: &OneTime, now: Timestamp) -> Result<(), StoreError> {
    let mut values = place(record.purpose, &record.hash);
    for text in
        [&record.client, &record.person, &record.session, &record.run, &record.address, &record.family]
    {
        values.push(Box::new(text.clone()));
    }
    values.push(Box::new(json(&record.payload)?));
    values.push(Box::new(record.expires_at.0));
    values.push(Box::new(now.0));
    steps.push(Step { sql: ISSUE.into(), values });
    Ok(())
}

pub(super) fn consume(steps: &mut Vec<Step>, consume: &Consume, now: Timestamp) -> Result<(), StoreError> {
    let mut values = place(consume.purpose, &consume.hash);
    values.push(Box::new(now.0));
    for text in [&consume.client, &consume.person, &consume.session, &consume.run, &consume.address] {
        values.push(Box::new(text.clone()));
    }
    values.push(Box::new(consume.leave.as_ref().map(json).transpose()?));
    steps.push(Step { sql: CONSUME.into(), values });
    Ok(())
}

pub(super) fn burn(steps: &mut Vec<Step>, consume: &Consume, now: Timestamp) {
    let mut values = place(consume.purpose, &consume.hash);
    values.push(Box::new(now.0));
    steps.push(Step { sql: BURN.into(), values });
}

/// The record that a consumption used up.
pub(super) fn consumed(row: &Row, consume: &Consume) -> Result<OneTime, Failure> {
    read(row, consume.purpose, &consume.hash)
}

fn read(row: &Row, purpose: Purpose, hash: &str) -> Result<OneTime, Failure> {
    let payload: String = row.try_get(6)?;
    let payload =
        serde_json::from_str(&payload).map_err(|error| corrupt("one_time", hash, error.to_string()))?;
    Ok(OneTime {
        purpose,
        hash: hash.to_owned(),
        client: row.try_get(0)?,
        person: row.try_get(1)?,
        session: row.try_get(2)?,
        run: row.try_get(3)?,
        address: row.try_get(4)?,
        family: row.try_get(5)?,
        payload,
        expires_at: Timestamp(row.try_get(7)?),
    })
}

/// What a row of [`PEEK`] or [`HOLD`] says.
pub(super) fn peeked(row: &Row, purpose: Purpose, hash: &str) -> Result<Peeked, Failure> {
    let Some(used_at) = row.try_get::<_, Option<i64>>(8)? else {
        return Ok(Peeked::Live(Box::new(read(row, purpose, hash)?)));
    };
    let left: Option<String> = row.try_get(9)?;
    let left = left.map(|left| serde_json::from_str(&left)).transpose();
    let left = left.map_err(|error| corrupt("one_time", hash, error.to_string()))?;
    Ok(Peeked::Used(Tombstone { family: row.try_get(5)?, used_at: Timestamp(used_at), left }))
}
