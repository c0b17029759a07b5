//! The SQL of a kind, written once at opening from its declaration.

use std::fmt::Write as _;
use std::sync::Arc;

use super::flight::{Step, Value};
use crate::backend::{Document, Entry};
use crate::batch::Expect;
use crate::error::StoreError;
use crate::record::{Index, Kind};

use agamid_core::time::Timestamp;

/// A kind's table.
pub(super) struct Table {
    pub(super) kind: &'static str,
    /// Indexes with one entry a record: a column each.
    pub(super) columns: Vec<Index>,
    /// Indexes with many entries: rows of a second table.
    pub(super) many: Vec<Index>,
    pub(super) sql: Sql,
}

/// The statements.
pub(super) struct Sql {
    pub(super) get: Arc<str>,
    put_any: Arc<str>,
    put_absent: Arc<str>,
    load: Arc<str>,
    renew: Arc<str>,
    put_version: Arc<str>,
    delete_any: Arc<str>,
    delete_version: Arc<str>,
    require_version: Arc<str>,
    require_absent: [Arc<str>; 2],
    delete_expired: Arc<str>,
    drop_entries: Arc<str>,
    drop_orphans: Arc<str>,
    add_entries: Arc<str>,
    pub(super) lock: Arc<str>,
    pub(super) sweep: Arc<str>,
}

/// What is read of a record: `Raw` in this order.
pub(super) const READ: &str = "r.key, r.version, r.schema, r.document::text";

/// Not expired at the time in this placeholder.
pub(super) fn visible(now: &str) -> String {
    format!("(r.expires_at IS NULL OR r.expires_at > {now})")
}

/// Fails the statement when nothing was done.
fn must(statement: &str) -> Arc<str> {
    format!("WITH done AS ({statement} RETURNING 1) SELECT 1 / count(*) FROM done").into()
}

