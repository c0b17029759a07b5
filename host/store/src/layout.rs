//! What a store remembers of the kinds it holds, so that a newer or older server knows what it meets: for each kind its
//! schema and indexes, and how far a migration has come.

use serde::{Deserialize, Serialize};

use crate::backend::Document;
use crate::error::StoreError;
use crate::record::Kind;
use crate::stored::corrupt;

/// What is recorded of a kind. A store of the time before schemas were recorded has schema 0 and is looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    #[serde(default)]
    schema: u16,
    #[serde(default)]
    indexes: Vec<String>,
}

impl Recorded {
    pub(crate) fn of(kind: &Kind) -> Self {
        let mut indexes: Vec<String> = kind
            .indexes
            .iter()
            .map(|index| {
                let unique = if index.unique { " unique" } else { "" };
                let many = if index.many { " many" } else { "" };
                format!("{}{unique}{many}", index.name)
            })
            .collect();
        indexes.sort();
        Self { schema: kind.schema, indexes }
    }

    pub(crate) fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Open(error.to_string()))
    }
}

/// How far the migration of a kind has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    schema: u16,
    /// The last key that was dealt with.
    after: String,
}

impl Cursor {
    pub(crate) fn text(kind: &Kind, after: &str) -> Result<String, StoreError> {
        let cursor = Self { schema: kind.schema, after: after.to_owned() };
        serde_json::to_string(&cursor).map_err(|error| StoreError::Open(error.to_string()))
    }

    /// Where to go on; at the beginning where the migration was one to another schema.
    pub(crate) fn after(kind: &Kind, text: Option<&str>) -> String {
        let cursor = text.and_then(|text| serde_json::from_str::<Self>(text).ok());
        cursor.filter(|cursor| cursor.schema == kind.schema).map_or_else(String::new, |cursor| cursor.after)
    }
}

/// The name under which a kind is recorded.
pub(crate) fn kind_name(kind: &str) -> String {
    format!("kind/{kind}")
}

/// The name under which the migration of a kind is.
pub(crate) fn cursor_name(kind: &str) -> String {
    format!("migrate/{kind}")
}

/// The kinds that are not as this server knows them.
///
/// # Errors
/// `Open` where a newer server has written: nothing must be changed then.
pub(crate) fn stale(
    kinds: &[Kind],
    about: impl Fn(&str) -> Result<Option<String>, StoreError>,
) -> Result<Vec<&Kind>, StoreError> {
    let mut stale = Vec::new();
    for kind in kinds {
        let recorded = about(&kind_name(kind.name))?;
        let recorded = recorded.and_then(|text| serde_json::from_str::<Recorded>(&text).ok());
        let cursor = about(&cursor_name(kind.name))?;
        let cursor = cursor.and_then(|text| serde_json::from_str::<Cursor>(&text).ok());
        let written = recorded.as_ref().map_or(0, |recorded| recorded.schema);
        let written = written.max(cursor.map_or(0, |cursor| cursor.schema));
        if written > kind.schema {
            let (name, known) = (kind.name, kind.schema);
            return Err(StoreError::Open(format!(
                "its {name} records have schema {written}, this server knows {known}: run the version that wrote \
                 them, or a newer one"
            )));
        }
        let known = Recorded::of(kind);
        let more = recorded.iter().filter(|recorded| recorded.schema == kind.schema);
        let more = more.flat_map(|recorded| &recorded.indexes).find(|index| !known.indexes.contains(index));
        if let Some(index) = more {
            let name = kind.name;
            return Err(StoreError::Open(format!(
                "its {name} records have the index {index:?}, which this server does not know: run the version that \
                 wrote them, or a newer one"
            )));
        }
        if recorded != Some(known) {
            stale.push(kind);
        }
    }
    Ok(stale)
}

/// What to say where a store may not be changed: one of an older version, or a database without our tables (`fresh`).
pub(crate) fn refusal(stale: &[&Kind], fresh: bool) -> StoreError {
    let names: Vec<&str> = stale.iter().map(|kind| kind.name).collect();
    let names = names.join(", ");
    StoreError::Open(if fresh {
        format!(
            "the database holds no tables of ours yet ({names}): run `agamid migrate`, or set store.auto_migrate"
        )
    } else {
        format!(
            "it is of an older version (tables or indexes of {names}): make a copy (`agamid export`), then run `agamid \
             migrate`, or set store.auto_migrate"
        )
    })
}

/// A stored record as its type describes it today. The document stays the bytes it is, unless its schema is older.
pub(crate) fn renewed(kind: &Kind, key: &str, schema: u16, body: &[u8]) -> Result<Document, StoreError> {
    let mut document = (kind.describe)(schema, body).map_err(|error| match error {
        StoreError::Corrupt { kind, cause, .. } => StoreError::Corrupt { kind, key: key.to_owned(), cause },
        other => other,
    })?;
    if document.key != key {
        return Err(corrupt(kind.name, key, format!("its document is that of {:?}", document.key)));
    }
    if schema == kind.schema {
        document.body = body.to_vec();
    }
    Ok(document)
}
