//! Whether two exports, or an export and a store, hold the same.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::reading::ExportFile;
use super::{Protection, line};
use crate::backend::item::Item;
use crate::error::StoreError;
use crate::store::Store;

/// How many differences are named.
const NAMED: usize = 20;

/// Something that two exports don't agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The kind of record, or `audit`.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// What differs.
    pub what: &'static str,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.key, self.what)
    }
}

/// What a file says, a sum for each kind: two files that hold the same have the same sums, in whatever order.
type Sums = BTreeMap<String, [u64; 5]>;

impl ExportFile {
    /// The first differences to another file; none where both hold the same records, audit events and chains. What has
    /// ended by now does not count.
    ///
    /// # Errors
    /// `Invalid` where a file can't be read.
    pub fn differences(&self, other: &Self) -> Result<Vec<Difference>, StoreError> {
        let (own, others) = (self.sums()?, other.sums()?);
        let mut found = Vec::new();
        let kinds: std::collections::BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        for kind in kinds {
            if own.get(kind) != others.get(kind) {
                let (own, mut others) = (self.hashes(kind)?, other.hashes(kind)?);
                for (key, hash) in own {
                    match others.remove(&key) {
                        Some(other) if other == hash => {}
                        Some(_) => found.push((kind, key, "is not the same in both")),
                        None => found.push((kind, key, "is in the first only")),
                    }
                }
                found.extend(others.into_keys().map(|key| (kind, key, "is in the second only")));
            }
        }
        let named = found.into_iter().take(NAMED);
        Ok(named.map(|(kind, key, what)| Difference { kind: kind.clone(), key, what }).collect())
    }

    fn sums(&self) -> Result<Sums, StoreError> {
        let mut sums = Sums::new();
        self.each(|kind, _, hash| {
            let sum = sums.entry(kind.to_owned()).or_default();
            let words =
                hash.chunks(8).map(|word| word.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)));
            for (total, word) in sum.iter_mut().zip(words.chain([1])) {
                *total = total.wrapping_add(word);
            }
        })?;
        Ok(sums)
    }

    fn hashes(&self, wanted: &str) -> Result<BTreeMap<String, [u8; 32]>, StoreError> {
        let mut hashes = BTreeMap::new();
        self.each(|kind, key, hash| {
            if kind == wanted {
                hashes.insert(key, hash);
            }
        })?;
        Ok(hashes)
    }

    fn each(&self, mut take: impl FnMut(&str, String, [u8; 32])) -> Result<(), StoreError> {
        let now = self.now();
        let mut items = self.items()?;
        while let Some((_, item)) = items.next()? {
            let (kind, key) = match &item {
                Item::Record(kept) if kept.expired(now) => continue,
                Item::Record(kept) => (kept.kind.clone(), kept.key.clone()),
                Item::Link { chain, sequence, .. } => ("audit".to_owned(), format!("{chain}/{sequence}")),
                Item::End { chain, .. } => ("audit".to_owned(), chain.clone()),
                Item::Deleted { .. } | Item::Changes => continue,
            };
            take(&kind, key, Sha256::digest(line::of_item(item)?).into());
        }
        Ok(())
    }
}

impl Store {
    /// The first differences between what the store holds now and a file; none where it is the same.
    ///
    /// # Errors
    /// `Unavailable` where the store or the temporary file of its export fails.
    pub async fn compare(&self, file: &ExportFile) -> Result<Vec<Difference>, StoreError> {
        let failed = |error: std::io::Error| StoreError::Unavailable(format!("the temporary file: {error}"));
        let mut own = tempfile::NamedTempFile::new().map_err(failed)?;
        let mut export = self.export(Protection::Plaintext).await?;
        while let Some(piece) = export.next().await {
            std::io::Write::write_all(own.as_file_mut(), &piece?).map_err(failed)?;
        }
        let own = ExportFile::open(own.path(), Protection::Plaintext, self.env.clone()).await?;
        own.differences(file)
    }
}
