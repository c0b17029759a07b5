//! Lookups, the same on every backend. Where an index entry and its record disagree (a reader may come between two
//! commits) the record counts.

use std::ops::RangeInclusive;

use agamid_core::time::Timestamp;

use crate::backend::keyspace::{Keyspace, Read};
use crate::error::StoreError;
use crate::keys;
use crate::store::Scan;
use crate::stored::Stored;

/// How many pairs are fetched in one go, at most.
const STRIDE: usize = 256;

/// A record with its key.
pub(crate) type Found = (String, Stored);

/// A record, and its place behind the prefix of the walk that found it.
type Placed = (Vec<u8>, Found);

/// The record as it lies there, expired or not.
pub(crate) fn stored(
    view: &(impl Read + ?Sized),
    kind: &str,
    key: &str,
) -> Result<Option<Stored>, StoreError> {
    match view.get(&keys::record(kind, key))? {
        Some(bytes) => Stored::from_bytes(kind, key, &bytes).map(Some),
        None => Ok(None),
    }
}

/// All records with exactly this index value.
pub(crate) fn find(
    keyspace: &dyn Keyspace,
    kind: &str,
    index: &str,
    value: &str,
    now: Timestamp,
) -> Result<Vec<Found>, StoreError> {
    let range = Some(value.to_owned()..=value.to_owned());
    let mut walk = Walk::new(kind, Some(index), range.as_ref(), None)?;
    let mut found = Vec::new();
    while let Some(stride) = walk.stride(keyspace, now)? {
        found.extend(stride.into_iter().map(|(_, found)| found));
    }
    Ok(found)
}

/// A page, and the cursor of the next.
pub(crate) fn scan(
    keyspace: &dyn Keyspace,
    kind: &str,
    scan: &Scan,
    now: Timestamp,
) -> Result<(Vec<Found>, Option<String>), StoreError> {
    let mut walk = Walk::new(kind, scan.index, scan.range.as_ref(), scan.after.as_deref())?;
    // One more shows whether there is a next page.
    walk.length = STRIDE.min(scan.limit + 1);
    let mut page: Vec<Placed> = Vec::new();
    while page.len() <= scan.limit
        && let Some(stride) = walk.stride(keyspace, now)?
    {
        page.extend(stride);
    }
    let more = page.len() > scan.limit;
    page.truncate(scan.limit);
    let next = page.last().filter(|_| more).map(|(at, _)| to_hex(at));
    Ok((page.into_iter().map(|(_, found)| found).collect(), next))
}

/// A walk along the keys of a kind or the entries of an index.
struct Walk<'a> {
    kind: &'a str,
    index: Option<&'a str>,
    /// What all walked keys start with.
    prefix: Vec<u8>,
    from: Vec<u8>,
    to: Vec<u8>,
    /// How many pairs a stride takes.
    length: usize,
    done: bool,
}

impl<'a> Walk<'a> {
    fn new(
        kind: &'a str,
        index: Option<&'a str>,
        range: Option<&RangeInclusive<String>>,
        after: Option<&str>,
    ) -> Result<Self, StoreError> {
        let prefix = match index {
            Some(index) => keys::index(kind, index),
            None => keys::records(kind),
        };
        let (mut from, mut to) = (prefix.clone(), keys::after(&prefix));
        if let Some(range) = range {
            from.extend_from_slice(range.start().as_bytes());
            to = prefix.clone();
            to.extend_from_slice(range.end().as_bytes());
            // The end is exclusive. A key ends here; an index value is followed by NUL and the record's key.
            to.push(u8::from(index.is_some()));
        }
        if let Some(after) = after {
            let mut resume = prefix.clone();
            resume.extend(from_hex(after)?);
            resume.push(0);
            from = from.max(resume);
        }
        Ok(Self { kind, index, prefix, from, to, length: STRIDE, done: false })
    }

    /// The next records; `None` at the end.
    fn stride(&mut self, keyspace: &dyn Keyspace, now: Timestamp) -> Result<Option<Vec<Placed>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let pairs = keyspace.range(&self.from, &self.to, self.length)?;
        self.done = pairs.len() < self.length;
        if let Some((last, _)) = pairs.last() {
            self.from = last.clone();
            self.from.push(0);
        }
        let mut records = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let place = key.get(self.prefix.len()..).unwrap_or_default().to_vec();
            if let Some(found) = self.resolve(keyspace, &place, &value)?
                && found.1.visible(now)
            {
                records.push((place, found));
            }
        }
        Ok(Some(records))
    }

    fn resolve(
        &self,
        keyspace: &dyn Keyspace,
        place: &[u8],
        bytes: &[u8],
    ) -> Result<Option<Found>, StoreError> {
        let Ok(place) = std::str::from_utf8(place) else { return Ok(None) };
        let Some(index) = self.index else {
            return Ok(Some((place.to_owned(), Stored::from_bytes(self.kind, place, bytes)?)));
        };
        let Some((value, key)) = place.split_once('\0') else { return Ok(None) };
        let stored = stored(keyspace, self.kind, key)?.filter(|stored| stored.has(index, value));
        Ok(stored.map(|stored| (key.to_owned(), stored)))
    }
}

/// Lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        out
    })
}

pub(crate) fn from_hex(text: &str) -> Result<Vec<u8>, StoreError> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect())
        }
        _ => Err(StoreError::Invalid("the cursor is not one that a page ended with".to_owned())),
    }
}
