//! The lines of an export.

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{ChainEnd, Link};
use crate::backend::item::{Item, Kept};
use crate::error::StoreError;
use crate::read::{from_hex, to_hex};

/// What the document of a record follows on.
const DOCUMENT: &str = "},\"document\":";

/// A line but for a record's document, which stays the bytes that are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    AgamidExport(Manifest),
    Record(RecordLine),
    Deleted { kind: String, key: String },
    Link { chain: String, sequence: u64, at: Timestamp, event: String, previous: String, hash: String },
    ChainEnd { chain: String, sequence: u64, hash: String },
    Changes(bool),
    End { counts: Counts, sha256: String },
}

/// What the first line says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) version: String,
    pub(super) at: i64,
    pub(super) backend: String,
    pub(super) kinds: Vec<KindLine>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KindLine {
    pub(super) name: String,
    pub(super) schema: u16,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RecordLine {
    kind: String,
    key: String,
    version: u64,
    schema: u16,
    expires_at: Option<Timestamp>,
}

/// How many lines of each sort there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) records: u64,
    pub(super) deleted: u64,
    pub(super) links: u64,
    pub(super) chains: u64,
}

impl Counts {
    pub(super) fn add(&mut self, item: &Item) {
        match item {
            Item::Record(_) => self.records += 1,
            Item::Deleted { .. } => self.deleted += 1,
            Item::Link { .. } => self.links += 1,
            Item::End { .. } => self.chains += 1,
            Item::Changes => {}
        }
    }
}

/// What a line that is read says.
pub(super) enum Read {
    Manifest(Manifest),
    Item(Item),
    End { counts: Counts, sha256: String },
}

impl Line {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = serde_json::to_vec(self).map_err(|error| unwritable(&error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

pub(super) fn of_item(item: Item) -> Result<Vec<u8>, StoreError> {
    match item {
        Item::Record(kept) => record(kept),
        Item::Deleted { kind, key } => Line::Deleted { kind, key }.to_bytes(),
        Item::Link { chain, sequence, link } => {
            let event = String::from_utf8(link.event)
                .map_err(|_| unwritable(&format!("the audit event {chain}/{sequence} is no text")))?;
            let (previous, hash) = (to_hex(&link.previous), to_hex(&link.hash));
            Line::Link { chain, sequence, at: link.at, event, previous, hash }.to_bytes()
        }
        Item::End { chain, end } => {
            Line::ChainEnd { chain, sequence: end.sequence, hash: to_hex(&end.hash) }.to_bytes()
        }
        Item::Changes => Line::Changes(true).to_bytes(),
    }
}

/// The document goes in as it is stored. One that is no JSON would make the file unreadable.
fn record(kept: Kept) -> Result<Vec<u8>, StoreError> {
    let Kept { kind, key, version, schema, expires_at, body } = kept;
    let broken = |cause: String| crate::stored::corrupt(&kind, &key, cause);
    let value: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&body);
    value.map_err(|error| broken(error.to_string()))?;
    let body = if body.contains(&b'\n') {
        let value: serde_json::Value =
            serde_json::from_slice(&body).map_err(|error| broken(error.to_string()))?;
        serde_json::to_vec(&value).map_err(|error| broken(error.to_string()))?
    } else {
        body
    };
    let head = Line::Record(RecordLine { kind, key, version, schema, expires_at });
    let mut bytes = serde_json::to_vec(&head).map_err(|error| unwritable(&error.to_string()))?;
    bytes.pop();
    bytes.extend_from_slice(DOCUMENT.trim_start_matches('}').as_bytes());
    bytes.extend(body);
    bytes.extend_from_slice(b"}\n");
    Ok(bytes)
}

/// Reads a line, without its end.
pub(super) fn read(text: &[u8]) -> Result<Read, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    // A quotation mark inside of a text is always escaped, so the first place that looks so is the right one.
    let (head, document) = match text.strip_suffix('}').and_then(|line| line.split_once(DOCUMENT)) {
        Some((head, document)) if text.starts_with("{\"record\":") => (format!("{head}}}}}"), Some(document)),
        _ => (text.to_owned(), None),
    };
    let line: Line = serde_json::from_str(&head).map_err(|error| error.to_string())?;
    Ok(match (line, document) {
        (Line::AgamidExport(manifest), _) => Read::Manifest(manifest),
        (Line::Record(line), Some(document)) => {
            let RecordLine { kind, key, version, schema, expires_at } = line;
            let body = document.as_bytes().to_vec();
            Read::Item(Item::Record(Kept { kind, key, version, schema, expires_at, body }))
        }
        (Line::Record(_), None) => return Err("a record without its document".to_owned()),
        (Line::Deleted { kind, key }, _) => Read::Item(Item::Deleted { kind, key }),
        (Line::Link { chain, sequence, at, event, previous, hash }, _) => {
            let link =
                Link { at, event: event.into_bytes(), previous: hash_of(&previous)?, hash: hash_of(&hash)? };
            Read::Item(Item::Link { chain, sequence, link })
        }
        (Line::ChainEnd { chain, sequence, hash }, _) => {
            Read::Item(Item::End { chain, end: ChainEnd { sequence, hash: hash_of(&hash)? } })
        }
        (Line::Changes(_), _) => Read::Item(Item::Changes),
        (Line::End { counts, sha256 }, _) => Read::End { counts, sha256 },
    })
}

fn hash_of(hex: &str) -> Result<[u8; 32], String> {
    let bytes = from_hex(hex).map_err(|_| "a hash is no hex".to_owned())?;
    bytes.try_into().map_err(|_| "a hash of the wrong length".to_owned())
}

fn unwritable(cause: &str) -> StoreError {
    StoreError::Invalid(format!("the export can't be written: {cause}"))
}