impl Table {
    pub(super) fn new(kind: &Kind) -> Result<Self, StoreError> {
        let name = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            // The names of tables and indexes are made of these, with `__` between, and must not be cut off.
            let fits = !text.is_empty() && text.len() <= 28 && !text.contains("__") && !text.ends_with('_');
            if plain && fits { Ok(()) } else { Err(text.to_owned()) }
        };
        let names = std::iter::once(kind.name).chain(kind.indexes.iter().map(|index| index.name));
        for text in names {
            name(text).map_err(|text| {
                StoreError::Open(format!("{text:?} cannot be the name of a kind or index"))
            })?;
        }
        let (many, columns): (Vec<Index>, Vec<Index>) = kind.indexes.iter().partition(|index| index.many);
        let sql = Sql::new(kind.name, &columns, !many.is_empty());
        Ok(Self { kind: kind.name, columns, many, sql })
    }

    /// Key, schema, end, document, now, and the columns, as the statements number them.
    fn values(&self, document: &Document, now: Timestamp) -> Result<Vec<Value>, StoreError> {
        let schema = i16::try_from(document.schema).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let body =
            String::from_utf8(document.body.clone()).map_err(|e| StoreError::Invalid(e.to_string()))?;
        let mut values: Vec<Value> = vec![
            Box::new(document.key.clone()),
            Box::new(schema),
            Box::new(document.expires_at.map(|end| end.0)),
            Box::new(body),
            Box::new(now.0),
        ];
        for column in &self.columns {
            let entry = document.indexes.iter().find(|entry| entry.index == column.name);
            values.push(Box::new(entry.map(|entry| entry.value.clone())));
        }
        Ok(values)
    }

    pub(super) fn put(
        &self,
        steps: &mut Vec<Step>,
        document: &Document,
        expect: Expect,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut values = self.values(document, now)?;
        let sql = match expect {
            Expect::Any => &self.sql.put_any,
            Expect::Absent => &self.sql.put_absent,
            Expect::Version(version) => {
                values.push(Box::new(number(version)));
                &self.sql.put_version
            }
        };
        steps.push(Step::new(sql, values));
        if !self.many.is_empty() {
            self.put_entries(steps, document);
        }
        Ok(())
    }

    /// Writes a record of this version where none is.
    pub(super) fn load(
        &self,
        steps: &mut Vec<Step>,
        document: &Document,
        version: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut values = self.values(document, now)?;
        values.push(Box::new(number(version)));
        steps.push(Step::new(&self.sql.load, values));
        if !self.many.is_empty() {
            self.put_entries(steps, document);
        }
        Ok(())
    }

    /// Writes over a record that is locked, without a new version.
    pub(super) fn renew(
        &self,
        steps: &mut Vec<Step>,
        document: &Document,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        steps.push(Step::new(&self.sql.renew, self.values(document, now)?));
        if !self.many.is_empty() {
            self.put_entries(steps, document);
        }
        Ok(())
    }

    fn put_entries(&self, steps: &mut Vec<Step>, document: &Document) {
        let entries: Vec<_> = document.indexes.iter().filter(|entry| entry.many).collect();
        let names: Vec<String> = entries.iter().map(|entry| entry.index.to_owned()).collect();
        let texts: Vec<String> = entries.iter().map(|entry| entry.value.clone()).collect();
        let alone: Vec<bool> = entries.iter().map(|entry| entry.unique).collect();
        let key = &document.key;
        steps.push(Step::new(
            &self.sql.drop_entries,
            vec![Box::new(key.clone()), Box::new(names.clone()), Box::new(texts.clone())],
        ));
        if !entries.is_empty() {
            let values: Vec<Value> =
                vec![Box::new(key.clone()), Box::new(names), Box::new(texts), Box::new(alone)];
            steps.push(Step::new(&self.sql.add_entries, values));
        }
    }

    pub(super) fn delete(&self, steps: &mut Vec<Step>, key: &str, expect: Expect, now: Timestamp) {
        match expect {
            Expect::Version(version) => {
                let values: Vec<Value> =
                    vec![Box::new(key.to_owned()), Box::new(now.0), Box::new(number(version))];
                steps.push(Step::new(&self.sql.delete_version, values));
            }
            // What is there and expired is as good as absent.
            Expect::Absent => self.require(steps, key, expect, now),
            Expect::Any => steps.push(Step::new(&self.sql.delete_any, vec![Box::new(key.to_owned())])),
        }
        self.drop_orphans(steps, key);
    }

    pub(super) fn require(&self, steps: &mut Vec<Step>, key: &str, expect: Expect, now: Timestamp) {
        match expect {
            Expect::Any => {}
            Expect::Version(version) => {
                let values: Vec<Value> =
                    vec![Box::new(key.to_owned()), Box::new(now.0), Box::new(number(version))];
                steps.push(Step::new(&self.sql.require_version, values));
            }
            Expect::Absent => {
                let [place, clear] = &self.sql.require_absent;
                steps.push(Step::new(place, vec![Box::new(key.to_owned()), Box::new(now.0)]));
                steps.push(Step::new(clear, vec![Box::new(key.to_owned())]));
                self.drop_orphans(steps, key);
            }
        }
    }

    /// The unique entry that an index of the database is about. That of a partition has a name that says nothing.
    pub(super) fn entry_of<'a>(&self, index: &str, document: &'a Document) -> Option<&'a Entry> {
        let kind = self.kind;
        document.indexes.iter().filter(|entry| entry.unique).find(|entry| {
            if entry.many {
                index == format!("m_{kind}")
            } else {
                index == format!("u_{kind}__{}", entry.index)
            }
        })
    }

    /// Reads the keys of the other records that hold a unique value of this document: all of its values, or one.
    pub(super) fn holders(&self, only: Option<&Entry>, document: &Document) -> Vec<Step> {
        let kind = self.kind;
        let concerned = |entry: &&Entry| entry.unique && only.is_none_or(|only| only.index == entry.index);
        let steps = document.indexes.iter().filter(concerned).map(|entry| {
            let name = entry.index;
            let sql = if entry.many {
                format!(
                    "SELECT key FROM n_{kind} WHERE index = '{name}' AND value = $1 AND alone AND key <> $2"
                )
            } else {
                format!("SELECT key FROM r_{kind} WHERE i_{name} = $1 AND key <> $2")
            };
            Step {
                sql: sql.into(),
                values: vec![Box::new(entry.value.clone()), Box::new(document.key.clone())],
            }
        });
        steps.collect()
    }

    /// Removes a record that has expired, with all that points to it. It is locked first: one that is being renewed
    /// stays.
    pub(super) fn clear_expired(&self, key: &str, now: Timestamp) -> Vec<Step> {
        let key = || Box::new(key.to_owned());
        let mut steps = vec![
            Step::new(&self.sql.lock, vec![key()]),
            Step::new(&self.sql.delete_expired, vec![key(), Box::new(now.0)]),
        ];
        self.drop_orphans(&mut steps, &key());
        steps
    }

    /// Removes the entries of a record that is not there.
    fn drop_orphans(&self, steps: &mut Vec<Step>, key: &str) {
        if !self.many.is_empty() {
            steps.push(Step::new(&self.sql.drop_orphans, vec![Box::new(key.to_owned())]));
        }
    }
}

/// A version as the database counts.
fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

