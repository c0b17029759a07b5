//! Values in pieces. A sled leaf holds up to about twenty entries, is rewritten as a whole, and goes to a file that is
//! never synced when it passes 128 KiB; so no entry may hold more than some 6 KiB.
//!
//! ```text
//! key                       -> 0 value                       short enough
//! key                       -> 1 generation pieces           the rest
//! c generation piece        -> bytes
//! ```
//!
//! The generation is new with each write, so a reader never mixes pieces of two values.

use crate::backend::keyspace::{Pair, Read};
use crate::error::StoreError;
use crate::overlay::Changes;

/// Longest piece, in bytes.
pub(super) const PIECE: usize = 4096;

const WHOLE: u8 = 0;
const IN_PIECES: u8 = 1;

/// How often a reader starts again when a writer takes the pieces away under it.
const RETRIES: usize = 1000;

/// The keyspace as the writer sees it.
pub(super) struct Tree<'a>(pub(super) &'a sled::Db);

impl Read for Tree<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get(self.0, key)
    }
}

/// A stored value: all of it, or where its pieces are.
enum Head<'a> {
    Whole(&'a [u8]),
    Pieces { generation: [u8; 8], count: u32 },
}

impl<'a> Head<'a> {
    fn read(key: &[u8], bytes: &'a [u8]) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((&WHOLE, value)) => Some(Head::Whole(value)),
            Some((&IN_PIECES, place)) => pieces(place),
            _ => None,
        }
        .ok_or_else(|| unreadable(key))
    }
}

fn pieces<'a>(place: &[u8]) -> Option<Head<'a>> {
    let (generation, count) = place.split_first_chunk::<8>()?;
    let count = u32::from_be_bytes(count.try_into().ok()?);
    Some(Head::Pieces { generation: *generation, count })
}

fn piece_key(generation: [u8; 8], number: u32) -> Vec<u8> {
    let mut key = vec![b'c'];
    key.extend(generation);
    key.extend(number.to_be_bytes());
    key
}

fn unreadable(key: &[u8]) -> StoreError {
    crate::stored::corrupt("entry", &String::from_utf8_lossy(key), "its pieces do not fit together")
}

pub(super) fn get(db: &sled::Db, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    for _ in 0..RETRIES {
        let Some(bytes) = db.get(key).map_err(super::unavailable)? else { return Ok(None) };
        if let Some(value) = assemble(db, key, &bytes)? {
            return Ok(Some(value));
        }
    }
    Err(unreadable(key))
}

/// `None` when a piece is missing: the value was replaced in the meantime.
fn assemble(db: &sled::Db, key: &[u8], bytes: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let (generation, count) = match Head::read(key, bytes)? {
        Head::Whole(value) => return Ok(Some(value.to_vec())),
        Head::Pieces { generation, count } => (generation, count),
    };
    let mut value = Vec::new();
    for number in 0..count {
        match db.get(piece_key(generation, number)).map_err(super::unavailable)? {
            Some(piece) => value.extend_from_slice(&piece),
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

pub(super) fn range(db: &sled::Db, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
    let mut pairs = Vec::new();
    if from >= to {
        return Ok(pairs);
    }
    let mut entries = db.range(from..to);
    while pairs.len() < limit
        && let Some(entry) = entries.next()
    {
        let (key, bytes) = entry.map_err(super::unavailable)?;
        let value = match assemble(db, &key, &bytes)? {
            Some(value) => Some(value),
            None => get(db, &key)?,
        };
        pairs.extend(value.map(|value| (key.to_vec(), value)));
    }
    Ok(pairs)
}

/// Changes as one sled batch, with the pieces of replaced values removed.
pub(super) fn batch(db: &sled::Db, changes: &Changes) -> Result<sled::Batch, StoreError> {
    let mut batch = sled::Batch::default();
    for (key, value) in changes {
        if let Some(before) = db.get(key).map_err(super::unavailable)?
            && let Head::Pieces { generation, count } = Head::read(key, &before)?
        {
            for number in 0..count {
                batch.remove(piece_key(generation, number));
            }
        }
        match value {
            None => batch.remove(key.as_slice()),
            Some(value) => insert(db, &mut batch, key, value)?,
        }
    }
    Ok(batch)
}

fn insert(db: &sled::Db, batch: &mut sled::Batch, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    if value.len() <= PIECE {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.push(WHOLE);
        bytes.extend_from_slice(value);
        batch.insert(key, bytes);
        return Ok(());
    }
    let generation = db.generate_id().map_err(super::unavailable)?.to_be_bytes();
    let mut count: u32 = 0;
    for piece in value.chunks(PIECE) {
        batch.insert(piece_key(generation, count), piece);
        count += 1;
    }
    let mut head = vec![IN_PIECES];
    head.extend(generation);
    head.extend(count.to_be_bytes());
    batch.insert(key, head);
    Ok(())
}
