//! A look at every key: records first, then what points to them. Others may write meanwhile, so whatever looks wrong is
//! looked at twice.

use tokio::sync::mpsc;

use super::{Keyspace, Ordered, Pair};
use crate::backend::item::{Kept, Stride};
use crate::check::{self, Entries, Finding, News, RESTORE, REWRITE, Times, tell};
use crate::error::StoreError;
use crate::keys;
use crate::read;
use crate::record::Kind;
use crate::stored::Stored;

impl<K: Keyspace> Ordered<K> {
    pub(super) async fn check_now(&self, kinds: &[Kind], out: &mpsc::Sender<News>) -> Result<(), StoreError> {
        for (from, to) in [(b"r", b"s"), (b"u", b"v"), (b"i", b"j"), (b"e", b"f")] {
            let (mut from, mut stride) = (from.to_vec(), Stride::new());
            loop {
                let pairs = self.keyspace.range(&from, to, stride.length())?;
                stride.read(pairs.iter().map(|(_, value)| value.len()).sum());
                let Some((last, _)) = pairs.last() else { break };
                from.clone_from(last);
                from.push(0);
                let records = pairs.iter().filter(|(key, _)| key.first() == Some(&b'r')).count();
                for pair in pairs {
                    if let Some(finding) = self.look(kinds, &pair)? {
                        let (key, value) = pair;
                        let again = self.keyspace.get(&key)?;
                        // It changed or went meanwhile: it is right now, or it is the next check's.
                        if again.as_ref() == Some(&value) && self.look(kinds, &(key, value))?.is_some() {
                            tell(out, News::Found(finding)).await?;
                        }
                    }
                }
                tell(out, News::Looked(u64::try_from(records).unwrap_or(0))).await?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn look(&self, kinds: &[Kind], (key, value): &Pair) -> Result<Option<Finding>, StoreError> {
        match key.first() {
            Some(b'r') => self.look_at_record(kinds, key, value),
            _ => self.look_at_pointer(key, value),
        }
    }

    fn look_at_record(&self, kinds: &[Kind], at: &[u8], value: &[u8]) -> Result<Option<Finding>, StoreError> {
        let Some((kind, key)) = keys::of_record(at) else { return Ok(Some(malformed(at))) };
        let Stored { header, body } = match Stored::from_bytes(kind, key, value) {
            Ok(stored) => stored,
            Err(error) => return Ok(Some(Finding::of_record(kind, key, error.to_string(), RESTORE))),
        };
        if header.expires_at.is_some_and(|end| end <= self.env.now()) {
            return Ok(None);
        }
        let mut entries = Entries::new();
        for entry in &header.indexes {
            let (index, value) = (entry.index.as_str(), entry.value.as_str());
            let there = self.keyspace.get(&keys::entry(kind, index, value, key))?.is_some();
            let held = !entry.unique
                || self.keyspace.get(&keys::unique(kind, index, value))?.as_deref() == Some(key.as_bytes());
            if there && held {
                entries.insert((entry.index.clone(), entry.value.clone()));
            } else if there {
                let what =
                    format!("does not hold its value in the unique index {index}: another record does");
                return Ok(Some(Finding::of_record(kind, key, what, REWRITE)));
            }
        }
        if let Some(end) = header.expires_at
            && self.keyspace.get(&keys::expiry(end, kind, key))?.is_none()
        {
            let what = "will not be swept when it ends: its expiry entry is missing";
            return Ok(Some(Finding::of_record(kind, key, what, REWRITE)));
        }
        let (version, schema, expires_at) = (header.version, header.schema, header.expires_at);
        let (kind, key) = (kind.to_owned(), key.to_owned());
        Ok(check::record(kinds, &Kept { kind, key, version, schema, expires_at, body }, &entries))
    }

    /// An entry must be one that its record knows of.
    fn look_at_pointer(&self, at: &[u8], value: &[u8]) -> Result<Option<Finding>, StoreError> {
        let text = |from: usize| std::str::from_utf8(at.get(from..).unwrap_or_default()).ok();
        let known = match at.first() {
            Some(b'e') => match keys::of_expiry(at) {
                Some((kind, key)) => self.stored_quietly(kind, key)?.map(|stored| {
                    let end = stored.header.expires_at;
                    end.is_some_and(|end| keys::expiry(end, kind, key) == at)
                }),
                None => None,
            },
            Some(b'i') => match text(1).map(|text| text.splitn(4, '\0').collect::<Vec<_>>()).as_deref() {
                Some([kind, index, value, key]) => {
                    self.stored_quietly(kind, key)?.map(|stored| stored.has(index, value))
                }
                _ => None,
            },
            _ => match text(1).map(|text| text.splitn(3, '\0').collect::<Vec<_>>()).as_deref() {
                Some([kind, index, held]) => {
                    let key = String::from_utf8_lossy(value);
                    self.stored_quietly(kind, &key)?.map(|stored| stored.has(index, held))
                }
                _ => None,
            },
        };
        Ok((known != Some(true)).then(|| malformed(at)))
    }

    /// A record that can't be read has been reported as such: its entries are not reported besides.
    fn stored_quietly(&self, kind: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        match read::stored(&*self.keyspace, kind, key) {
            Err(StoreError::Corrupt { .. }) => Ok(None),
            other => other,
        }
    }

    pub(super) fn times_now(&self) -> Result<Times, StoreError> {
        let mut newest = None;
        for (chain, end) in self.chain_ends()? {
            let last = self.links(&chain, end.sequence.saturating_sub(1), 1)?;
            newest = newest.max(last.first().map(|(_, link)| link.at));
        }
        Ok(Times { database: None, newest })
    }
}

fn malformed(at: &[u8]) -> Finding {
    let sort = match at.first() {
        Some(b'u') => "unique value",
        Some(b'i') => "index entry",
        Some(b'e') => "expiry entry",
        _ => "record",
    };
    // The value may be personal: kind and index are enough to go by.
    let shown: Vec<String> = at
        .get(1..)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .take(2)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    let place =
        if at.first() == Some(&b'e') { sort.to_owned() } else { format!("{sort} {}", shown.join(" ")) };
    Finding::new(crate::check::Severity::Error, place, "points to no record that knows of it", REWRITE)
}
