//! Where things lie in the one ordered keyspace. No part holds a NUL, so NUL separates and the order of the whole
//! key is the order of its parts.
//!
//! ```text
//! r kind 0 key                      a record                 -> stored document
//! u kind 0 index 0 value            a unique value           -> the key of its holder
//! i kind 0 index 0 value 0 key      an index entry           -> nothing
//! e time kind 0 key                 what ends when           -> nothing
//! a node 0 sequence                 an audit entry           -> entry
//! h node                            the end of a chain       -> sequence, hash
//! m name                            about the store itself   -> text
//! ```

use agamid_core::time::Timestamp;

use crate::error::StoreError;

/// Longest key or index value, in bytes.
pub(crate) const LONGEST: usize = 512;

fn joined(prefix: u8, parts: &[&str]) -> Vec<u8> {
    let mut key = vec![prefix];
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            key.push(0);
        }
        key.extend_from_slice(part.as_bytes());
    }
    key
}

pub(crate) fn record(kind: &str, key: &str) -> Vec<u8> {
    joined(b'r', &[kind, key])
}

/// What every key of this kind starts with.
pub(crate) fn records(kind: &str) -> Vec<u8> {
    joined(b'r', &[kind, ""])
}

/// The kind and the key of a record's key.
pub(crate) fn of_record(record: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(record.get(1..)?).ok()?.split_once('\0')
}

pub(crate) fn unique(kind: &str, index: &str, value: &str) -> Vec<u8> {
    joined(b'u', &[kind, index, value])
}

pub(crate) fn entry(kind: &str, index: &str, value: &str, key: &str) -> Vec<u8> {
    joined(b'i', &[kind, index, value, key])
}

/// What every entry of this index starts with.
pub(crate) fn index(kind: &str, index: &str) -> Vec<u8> {
    joined(b'i', &[kind, index, ""])
}

/// The bytes of a time, in the order of time, before 1970 too.
fn time(at: Timestamp) -> [u8; 8] {
    (at.0 ^ i64::MIN).to_be_bytes()
}

pub(crate) fn expiry(at: Timestamp, kind: &str, key: &str) -> Vec<u8> {
    let mut out = vec![b'e'];
    out.extend(time(at));
    out.extend(joined(b'r', &[kind, key]));
    out
}

/// The bounds of everything that ended by `now`.
pub(crate) fn expired(now: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let mut to = vec![b'e'];
    to.extend(time(Timestamp(now.0.saturating_add(1))));
    (vec![b'e'], to)
}

/// The record that an expiry key is about.
pub(crate) fn of_expiry(expiry: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(expiry.get(10..)?).ok()?;
    text.split_once('\0')
}

pub(crate) fn audit(node: &str, sequence: u64) -> Vec<u8> {
    let mut key = joined(b'a', &[node, ""]);
    key.extend(sequence.to_be_bytes());
    key
}

/// The node and the sequence number of an audit key.
pub(crate) fn of_audit(key: &[u8]) -> Option<(&str, u64)> {
    let end = key.len().checked_sub(9)?;
    let node = std::str::from_utf8(key.get(1..end)?).ok()?;
    let sequence = key.get(end + 1..)?.try_into().ok()?;
    Some((node, u64::from_be_bytes(sequence)))
}

pub(crate) fn chain_end(node: &str) -> Vec<u8> {
    joined(b'h', &[node])
}

pub(crate) fn about(name: &str) -> Vec<u8> {
    joined(b'm', &[name])
}

/// The first key after everything that starts with `prefix`. No prefix used here ends in 0xff.
pub(crate) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut out = prefix.to_vec();
    if let Some(last) = out.last_mut() {
        *last = last.saturating_add(1);
    }
    out
}

/// Refuses what would break the order of keys or swell it.
pub(crate) fn check(what: &str, kind: &str, text: &str) -> Result<(), StoreError> {
    if text.len() > LONGEST {
        let length = text.len();
        return Err(StoreError::Invalid(format!(
            "the {what} of a {kind} has {length} bytes: at most {LONGEST} can be stored"
        )));
    }
    if text.contains('\0') {
        return Err(StoreError::Invalid(format!("the {what} of a {kind} holds a NUL byte: remove it")));
    }
    Ok(())
}