impl Sql {
    fn new(kind: &str, columns: &[Index], has_many: bool) -> Self {
        let (mut names, mut places, mut sets, mut updates) =
            (String::new(), String::new(), String::new(), String::new());
        for (at, column) in columns.iter().enumerate() {
            let (name, place) = (column.name, at + 6);
            // Writing to a String does not fail.
            let _ = write!(names, ", i_{name}");
            let _ = write!(places, ", ${place}");
            let _ = write!(sets, ", i_{name} = excluded.i_{name}");
            let _ = write!(updates, ", i_{name} = ${place}");
        }
        let last = columns.len() + 6;
        let table = format!("r_{kind}");
        let insert = format!(
            "INSERT INTO {table} AS r (key, version, schema, expires_at, document{names})
             VALUES ($1, 1, $2, $3, $4::text::json{places})
             ON CONFLICT (key) DO UPDATE SET schema = excluded.schema, expires_at = excluded.expires_at,
             document = excluded.document{sets}"
        );
        let gone = if has_many {
            format!(", entries AS (DELETE FROM n_{kind} WHERE key IN (SELECT key FROM gone))")
        } else {
            String::new()
        };
        Self {
            get: format!("SELECT {READ} FROM {table} r WHERE r.key = $1 AND {}", visible("$2")).into(),
            put_any: format!(
                "{insert}, version = CASE WHEN r.expires_at <= $5 THEN 1 ELSE r.version + 1 END"
            )
            .into(),
            put_absent: must(&format!("{insert}, version = 1 WHERE r.expires_at <= $5")),
            load: must(&format!(
                "{}, version = excluded.version WHERE r.expires_at <= $5",
                insert.replacen("VALUES ($1, 1,", &format!("VALUES ($1, ${last},"), 1)
            )),
            renew: format!(
                "UPDATE {table} r SET schema = $2, expires_at = $3, document = $4::text::json{updates}
                 WHERE r.key = $1 AND $5::bigint IS NOT NULL"
            )
            .into(),
            put_version: must(&format!(
                "UPDATE {table} r SET version = r.version + 1, schema = $2, expires_at = $3,
                 document = $4::text::json{updates}
                 WHERE r.key = $1 AND r.version = ${last} AND {}",
                visible("$5")
            )),
            delete_any: format!("DELETE FROM {table} r WHERE r.key = $1").into(),
            delete_version: must(&format!(
                "DELETE FROM {table} r WHERE r.key = $1 AND r.version = $3 AND {}",
                visible("$2")
            )),
            require_version: format!(
                "SELECT 1 / count(*) FROM (SELECT 1 FROM {table} r
                 WHERE r.key = $1 AND r.version = $3 AND {} FOR SHARE) met",
                visible("$2")
            )
            .into(),
            // Nothing can be locked where nothing is: a row that goes again before the end keeps others out till then.
            require_absent: [
                must(&format!(
                    "INSERT INTO {table} AS r (key, version, schema, document) VALUES ($1, 0, 0, 'null')
                     ON CONFLICT (key) DO UPDATE SET version = 0 WHERE r.expires_at <= $2"
                )),
                format!("DELETE FROM {table} r WHERE r.key = $1").into(),
            ],
            delete_expired: format!("DELETE FROM {table} WHERE key = $1 AND expires_at <= $2 RETURNING 1")
                .into(),
            drop_orphans: format!(
                "DELETE FROM n_{kind} n WHERE n.key = $1 AND NOT EXISTS (SELECT 1 FROM {table} WHERE key = $1)
                 RETURNING 1"
            )
            .into(),
            drop_entries: format!(
                "DELETE FROM n_{kind} n WHERE n.key = $1 AND NOT EXISTS
                 (SELECT 1 FROM unnest($2::text[], $3::text[]) AS kept (index, value)
                  WHERE kept.index = n.index AND kept.value = n.value)"
            )
            .into(),
            add_entries: format!(
                "INSERT INTO n_{kind} (key, index, value, alone)
                 SELECT $1, added.* FROM unnest($2::text[], $3::text[], $4::bool[]) AS added
                 ON CONFLICT (index, value, key) DO NOTHING"
            )
            .into(),
            lock: format!("SELECT 1 FROM {table} WHERE key = $1 FOR UPDATE").into(),
            sweep: format!(
                "WITH old AS (SELECT key FROM {table} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
                              FOR UPDATE SKIP LOCKED),
                 gone AS (DELETE FROM {table} r USING old WHERE r.key = old.key RETURNING r.key){gone}
                 SELECT count(*) FROM gone"
            )
            .into(),
        }
    }
}
