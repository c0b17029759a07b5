//! Migration of a keyspace, kind by kind, in steps that are commits: killed anywhere, it goes on where it was.

use super::{Keyspace, MigrateStep, Ordered, Request};
use crate::error::StoreError;
use crate::keys;
use crate::layout::{self, Cursor};
use crate::record::Kind;

/// How many records a step deals with.
const STEP: usize = 64;

/// How many steps lie between two lines of progress.
const TELL_EVERY: usize = 100;

impl<K: Keyspace> Ordered<K> {
    /// Brings all kinds up to date, where that is allowed.
    pub(super) async fn bring_up(&self, kinds: &[Kind], allowed: bool) -> Result<(), StoreError> {
        let stale = layout::stale(kinds, |name| self.about_now(name))?;
        if stale.is_empty() {
            return Ok(());
        }
        if !allowed {
            return Err(layout::refusal(&stale, false));
        }
        for kind in stale {
            self.migrate(kind).await?;
        }
        Ok(())
    }

    async fn migrate(&self, kind: &Kind) -> Result<(), StoreError> {
        let cursor = self.about_now(&layout::cursor_name(kind.name))?;
        let prefix = keys::records(kind.name);
        let mut from = keys::record(kind.name, &Cursor::after(kind, cursor.as_deref()));
        if from != prefix {
            from.push(0);
        }
        let mut done = 0;
        for number in 0.. {
            let pairs = self.keyspace.range(&from, &keys::after(&prefix), STEP)?;
            let keys = pairs.iter().filter_map(|(at, _)| keys::of_record(at));
            let keys: Vec<String> = keys.map(|(_, key)| key.to_owned()).collect();
            if let Some((last, _)) = pairs.last() {
                from.clone_from(last);
                from.push(0);
            }
            done += keys.len();
            let over = keys.is_empty();
            if over || number % TELL_EVERY == 0 {
                tracing::info!(event = "store.migrating", kind = kind.name, schema = kind.schema, done, over);
            }
            self.keyspace.submit(Request::Migrate(MigrateStep { kind: *kind, keys })).await?;
            if over {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
