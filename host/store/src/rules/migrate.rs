//! Bringing records of an older schema, or without entries in a new index, up to date.

use agamid_core::time::Timestamp;

use crate::backend::keyspace::{MigrateStep, Read as _};
use crate::error::StoreError;
use crate::layout::{self, Cursor, Recorded};
use crate::overlay::Overlay;
use crate::rules::records;
use crate::stored::Stored;
use crate::{keys, read};

pub(crate) fn step(view: &mut Overlay<'_>, step: &MigrateStep, now: Timestamp) -> Result<(), StoreError> {
    let kind = &step.kind;
    for key in &step.keys {
        // What has ended is swept, not mended.
        let stored = read::stored(view, kind.name, key)?.filter(|stored| stored.visible(now));
        let Some(stored) = stored else { continue };
        let document = layout::renewed(kind, key, stored.header.schema, &stored.body)?;
        let version = stored.header.version;
        if Stored::of(&document, version) != stored {
            records::write(view, &document, version, now)?;
        }
    }
    let cursor = keys::about(&layout::cursor_name(kind.name));
    match step.keys.last() {
        Some(last) => view.put(cursor, Cursor::text(kind, last)?.into_bytes()),
        None => {
            record(view, kind)?;
            if view.get(&cursor)?.is_some() {
                view.remove(cursor);
            }
        }
    }
    Ok(())
}

/// Notes that all records of the kind are as the kind says.
pub(crate) fn record(view: &mut Overlay<'_>, kind: &crate::record::Kind) -> Result<(), StoreError> {
    view.put(keys::about(&layout::kind_name(kind.name)), Recorded::of(kind).text()?.into_bytes());
    Ok(())
}
