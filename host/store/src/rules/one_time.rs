//! One-time records: issued, used up by one caller, a tombstone until they end.

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backend::Document;
use crate::backend::keyspace::Read;
use crate::error::StoreError;
use crate::keys;
use crate::one_time::{Consume, Consumption, OneTime, Peeked, Purpose, Tombstone};
use crate::overlay::Overlay;
use crate::read;
use crate::rules::records;
use crate::stored::{Stored, corrupt};

/// The kind under which they are stored.
pub(crate) const KIND: &str = "one_time";

/// What is kept of a one-time record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Live(OneTime),
    Used(Tombstone),
}

/// Whether a hash can be one at all.
pub(crate) fn check(purpose: Purpose, hash: &str) -> Result<(), StoreError> {
    keys::check("hash", KIND, &key(purpose, hash))
}

/// Purpose and hash: records of different purposes never meet, even for the same value.
fn key(purpose: Purpose, hash: &str) -> String {
    format!("{}:{hash}", purpose.name())
}

pub(crate) fn issue(view: &mut Overlay<'_>, record: &OneTime, now: Timestamp) -> Result<(), StoreError> {
    let key = key(record.purpose, &record.hash);
    if load(view, &key, now)?.is_some() {
        return Err(records::conflict(KIND, &key, "this value was issued before"));
    }
    save(view, key, &State::Live(record.clone()), 1, record.expires_at, now)
}

/// Decides, and leaves the tombstone if the record is used up. Burning after a mismatch is [`burn`].
pub(crate) fn consume(
    view: &mut Overlay<'_>,
    consume: &Consume,
    now: Timestamp,
) -> Result<Consumption, StoreError> {
    let key = key(consume.purpose, &consume.hash);
    Ok(match load(view, &key, now)? {
        None => Consumption::Absent,
        Some((State::Used(tombstone), _)) => Consumption::Replayed(tombstone),
        Some((State::Live(record), version)) => match record.mismatch(consume) {
            Some(field) => Consumption::Mismatch(field),
            None => {
                bury(view, key, &record, consume, version, now)?;
                Consumption::Consumed(Box::new(record))
            }
        },
    })
}

/// Uses up a record that was presented wrongly.
pub(crate) fn burn(view: &mut Overlay<'_>, consume: &Consume, now: Timestamp) -> Result<(), StoreError> {
    let key = key(consume.purpose, &consume.hash);
    match load(view, &key, now)? {
        Some((State::Live(record), version)) => {
            let nothing_left = Consume { leave: None, ..consume.clone() };
            bury(view, key, &record, &nothing_left, version, now)
        }
        _ => Ok(()),
    }
}

fn bury(
    view: &mut Overlay<'_>,
    key: String,
    record: &OneTime,
    consume: &Consume,
    version: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let tombstone = Tombstone { family: record.family.clone(), used_at: now, left: consume.leave.clone() };
    save(view, key, &State::Used(tombstone), version + 1, record.expires_at, now)
}

fn load(view: &(impl Read + ?Sized), key: &str, now: Timestamp) -> Result<Option<(State, u64)>, StoreError> {
    let Some(stored) = read::stored(view, KIND, key)?.filter(|stored| stored.visible(now)) else {
        return Ok(None);
    };
    let Stored { header, body } = stored;
    let state = serde_json::from_slice(&body).map_err(|e| corrupt(KIND, key, e.to_string()))?;
    Ok(Some((state, header.version)))
}

/// Looks without using up.
pub(crate) fn peek(
    view: &(impl Read + ?Sized),
    purpose: Purpose,
    hash: &str,
    now: Timestamp,
) -> Result<Peeked, StoreError> {
    Ok(match load(view, &key(purpose, hash), now)? {
        Some((State::Live(record), _)) => Peeked::Live(Box::new(record)),
        Some((State::Used(tombstone), _)) => Peeked::Used(tombstone),
        None => Peeked::Absent,
    })
}

fn save(
    view: &mut Overlay<'_>,
    key: String,
    state: &State,
    version: u64,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let body = serde_json::to_vec(state)
        .map_err(|e| StoreError::Invalid(format!("a {KIND} cannot be written as JSON: {e}")))?;
    let document =
        Document { kind: KIND, key, schema: 1, indexes: Vec::new(), expires_at: Some(expires_at), body };
    records::write(view, &document, version, now)
}
