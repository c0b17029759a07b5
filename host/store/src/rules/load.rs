//! Putting in place what an export holds: where something lies already, nothing is put.

use agamid_core::time::Timestamp;

use crate::backend::item::{Load, Loaded};
use crate::backend::keyspace::Read;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::Overlay;
use crate::read;
use crate::rules::records::{self, conflict};
use crate::rules::{IMPORT, ONE_TIME};

pub(crate) fn load(view: &mut Overlay<'_>, load: &Load, now: Timestamp) -> Result<(), StoreError> {
    for item in &load.items {
        match item {
            Loaded::Record { document, version } => {
                if document.kind != ONE_TIME {
                    records::check(document)?;
                }
                let before = read::stored(view, document.kind, &document.key)?;
                if before.is_some_and(|before| before.visible(now)) {
                    return Err(conflict(document.kind, &document.key, "there is one already"));
                }
                records::write(view, document, *version, now)?;
            }
            Loaded::Link { chain, sequence, link } => {
                put_new(view, keys::audit(chain, *sequence), link.to_bytes()?, chain)?;
            }
            Loaded::End { chain, end } => put_new(view, keys::chain_end(chain), end.to_bytes()?, chain)?,
        }
    }
    match &load.marker {
        Some(marker) => view.put(keys::about(IMPORT), marker.clone().into_bytes()),
        None => view.remove(keys::about(IMPORT)),
    }
    Ok(())
}

fn put_new(view: &mut Overlay<'_>, key: Vec<u8>, value: Vec<u8>, chain: &str) -> Result<(), StoreError> {
    if view.get(&key)?.is_some() {
        return Err(conflict("audit", chain, "there is a chain of this name already"));
    }
    view.put(key, value);
    Ok(())
}
