//! An export goes into a store: all of it, or as far as it came, to be gone on with.

use std::collections::HashMap;

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::reading::{ExportFile, Items};
use crate::backend::Document;
use crate::backend::item::{Item, Kept, Load, Loaded};
use crate::error::StoreError;
use crate::layout;
use crate::record::Kind;
use crate::rules::{IMPORT, ONE_TIME, State};
use crate::store::Store;
use crate::stored::corrupt;

/// How many items go into one commit, and how many bytes of documents at most.
const STEP: usize = 500;
const STEP_BYTES: usize = 1 << 20;

/// How a file is imported.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImportOptions {
    /// Whether the store may hold something already. What the file and the store both have is a conflict even then.
    pub into_non_empty: bool,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records put in place, by this call.
    pub records: u64,
    /// Audit events.
    pub audit_events: u64,
    /// Records that had ended since.
    pub ended: u64,
    /// Whether an import that was interrupted was gone on with.
    pub resumed: bool,
}

/// How far an import has come: kept in the store in the same commit as what it put there.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    sha256: String,
    line: u64,
}

/// A commit's worth of items, and the line it reaches.
struct Portion {
    items: Vec<Loaded>,
    line: u64,
    done: Imported,
}

impl Store {
    /// Puts everything of the file in place. Interrupted, it is gone on with by the same call. `progress` is told the
    /// line that was reached.
    ///
    /// # Errors
    /// `Invalid` where the store is not empty, or the file holds a kind or schema that is not known; `Conflict` names
    /// what is there already.
    pub async fn import(
        &self,
        file: &ExportFile,
        options: ImportOptions,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Imported, StoreError> {
        let kinds = self.known(file)?;
        let reached = self.reached(file, options).await?;
        let mut total = Imported { resumed: reached.is_some(), ..Imported::default() };
        let skip = reached.unwrap_or(0);
        let mut reader = Reader { items: file.items()?, kinds, skip, now: self.env.now() };
        while let Some(portion) = reader.portion()? {
            let marker = Marker { sha256: file.sha256.clone(), line: portion.line };
            let marker = serde_json::to_string(&marker).map_err(|e| StoreError::Invalid(e.to_string()))?;
            self.backend.load(Load { items: portion.items, marker: Some(marker) }).await?;
            total.records += portion.done.records;
            total.audit_events += portion.done.audit_events;
            total.ended += portion.done.ended;
            progress(portion.line);
        }
        self.verify_audit().await?;
        self.backend.load(Load::default()).await?;
        Ok(total)
    }

    /// The kinds by name, if there are all that the file needs.
    fn known(&self, file: &ExportFile) -> Result<HashMap<String, Kind>, StoreError> {
        let Some(kinds) = &self.kinds else {
            return Err(StoreError::Invalid(
                "this store was opened without its kinds: it can't import".to_owned(),
            ));
        };
        let kinds: HashMap<String, Kind> = kinds.iter().map(|kind| (kind.name.to_owned(), *kind)).collect();
        for (name, &schema) in file.kinds.iter().filter(|(name, _)| *name != ONE_TIME) {
            match kinds.get(name) {
                Some(known) if known.schema >= schema => {}
                Some(known) => {
                    return Err(StoreError::Schema { kind: known.name, found: schema, known: known.schema });
                }
                None => {
                    return Err(StoreError::Invalid(format!(
                        "the file holds records of the kind {name:?}, which this version does not know: use the \
                         version that made it ({}), or a newer one",
                        file.manifest.version
                    )));
                }
            }
        }
        Ok(kinds)
    }

    /// The line that an interrupted import of this file had reached; nothing where it is to begin.
    async fn reached(&self, file: &ExportFile, options: ImportOptions) -> Result<Option<u64>, StoreError> {
        if let Some(text) = self.backend.about(IMPORT).await? {
            let marker: Marker =
                serde_json::from_str(&text).map_err(|error| corrupt("about", IMPORT, error.to_string()))?;
            if marker.sha256 != file.sha256 {
                return Err(StoreError::Invalid(
                    "another file was being imported into this store and is not finished: import that one again, or \
                     begin with an empty store"
                        .to_owned(),
                ));
            }
            return Ok(Some(marker.line));
        }
        if !options.into_non_empty && !self.backend.is_empty().await? {
            return Err(StoreError::Invalid(
                "the store is not empty: import into an empty one (or, if you mean it, --into-non-empty)"
                    .to_owned(),
            ));
        }
        Ok(None)
    }
}

/// Makes portions of a file.
struct Reader<'a> {
    items: Items<'a>,
    kinds: HashMap<String, Kind>,
    /// Lines up to this one are in place already.
    skip: u64,
    now: Timestamp,
}

impl Reader<'_> {
    fn portion(&mut self) -> Result<Option<Portion>, StoreError> {
        let mut portion = Portion { items: Vec::new(), line: 0, done: Imported::default() };
        let mut bytes = 0;
        while portion.items.len() < STEP && bytes < STEP_BYTES {
            let Some((line, item)) = self.items.next()? else { break };
            if line <= self.skip {
                continue;
            }
            portion.line = line;
            match item {
                Item::Record(kept) if kept.expired(self.now) => portion.done.ended += 1,
                Item::Record(kept) => {
                    bytes += kept.body.len();
                    portion.done.records += 1;
                    portion.items.push(self.record(kept)?);
                }
                Item::Link { chain, sequence, link } => {
                    portion.done.audit_events += 1;
                    portion.items.push(Loaded::Link { chain, sequence, link });
                }
                Item::End { chain, end } => portion.items.push(Loaded::End { chain, end }),
                Item::Deleted { .. } | Item::Changes => {}
            }
        }
        Ok((portion.line > 0).then_some(portion))
    }

    /// As today's type describes it: its indexes, its key, its end. The document itself stays as it was written, unless
    /// its schema is an older one.
    fn record(&self, kept: Kept) -> Result<Loaded, StoreError> {
        let Kept { kind, key, version, schema, expires_at, body } = kept;
        if kind == ONE_TIME {
            let state: Result<State, _> = serde_json::from_slice(&body);
            state.map_err(|error| corrupt(ONE_TIME, &key, error.to_string()))?;
            let document = Document { kind: ONE_TIME, key, schema, indexes: Vec::new(), expires_at, body };
            return Ok(Loaded::Record { document, version });
        }
        let unknown = || StoreError::Invalid(format!("the kind {kind:?} is not known"));
        let known = self.kinds.get(&kind).ok_or_else(unknown)?;
        let document = layout::renewed(known, &key, schema, &body)?;
        Ok(Loaded::Record { document, version })
    }
}
