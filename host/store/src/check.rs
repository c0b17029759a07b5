//! What `agamid doctor` asks of a store: whether everything in it can be read and fits together. Nothing is changed.

use std::collections::BTreeSet;

use agamid_core::time::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::backend::item::Kept;
use crate::error::StoreError;
use crate::layout;
use crate::record::Kind;
use crate::rules::{IMPORT, ONE_TIME, State};
use crate::store::Store;

/// A clock may be wrong by this much before it is called wrong, in milliseconds.
const TOLERANCE: i64 = 2_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// It will hurt one day.
    Warning,
    /// Something is broken.
    Error,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: `session 01J…`, `public.tls.cert`.
    pub place: String,
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding.
    pub fn new(
        severity: Severity,
        place: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity, place: place.into(), what: what.into(), remedy: remedy.into() }
    }

    pub(crate) fn of_record(kind: &str, key: &str, what: impl Into<String>, remedy: &str) -> Self {
        Self::new(Severity::Error, format!("{kind} {key}"), what, remedy)
    }
}

/// What to do about a record that can't be read.
pub(crate) const RESTORE: &str =
    "take the record from a backup (`agamid export` of an earlier day), or delete it";
/// What to do about index entries that don't fit.
pub(crate) const REWRITE: &str =
    "export the store and import it into an empty one (docs/backup.md): that builds every index anew";

/// Times that a clock can be held against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// What time the database says it is.
    pub(crate) database: Option<Timestamp>,
    /// When the newest audit event was written.
    pub(crate) newest: Option<Timestamp>,
}

/// What a record's indexes hold for it: index and value.
pub(crate) type Entries = BTreeSet<(String, String)>;

/// Looks at one record; `entries` are those that its indexes hold.
pub(crate) fn record(kinds: &[Kind], kept: &Kept, entries: &Entries) -> Option<Finding> {
    let Kept { kind, key, .. } = kept;
    if kind == ONE_TIME {
        let state: Result<State, _> = serde_json::from_slice(&kept.body);
        return state
            .err()
            .map(|error| Finding::of_record(kind, key, format!("can't be read: {error}"), RESTORE));
    }
    let Some(known) = kinds.iter().find(|known| known.name == kind) else {
        let what = "is of a kind that this version does not know";
        return Some(Finding::of_record(kind, key, what, "run the version that wrote it, or a newer one"));
    };
    let document = match layout::renewed(known, key, kept.schema, &kept.body) {
        Ok(document) => document,
        Err(StoreError::Schema { found, known, .. }) => {
            let what = format!("has schema {found}, this version knows {known}");
            return Some(Finding::of_record(
                kind,
                key,
                what,
                "run the version that wrote it, or a newer one",
            ));
        }
        Err(error) => return Some(Finding::of_record(kind, key, error.to_string(), RESTORE)),
    };
    let expected: Entries =
        document.indexes.into_iter().map(|entry| (entry.index.to_owned(), entry.value)).collect();
    if kept.schema < known.schema {
        let what = format!("has schema {}, this version writes {}", kept.schema, known.schema);
        return Some(Finding {
            severity: Severity::Warning,
            ..Finding::of_record(kind, key, what, "run `agamid migrate`")
        });
    }
    if document.expires_at != kept.expires_at {
        return Some(Finding::of_record(kind, key, "ends at another time than its document says", REWRITE));
    }
    let names = |entries: Vec<&(String, String)>| {
        entries.into_iter().map(|(index, _)| index.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (missing, foreign) =
        (expected.difference(entries).collect::<Vec<_>>(), entries.difference(&expected).collect::<Vec<_>>());
    if !missing.is_empty() {
        return Some(Finding::of_record(
            kind,
            key,
            format!("is missing in the index {}", names(missing)),
            REWRITE,
        ));
    }
    if !foreign.is_empty() {
        let what = format!("stands in the index {} with a value it does not have", names(foreign));
        return Some(Finding::of_record(kind, key, what, REWRITE));
    }
    None
}

impl Store {
    /// Looks at every record, index entry and audit event while others go on working; `take` gets what is found, as it
    /// is found, and `progress` how many records were looked at. Answers how many there are.
    ///
    /// # Errors
    /// `Unavailable` where the store does not answer.
    pub async fn check(
        &self,
        mut take: impl FnMut(Finding) + Send,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<u64, StoreError> {
        let kinds = self.kinds.iter().flat_map(|kinds| kinds.iter().copied()).collect();
        let (send, mut news) = mpsc::channel(64);
        let backend = std::sync::Arc::clone(&self.backend);
        let looking = tokio::spawn(async move { backend.check(kinds, send).await });
        let mut looked = 0;
        while let Some(news) = news.recv().await {
            match news {
                News::Found(finding) => take(finding),
                News::Looked(more) => {
                    looked += more;
                    progress(looked);
                }
            }
        }
        looking.await.map_err(|error| StoreError::Unavailable(error.to_string()))??;
        match self.verify_audit().await {
            Ok(_) => {}
            Err(StoreError::Corrupt { key, cause, .. }) => take(Finding::new(
                Severity::Error,
                format!("audit {key}"),
                cause,
                "somebody changed the audit events, or the disk did: keep a copy of the store as evidence, and compare \
                 it with your backups",
            )),
            Err(error) => return Err(error),
        }
        self.check_clock(&mut take).await?;
        if self.unfinished_import().await? {
            take(unfinished());
        }
        Ok(looked)
    }

    async fn check_clock(&self, take: &mut (impl FnMut(Finding) + Send)) -> Result<(), StoreError> {
        let times = self.backend.times().await?;
        let now = self.env.now();
        if let Some(newest) = times.newest
            && newest.0.saturating_sub(now.0) > TOLERANCE
        {
            take(Finding::new(
                Severity::Error,
                "clock",
                format!("it is {now}, but an audit event was written at {newest}: the clock went backwards"),
                "set the clock by NTP; records end later, or sooner, than they should until it is right",
            ));
        }
        if let Some(database) = times.database
            && database.0.saturating_sub(now.0).saturating_abs() > TOLERANCE
        {
            take(Finding::new(
                Severity::Warning,
                "clock",
                format!("this machine says it is {now}, the database says {database}"),
                "let NTP set the clocks of all nodes and of the database",
            ));
        }
        Ok(())
    }

    /// Whether an import into this store was interrupted and waits to be gone on with.
    pub async fn unfinished_import(&self) -> Result<bool, StoreError> {
        Ok(self.backend.about(IMPORT).await?.is_some())
    }
}

fn unfinished() -> Finding {
    Finding::new(
        Severity::Error,
        "store",
        "an import into it was interrupted",
        "run the same `agamid import` again: it goes on where it was",
    )
}

/// What a check tells while it runs.
pub(crate) enum News {
    Found(Finding),
    /// So many more records were looked at.
    Looked(u64),
}

/// Nobody may be listening any more; then there is no need to go on.
pub(crate) async fn tell(out: &mpsc::Sender<News>, news: News) -> Result<(), StoreError> {
    let gone = |_| StoreError::Unavailable("nobody asks any more".to_owned());
    out.send(news).await.map_err(gone)
}

#[cfg(test)]
mod tests;
