//! Records: preconditions, versions, unique values, index entries, expiry.

use agamid_core::time::Timestamp;

use crate::backend::Document;
use crate::backend::keyspace::Read;
use crate::batch::Expect;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::Overlay;
use crate::read;
use crate::rules::one_time;
use crate::stored::Stored;

/// Largest document, in bytes.
const LARGEST: usize = 32 << 20;

pub(crate) fn put(
    view: &mut Overlay<'_>,
    document: &Document,
    expect: Expect,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (kind, key) = (document.kind, document.key.as_str());
    let before = read::stored(view, kind, key)?;
    let version = meet(kind, key, before.as_ref(), expect, now)?;
    replace(view, document, before, version.map_or(1, |version| version.saturating_add(1)), now)
}

/// Writes without looking at preconditions.
pub(crate) fn write(
    view: &mut Overlay<'_>,
    document: &Document,
    version: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = read::stored(view, document.kind, &document.key)?;
    replace(view, document, before, version, now)
}

/// Writes over what lies there.
fn replace(
    view: &mut Overlay<'_>,
    document: &Document,
    before: Option<Stored>,
    version: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (kind, key) = (document.kind, document.key.as_str());
    if let Some(before) = before {
        erase(view, kind, key, &before)?;
    }
    for entry in &document.indexes {
        if entry.unique {
            claim(view, document, entry.index, &entry.value, now)?;
        }
        view.put(keys::entry(kind, entry.index, &entry.value, key), Vec::new());
    }
    if let Some(end) = document.expires_at {
        view.put(keys::expiry(end, kind, key), Vec::new());
    }
    view.put(keys::record(kind, key), Stored::of(document, version).to_bytes()?);
    Ok(())
}

/// Takes a unique value, from a holder that has expired too.
fn claim(
    view: &mut Overlay<'_>,
    document: &Document,
    index: &str,
    value: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let kind = document.kind;
    let at = keys::unique(kind, index, value);
    if let Some(holder) = view.get(&at)?
        && holder != document.key.as_bytes()
    {
        let holder = String::from_utf8_lossy(&holder);
        if read::stored(view, kind, &holder)?.is_some_and(|other| other.visible(now)) {
            let reason = format!("unique index {index}: another record has this value");
            return Err(conflict(kind, &document.key, reason));
        }
    }
    view.put(at, document.key.clone().into_bytes());
    Ok(())
}

pub(crate) fn delete(
    view: &mut Overlay<'_>,
    kind: &str,
    key: &str,
    expect: Expect,
    now: Timestamp,
) -> Result<(), StoreError> {
    let before = read::stored(view, kind, key)?;
    meet(kind, key, before.as_ref(), expect, now)?;
    before.map_or(Ok(()), |before| erase(view, kind, key, &before))
}

/// Checks a precondition.
pub(crate) fn require(
    view: &Overlay<'_>,
    kind: &str,
    key: &str,
    expect: Expect,
    now: Timestamp,
) -> Result<(), StoreError> {
    meet(kind, key, read::stored(view, kind, key)?.as_ref(), expect, now).map(drop)
}

/// Whether what lies there meets an expectation; answers the version of a visible record.
fn meet(
    kind: &str,
    key: &str,
    stored: Option<&Stored>,
    expect: Expect,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    let version = stored.filter(|stored| stored.visible(now)).map(|stored| stored.header.version);
    let reason = match (expect, version) {
        (Expect::Absent, Some(found)) => format!("expected none, found version {found}"),
        (Expect::Version(wanted), Some(found)) if found != wanted => {
            format!("expected version {wanted}, found version {found}")
        }
        (Expect::Version(wanted), None) => format!("expected version {wanted}, found none"),
        _ => return Ok(version),
    };
    Err(conflict(kind, key, reason))
}

/// Removes up to all of these records that have expired; answers how many.
pub(crate) fn sweep(
    view: &mut Overlay<'_>,
    expired: &[Vec<u8>],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut swept = 0;
    for at in expired {
        let Some((kind, key)) = keys::of_expiry(at) else { continue };
        if let Some(stored) = read::stored(view, kind, key)?.filter(|stored| !stored.visible(now)) {
            erase(view, kind, key, &stored)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes a record and all that points to it, whether visible or not.
fn erase(view: &mut Overlay<'_>, kind: &str, key: &str, stored: &Stored) -> Result<(), StoreError> {
    for entry in &stored.header.indexes {
        let unique = keys::unique(kind, &entry.index, &entry.value);
        // Somebody else may hold the value by now: this record could have expired unswept.
        if entry.unique && view.get(&unique)?.is_some_and(|holder| holder == key.as_bytes()) {
            view.remove(unique);
        }
        view.remove(keys::entry(kind, &entry.index, &entry.value, key));
    }
    if let Some(end) = stored.header.expires_at {
        view.remove(keys::expiry(end, kind, key));
    }
    view.remove(keys::record(kind, key));
    Ok(())
}

/// Whether a document can be stored at all.
pub(crate) fn check(document: &Document) -> Result<(), StoreError> {
    let kind = document.kind;
    if kind == one_time::KIND
        || !kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    {
        return Err(StoreError::Invalid(format!("{kind:?} cannot be the name of a record kind")));
    }
    keys::check("key", kind, &document.key)?;
    for entry in &document.indexes {
        keys::check(entry.index, kind, entry.index)?;
        keys::check(entry.index, kind, &entry.value)?;
    }
    if document.body.len() > LARGEST {
        let size = document.body.len();
        return Err(StoreError::Invalid(format!(
            "a {kind} of {size} bytes cannot be stored: the limit is {LARGEST}"
        )));
    }
    Ok(())
}

pub(crate) fn conflict(kind: &str, key: &str, reason: impl Into<String>) -> StoreError {
    StoreError::Conflict { kind: kind.to_owned(), key: key.to_owned(), reason: reason.into() }
}
