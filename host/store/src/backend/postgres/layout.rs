//! Tables: made where they are missing, and refused where they are of a newer server.

use std::collections::HashMap;

use agamid_core::time::Timestamp;

use super::connect::Lane;
use super::failure::Failure;
use super::table::Table;
use super::{audit, migrate, one_time};
use crate::error::StoreError;
use crate::layout;
use crate::record::Kind;

/// How the database is laid out. A change of it needs a step in [`bring_up`].
const FORMAT: &str = "1";

const ABOUT: &str = r#"
    CREATE TABLE IF NOT EXISTS about (name text COLLATE "C" PRIMARY KEY, value text NOT NULL)
"#;

pub(super) const MARK: &str = "INSERT INTO about (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Checks the layout, and makes what is missing where that is allowed.
pub(super) async fn bring_up(
    lane: &mut Lane,
    kinds: &[Kind],
    tables: &HashMap<&'static str, Table>,
    allowed: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let opened = |failure: Failure| match failure.into_store_error() {
        StoreError::Unavailable(reason) => StoreError::Open(reason),
        other => other,
    };
    refuse_read_only(lane).await.map_err(opened)?;
    let about = recorded(lane).await.map_err(opened)?;
    if let Some(format) = about.get("format")
        && format != FORMAT
    {
        return Err(StoreError::Open(format!(
            "its layout is {format}, this server knows {FORMAT}: run the server that wrote it, or a newer one"
        )));
    }
    let stale = layout::stale(kinds, |name| Ok(about.get(name).cloned()))?;
    if stale.is_empty() && about.contains_key("format") {
        return Ok(());
    }
    if !allowed {
        return Err(layout::refusal(&stale, !about.contains_key("format")));
    }
    make(lane, &stale, tables).await.map_err(opened)?;
    for kind in stale {
        let Some(table) = tables.get(kind.name) else { continue };
        let cursor = about.get(&layout::cursor_name(kind.name)).map(String::as_str);
        migrate::migrate(lane, kind, table, cursor, now).await.map_err(opened)?;
    }
    Ok(())
}

async fn refuse_read_only(lane: &mut Lane) -> Result<(), Failure> {
    let rows = lane.query(&"SELECT current_setting('transaction_read_only')".into(), &[]).await?;
    let read_only: Option<String> = rows.first().map(|row| row.try_get(0)).transpose()?;
    if read_only.as_deref() == Some("on") {
        let reason = "the database is read-only: point store.url at the primary";
        return Err(StoreError::Open(reason.to_owned()).into());
    }
    Ok(())
}

/// Everything in the table `about`; nothing where there is none.
async fn recorded(lane: &mut Lane) -> Result<HashMap<String, String>, Failure> {
    let rows = lane.query(&"SELECT to_regclass('about') IS NOT NULL".into(), &[]).await?;
    let exists: Option<bool> = rows.first().map(|row| row.try_get(0)).transpose()?;
    if exists != Some(true) {
        return Ok(HashMap::new());
    }
    let rows = lane.query(&"SELECT name, value FROM about".into(), &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Several nodes may start at once: whoever loses a race to make something finds it made.
async fn make(
    lane: &mut Lane,
    missing: &[&Kind],
    tables: &HashMap<&'static str, Table>,
) -> Result<(), Failure> {
    // Making an index of a large table takes longer than any request may.
    lane.client().batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    let mut statements = vec![ABOUT.to_owned(), one_time::LAYOUT.to_owned(), audit::LAYOUT.to_owned()];
    for kind in missing {
        let Some(table) = tables.get(kind.name) else { continue };
        statements.extend(tables_of(table));
    }
    statements.push(record("format", FORMAT));
    for statement in statements {
        let mut tries = 0;
        while let Err(error) = lane.client().batch_execute(&statement).await {
            let failure = Failure::from(error);
            tries += 1;
            // Making the same table twice at the same moment is refused as a duplicate of an inner row.
            if tries > 20 || !(failure.taken().is_some() || failure.is_collision() || failure.is_made()) {
                return Err(failure);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Text of ours, quoted as a literal.
fn record(name: &str, value: &str) -> String {
    let quoted = value.replace('\'', "''");
    format!(
        "INSERT INTO about (name, value) VALUES ('{name}', '{quoted}')
         ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
}

/// The tables of a kind, statement by statement: none of them holds the locks of another.
fn tables_of(table: &Table) -> Vec<String> {
    let kind = table.kind;
    let mut sql = vec![
        format!(
            r#"CREATE TABLE IF NOT EXISTS r_{kind} (
                key text COLLATE "C" PRIMARY KEY,
                version bigint NOT NULL,
                schema smallint NOT NULL,
                expires_at bigint,
                document json NOT NULL
            )"#
        ),
        format!("CREATE INDEX IF NOT EXISTS e_{kind} ON r_{kind} (expires_at) WHERE expires_at IS NOT NULL"),
    ];
    for index in &table.columns {
        let name = index.name;
        sql.push(format!(r#"ALTER TABLE r_{kind} ADD COLUMN IF NOT EXISTS i_{name} text COLLATE "C""#));
        let (unique, shared) = (format!("u_{kind}__{name}"), format!("x_{kind}__{name}"));
        if index.unique {
            sql.push(format!("CREATE UNIQUE INDEX IF NOT EXISTS {unique} ON r_{kind} (i_{name})"));
            sql.push(format!("DROP INDEX IF EXISTS {shared}"));
        } else {
            sql.push(format!("CREATE INDEX IF NOT EXISTS {shared} ON r_{kind} (i_{name}, key)"));
            sql.push(format!("DROP INDEX IF EXISTS {unique}"));
        }
    }
    if !table.many.is_empty() {
        sql.extend([
            format!(
                r#"CREATE TABLE IF NOT EXISTS n_{kind} (
                    index text COLLATE "C" NOT NULL,
                    value text COLLATE "C" NOT NULL,
                    key text COLLATE "C" NOT NULL,
                    alone boolean NOT NULL,
                    PRIMARY KEY (index, value, key)
                )"#
            ),
            format!("CREATE INDEX IF NOT EXISTS k_{kind} ON n_{kind} (key)"),
            format!("CREATE UNIQUE INDEX IF NOT EXISTS m_{kind} ON n_{kind} (index, value) WHERE alone"),
        ]);
    }
    sql
}
