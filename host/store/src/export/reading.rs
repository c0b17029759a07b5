//! A file that is an export: opened, and checked from the first byte to the last before anything of it counts.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use agamid_core::Env;
use agamid_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::FORMAT;
use super::envelope::{self, Protection};
use super::line::{self, Counts, Manifest, Read};
use crate::backend::item::Item;
use crate::error::StoreError;
use crate::read::to_hex;

/// Longest line: a document of the largest size, and its head.
const LONGEST: u64 = 40 << 20;

/// What an item is about, hashed: enough to tell all of them apart.
pub(super) type About = [u8; 16];

/// A file that was found whole.
pub struct ExportFile {
    path: PathBuf,
    protection: Protection,
    env: Env,
    pub(super) manifest: Manifest,
    pub(super) sha256: String,
    counts: Counts,
    /// The kinds of its records, each with the highest schema.
    pub(super) kinds: BTreeMap<String, u16>,
    /// The last line about each key that changed while the export ran. As large as there were such keys.
    last: HashMap<About, u64>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// When it was made.
    pub at: Timestamp,
    /// Of which backend.
    pub backend: String,
    /// By which version of Agamid.
    pub version: String,
    /// Lines that are records.
    pub records: u64,
    /// Lines that are audit events.
    pub audit_events: u64,
}

impl ExportFile {
    /// Reads the file through once: first line, every line, the counts and the hash of the last.
    ///
    /// # Errors
    /// `Invalid` with the line and what is wrong with it.
    pub async fn open(path: &Path, protection: Protection, env: Env) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let opening = tokio::task::spawn_blocking(move || Self::open_now(path, protection, env));
        opening.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    fn open_now(path: PathBuf, protection: Protection, env: Env) -> Result<Self, StoreError> {
        let mut lines = Lines::open(&path, &protection, &env)?;
        let manifest = match lines.next()? {
            Some((_, Read::Manifest(manifest))) => manifest,
            _ => return Err(lines.wrong("it does not begin as an export does")),
        };
        if manifest.format != FORMAT {
            let found = manifest.format;
            return Err(lines.wrong(&format!("it has format {found}, this version knows {FORMAT}")));
        }
        let (mut counts, mut last, mut changes) = (Counts::default(), HashMap::new(), false);
        let mut kinds = BTreeMap::new();
        loop {
            let before = lines.sha.clone();
            match lines.next()? {
                Some((number, Read::Item(item))) => {
                    counts.add(&item);
                    if let Item::Record(kept) = &item {
                        let schema = kinds.entry(kept.kind.clone()).or_default();
                        *schema = kept.schema.max(*schema);
                    }
                    match about(&item) {
                        Some(about) if changes => drop(last.insert(about, number)),
                        Some(_) => {}
                        None => changes = true,
                    }
                }
                Some((_, Read::End { counts: said, sha256 })) => {
                    if said != counts || sha256 != to_hex(&before.finalize()) {
                        return Err(
                            lines.wrong("the counts or the hash at its end do not fit: it was altered")
                        );
                    }
                    if lines.next()?.is_some() {
                        return Err(lines.wrong("something follows its end"));
                    }
                    return Ok(Self { path, protection, env, manifest, sha256, counts, kinds, last });
                }
                Some((_, Read::Manifest(_))) => return Err(lines.wrong("a second beginning")),
                None => {
                    return Err(
                        lines.wrong("it ends too early: it was cut off, or its making was interrupted")
                    );
                }
            }
        }
    }

    /// What it holds.
    pub fn summary(&self) -> Summary {
        Summary {
            at: Timestamp(self.manifest.at),
            backend: self.manifest.backend.clone(),
            version: self.manifest.version.clone(),
            records: self.counts.records,
            audit_events: self.counts.links,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// The items that count, with their line numbers: the last word on each key.
    pub(super) fn items(&self) -> Result<Items<'_>, StoreError> {
        Ok(Items { file: self, lines: Lines::open(&self.path, &self.protection, &self.env)? })
    }
}

/// What an item is about; nothing for the line where changes begin.
pub(super) fn about(item: &Item) -> Option<About> {
    let (sort, one, two) = match item {
        Item::Record(kept) => ("record", kept.kind.as_str(), kept.key.clone()),
        Item::Deleted { kind, key } => ("record", kind.as_str(), key.clone()),
        Item::Link { chain, sequence, .. } => ("link", chain.as_str(), sequence.to_string()),
        Item::End { chain, .. } => ("end", chain.as_str(), String::new()),
        Item::Changes => return None,
    };
    let digest = Sha256::digest(format!("{sort}\0{one}\0{two}"));
    digest.first_chunk::<16>().copied()
}

/// The items that count.
pub(super) struct Items<'a> {
    file: &'a ExportFile,
    lines: Lines,
}

impl Items<'_> {
    pub(super) fn next(&mut self) -> Result<Option<(u64, Item)>, StoreError> {
        loop {
            let before = self.lines.sha.clone();
            let Some((number, read)) = self.lines.next()? else { return Ok(None) };
            if let Read::End { .. } = read
                && to_hex(&before.finalize()) != self.file.sha256
            {
                return Err(self.lines.wrong("it changed while it was read"));
            }
            if let Read::Item(item) = read
                && let Some(about) = about(&item)
                && self.file.last.get(&about).is_none_or(|last| *last == number)
                && !matches!(item, Item::Deleted { .. })
            {
                return Ok(Some((number, item)));
            }
        }
    }
}

/// Lines with their numbers.
struct Lines {
    path: PathBuf,
    text: Box<dyn BufRead + Send>,
    number: u64,
    /// Over all lines so far.
    sha: Sha256,
}

impl Lines {
    fn open(path: &Path, protection: &Protection, env: &Env) -> Result<Self, StoreError> {
        let named = |cause: String| StoreError::Invalid(format!("{}: {cause}", path.display()));
        let file = File::open(path).map_err(|error| named(error.to_string()))?;
        let file = BufReader::with_capacity(1 << 17, file);
        let text = envelope::open(file, protection, env).map_err(|error| named(error.to_string()))?;
        Ok(Self { path: path.to_owned(), text, number: 0, sha: Sha256::new() })
    }

    fn wrong(&self, what: &str) -> StoreError {
        StoreError::Invalid(format!("{}:{}: {what}", self.path.display(), self.number))
    }

    fn next(&mut self) -> Result<Option<(u64, Read)>, StoreError> {
        let mut bytes = Vec::new();
        self.number += 1;
        let read = (&mut self.text).take(LONGEST).read_until(b'\n', &mut bytes);
        read.map_err(|error| self.wrong(&error.to_string()))?;
        self.sha.update(&bytes);
        match bytes.pop() {
            None => return Ok(None),
            Some(b'\n') => {}
            Some(_) => return Err(self.wrong("the line has no end: the file was cut off")),
        }
        let read = line::read(&bytes).map_err(|cause| self.wrong(&cause))?;
        Ok(Some((self.number, read)))
    }
}
