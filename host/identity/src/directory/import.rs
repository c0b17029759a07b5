//! All people of a directory: taken over page by page, then those who are gone are disabled.
//!
//! Memory holds one page, however many people there are. A paged search can't be gone on with on another connection, so an
//! import that broke off in its first phase starts over: entries that changed nothing cost a read each. The second phase
//! asks the directory for the people it gave us, a hundred at a time: once to count who is gone, so that a mistake in the
//! settings disables nobody, and once to disable them. It goes on where it stopped. One import of a directory runs at a time
//! over all nodes: it holds a lease that it renews, and that runs out when its node dies.

use std::collections::BTreeSet;
use std::time::Duration;

use agamid_core::id::OrgId;
use agamid_core::time::Timestamp;
use agamid_store::{Batch, Expect, Record, Scan, StoreError, Versioned};
use serde::{Deserialize, Serialize};

use super::connection::Query;
use super::link::DirectoryLink;
use super::people::Outcome;
use super::settings::ImportMode;
use super::{Directories, Directory, DirectoryError, filter, mapping};
use crate::IdentityError;

/// How long an import of which nothing is heard counts as running.
const LEASE: Duration = Duration::from_secs(120);
/// How soon an import that failed is tried again, unless its interval is shorter.
const RETRY: Duration = Duration::from_secs(300);
/// People that are asked for at once in the second phase.
const AT_ONCE: u16 = 100;
/// People that an import may disable whatever the percentage says.
const FEW: u64 = 10;

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Entries that were seen.
    pub found: u64,
    /// People made.
    pub created: u64,
    /// People changed.
    pub updated: u64,
    /// People who are as they were.
    pub unchanged: u64,
    /// Entries that became nobody: the log says which and why.
    pub refused: u64,
    /// People disabled because their entry is gone.
    pub disabled: u64,
}

/// The last import of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportState {
    /// Whether it is running.
    pub running: bool,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// What it did.
    pub counts: Counts,
    /// Why it stopped before its end.
    pub failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// Entries become people.
    People,
    /// Those who are gone are counted.
    Missing,
    /// They are disabled.
    Vanished,
    /// It ended, or must not go on.
    Done,
}

/// The last import of a directory, and who holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportRecord {
    directory: String,
    /// Who runs it; nobody when it ended.
    holder: Option<String>,
    lease_until: Timestamp,
    phase: Phase,
    /// Where the second phase goes on.
    cursor: Option<String>,
    /// People it found to be gone.
    missing: u64,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    counts: Counts,
    failure: Option<String>,
}

impl Record for ImportRecord {
    const KIND: &'static str = "directory_import";
    fn key(&self) -> String {
        self.directory.clone()
    }
}

/// An import that this process holds.
struct Held<'a> {
    house: &'a Directories,
    record: ImportRecord,
    version: u64,
    vanish_percent: u64,
}

impl Directories {
    /// Imports a directory, and answers when it is done. It goes on when the caller stops waiting.
    ///
    /// # Errors
    /// [`DirectoryError::ImportRunning`], or why it stopped; what was done until then stays.
    pub async fn import(&self, name: &str) -> Result<Counts, IdentityError> {
        let unknown = || DirectoryError::Unknown(name.to_owned());
        let at = self.all.iter().position(|directory| directory.settings.name == name).ok_or_else(unknown)?;
        let house = self.clone();
        let work = tokio::spawn(async move {
            match house.all.get(at) {
                Some(directory) => house.run_import(directory).await,
                None => Ok(Counts::default()),
            }
        });
        let stopped = |error: tokio::task::JoinError| DirectoryError::ImportStopped {
            directory: name.to_owned(),
            reason: error.to_string(),
        };
        work.await.map_err(stopped)?
    }

    /// Runs the scheduled imports that are due. To be called now and then.
    pub async fn import_due(&self) {
        for directory in self.all.iter().filter(|one| one.settings.import == ImportMode::Schedule) {
            let name = &directory.settings.name;
            let done = match self.is_due(directory).await {
                Ok(true) => self.import(name).await.map(|_| ()),
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            // Why it stopped is in the log already.
            if let Err(error) = done {
                tracing::debug!(event = "directory.import_skipped", directory = name, %error);
            }
        }
    }

    pub(super) async fn last_import(&self, name: &str) -> Result<Option<ImportState>, IdentityError> {
        let Some(found) = self.store.get::<ImportRecord>(name).await? else { return Ok(None) };
        let record = found.record;
        Ok(Some(ImportState {
            running: record.holder.is_some() && self.env.now() < record.lease_until,
            started_at: record.started_at.to_string(),
            ended_at: record.ended_at.map(|at| at.to_string()),
            counts: record.counts,
            failure: record.failure,
        }))
    }

    async fn is_due(&self, directory: &Directory) -> Result<bool, IdentityError> {
        let Some(found) = self.store.get::<ImportRecord>(&directory.settings.name).await? else {
            return Ok(true);
        };
        let (last, now) = (found.record, self.env.now());
        let interval = Duration::from_secs(directory.settings.interval_seconds);
        Ok(match (last.holder, last.ended_at) {
            (Some(_), _) => now >= last.lease_until,
            (None, Some(ended)) if last.failure.is_some() => now >= ended.plus(RETRY.min(interval)),
            (None, _) => now >= last.started_at.plus(interval),
        })
    }

    async fn run_import(&self, directory: &Directory) -> Result<Counts, IdentityError> {
        let name = &directory.settings.name;
        let Some(organisation) = self.organisation(directory).await? else {
            let reason = format!("there is no organisation {}", directory.settings.organisation);
            return Err(DirectoryError::ImportStopped { directory: name.clone(), reason }.into());
        };
        let mut held = self.hold_import(directory).await?;
        tracing::info!(event = "directory.import_started", directory = name, phase = ?held.record.phase);
        let done = held.run(directory, &organisation).await;
        held.record.failure = done.as_ref().err().map(ToString::to_string);
        held.record.holder = None;
        held.record.ended_at = Some(self.env.now());
        held.save().await?;
        let counts = held.record.counts;
        match done {
            Ok(()) => {
                tracing::info!(event = "directory.imported", directory = name, ?counts);
                Ok(counts)
            }
            Err(error) => {
                tracing::error!(event = "directory.import_failed", directory = name, ?counts, %error);
                Err(error)
            }
        }
    }

    /// Takes the lease, and goes on with a second phase that stopped.
    async fn hold_import(&self, directory: &Directory) -> Result<Held<'_>, IdentityError> {
        let name = directory.settings.name.clone();
        let now = self.env.now();
        let found = self.store.get::<ImportRecord>(&name).await?;
        let running = || DirectoryError::ImportRunning(name.clone());
        let (expect, next) = match &found {
            Some(Versioned { record, .. }) if record.holder.is_some() && now < record.lease_until => {
                return Err(running().into());
            }
            Some(Versioned { version, .. }) => (Expect::Version(*version), version + 1),
            None => (Expect::Absent, 1),
        };
        let before = found.map(|found| found.record);
        let stopped = before.filter(|record| matches!(record.phase, Phase::Missing | Phase::Vanished));
        let mut record = stopped.unwrap_or_else(|| ImportRecord {
            directory: name.clone(),
            holder: None,
            lease_until: now,
            phase: Phase::People,
            cursor: None,
            missing: 0,
            started_at: now,
            ended_at: None,
            counts: Counts::default(),
            failure: None,
        });
        record.holder = Some(agamid_core::id::new_ulid(&self.env));
        record.lease_until = now.plus(LEASE);
        record.ended_at = None;
        record.failure = None;
        match self.store.commit(Batch::new().put(&record, expect)).await {
            Ok(_) => {
                let vanish_percent = u64::from(directory.settings.vanish_percent);
                Ok(Held { house: self, record, version: next, vanish_percent })
            }
            Err(StoreError::Conflict { .. }) => Err(running().into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Held<'_> {
    /// Writes how far the import is, and renews the lease. Fails when another node has taken it over.
    async fn save(&mut self) -> Result<(), IdentityError> {
        self.record.lease_until = self.house.env.now().plus(LEASE);
        self.house.store.commit(Batch::new().put(&self.record, Expect::Version(self.version))).await?;
        self.version += 1;
        Ok(())
    }

    async fn run(&mut self, directory: &Directory, organisation: &OrgId) -> Result<(), IdentityError> {
        if !matches!(self.record.phase, Phase::Missing | Phase::Vanished) {
            self.people(directory, organisation).await?;
            self.enter(Phase::Missing).await?;
        }
        if self.record.phase == Phase::Missing {
            self.missing(directory, organisation).await?;
            self.enter(Phase::Vanished).await?;
        }
        self.missing(directory, organisation).await?;
        self.record.phase = Phase::Done;
        Ok(())
    }

    async fn enter(&mut self, phase: Phase) -> Result<(), IdentityError> {
        if phase == Phase::Vanished {
            self.check_missing()?;
        }
        self.record.phase = phase;
        self.record.cursor = None;
        self.save().await
    }

    /// Stops for good when too many are gone: that is more likely a mistake in the settings or in the directory.
    fn check_missing(&mut self) -> Result<(), DirectoryError> {
        let (found, missing) = (self.record.counts.found, self.record.missing);
        let few = missing <= FEW && found > 0;
        if few
            || missing.saturating_mul(100)
                <= found.saturating_add(missing).saturating_mul(self.vanish_percent)
        {
            return Ok(());
        }
        self.record.phase = Phase::Done;
        let reason = format!(
            "{missing} people are gone and {found} are there, more than vanish_percent allows; nobody was disabled. If that \
             is right, raise it for one import"
        );
        Err(DirectoryError::ImportStopped { directory: self.record.directory.clone(), reason })
    }

    async fn people(&mut self, directory: &Directory, organisation: &OrgId) -> Result<(), IdentityError> {
        let settings = &directory.settings;
        let mut attributes: Vec<String> = settings.map.iter().flat_map(|rule| rule.from.clone()).collect();
        attributes.push(settings.stable_id.clone());
        let mut query = Query {
            base: settings.base_dn.clone(),
            scope: settings.scope,
            filter: settings.everybody(),
            attributes,
            limit: settings.page_size,
            page: Some(Vec::new()),
        };
        let mut connection = directory.pool.hold().await?;
        let stopped =
            |reason: String| DirectoryError::ImportStopped { directory: settings.name.clone(), reason };
        loop {
            let page = connection.search(&query).await.map_err(|failure| stopped(failure.to_string()))?;
            if page.entries.is_empty() && !page.cookie.is_empty() {
                return Err(stopped("a page without entries that is not the last".to_owned()).into());
            }
            for entry in &page.entries {
                self.take_over(directory, organisation, entry).await?;
            }
            self.save().await?;
            tracing::info!(event = "directory.import_progress", directory = settings.name, counts = ?self.record.counts);
            if page.cookie.is_empty() {
                return Ok(());
            }
            query.page = Some(page.cookie);
        }
    }

    async fn take_over(
        &mut self,
        directory: &Directory,
        organisation: &OrgId,
        entry: &mapping::Entry,
    ) -> Result<(), IdentityError> {
        let counts = &mut self.record.counts;
        counts.found += 1;
        let people = self.house.people(directory, organisation);
        let outcome = match entry.stable_id(&directory.settings.stable_id) {
            Some(stable_id) => people.take_over(entry, &stable_id).await?,
            None => Outcome::Refused(format!("it has no one value of {}", directory.settings.stable_id)),
        };
        match outcome {
            Outcome::Created(_) => counts.created += 1,
            Outcome::Updated(_) => counts.updated += 1,
            Outcome::Unchanged(_) => counts.unchanged += 1,
            Outcome::Refused(reason) => {
                counts.refused += 1;
                let directory = &directory.settings.name;
                tracing::warn!(event = "directory.entry_refused", directory, dn = entry.dn, reason);
            }
        }
        Ok(())
    }

    /// Looks for the people of the directory in it: those who are gone are counted or disabled, as the phase is.
    async fn missing(&mut self, directory: &Directory, organisation: &OrgId) -> Result<(), IdentityError> {
        let first = format!("{}/", directory.settings.name);
        let range = Some(first.clone()..=format!("{first}\u{10ffff}"));
        loop {
            let (range, after) = (range.clone(), self.record.cursor.clone());
            let scan = Scan { index: None, range, after, limit: usize::from(AT_ONCE) };
            let page = self.house.store.scan::<DirectoryLink>(scan).await?;
            let gone = self.gone(directory, page.records).await?;
            if self.record.phase == Phase::Missing {
                self.record.missing += u64::try_from(gone.len()).unwrap_or(u64::MAX);
            } else {
                let people = self.house.people(directory, organisation);
                for link in gone {
                    self.record.counts.disabled += u64::from(people.vanished(link).await?);
                }
            }
            self.record.cursor = page.next;
            if self.record.cursor.is_none() {
                return Ok(());
            }
            self.save().await?;
        }
    }

    /// Those of these people whose entry the directory does not have.
    async fn gone(
        &self,
        directory: &Directory,
        links: Vec<Versioned<DirectoryLink>>,
    ) -> Result<Vec<Versioned<DirectoryLink>>, IdentityError> {
        let settings = &directory.settings;
        let mut links: Vec<_> = links.into_iter().filter(|link| !link.record.vanished).collect();
        let asked: Vec<Vec<u8>> =
            links.iter().filter_map(|link| mapping::stable_bytes(&link.record.stable_id)).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let values = asked.iter().map(Vec::as_slice);
        let query = Query {
            base: settings.base_dn.clone(),
            scope: settings.scope,
            filter: filter::of_values(&settings.everybody(), &settings.stable_id, values),
            attributes: vec![settings.stable_id.clone()],
            limit: AT_ONCE,
            page: None,
        };
        let found = directory.pool.search(&query).await?;
        let there: BTreeSet<String> =
            found.entries.iter().filter_map(|entry| entry.stable_id(&settings.stable_id)).collect();
        links.retain(|link| !there.contains(&link.record.stable_id));
        Ok(links)
    }
}
