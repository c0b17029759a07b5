//! The one thread that writes: group commit.

use std::time::Duration;

use agamid_core::Env;
use tokio::sync::{mpsc, oneshot};

use super::chunk::{self, Tree};
use super::directory::Disk;
use crate::backend::keyspace::tap::Taps;
use crate::backend::keyspace::{Reply, Request};
use crate::error::StoreError;
use crate::overlay::{Changes, Overlay};
use crate::rules;

/// At most this many requests share one flush.
const GROUP: usize = 256;

/// Where many ask at once, the next one is waited for this long before the group is closed, and so many times at most.
/// A flush costs far more than its requests, so fewer and larger groups serve all of them sooner.
const PAUSE: Duration = Duration::from_micros(100);
const PAUSES: usize = 4;

/// What stays free on the disk: sled must never meet a full one, because an error in its log stops it for good.
const RESERVE: u64 = 2 << 20;

/// sled writes whole pages, so a change takes more room than its bytes.
const AMPLIFICATION: u64 = 4;

/// Takes in those who come while others still come.
fn gather(jobs: &mut mpsc::Receiver<Job>, group: &mut Vec<Job>) {
    for _ in 0..PAUSES {
        std::thread::sleep(PAUSE);
        let before = group.len();
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        if group.len() == before || group.len() >= GROUP {
            break;
        }
    }
}

/// A request and where its answer goes.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Result<Reply, StoreError>>,
}

pub(super) struct Writer {
    env: Env,
    db: sled::Db,
    disk: Box<dyn Disk>,
    /// Why nothing can be written any more.
    failed: Option<String>,
    taps: Taps,
}

impl Writer {
    pub(super) fn new(env: Env, db: sled::Db, disk: Box<dyn Disk>) -> Self {
        Self { env, db, disk, failed: None, taps: Taps::default() }
    }

    /// Until the last sender is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP);
        let mut before = 0;
        while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
            if before > 1 {
                gather(&mut jobs, &mut group);
            }
            before = group.len();
            self.serve(&mut group);
        }
    }

    /// Evaluates the group in order, each request on top of those before it, writes all changes at once, and only
    /// then answers. A refusal waits too: it may rest on a change that is not yet durable.
    fn serve(&mut self, group: &mut Vec<Job>) {
        let tree = Tree(&self.db);
        let mut changes = Overlay::new(&tree);
        let mut answers = Vec::with_capacity(group.len());
        let mut closing = Vec::new();
        for Job { request, reply } in group.drain(..) {
            let mut own = Overlay::new(&changes);
            match &request {
                Request::Tap(tap) => self.taps.open(tap),
                // The group is one commit: the tap takes all of it.
                Request::Untap(tap) => closing.push(tap.clone()),
                _ => {}
            }
            let result = match request {
                Request::Ping => self.check_room(&Changes::new()).map(|()| Reply::default()),
                request => rules::evaluate(&mut own, &request, self.env.now()),
            };
            let own = own.into_changes();
            if result.is_ok() {
                changes.absorb(own);
            }
            answers.push((reply, result));
        }
        let changes = changes.into_changes();
        let written = self.write(&changes);
        self.taps.hand(&changes, &written);
        for tap in &closing {
            self.taps.close(tap);
        }
        for (reply, result) in answers {
            let answer = written.clone().and(result);
            // Whoever asked may be gone; the commit stands all the same.
            let _gone = reply.send(answer);
        }
    }

    fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        if let Some(reason) = &self.failed {
            return Err(StoreError::Unavailable(reason.clone()));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.check_room(changes)?;
        self.write_through(changes).inspect_err(|error| {
            // After a failed sync the kernel forgets what it could not write: a later sync would succeed and mean
            // nothing. Only opening the directory again shows what is really there.
            let reason = format!("writing failed ({error}): reads go on, restart the server to write again");
            tracing::error!(name: "store.write.failed", %error, "nothing more will be written");
            self.failed = Some(reason);
        })
    }

    fn write_through(&self, changes: &Changes) -> Result<(), StoreError> {
        let batch = chunk::batch(&self.db, changes)?;
        self.db.apply_batch(batch).map_err(super::unavailable)?;
        self.db.flush().map_err(super::unavailable)?;
        self.disk.sync().map_err(|e| StoreError::Unavailable(format!("syncing the data file: {e}")))
    }

    fn check_room(&self, changes: &Changes) -> Result<(), StoreError> {
        let size =
            |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| key.len() + value.as_ref().map_or(0, Vec::len);
        let bytes: usize = changes.iter().map(size).sum();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let needed = RESERVE.saturating_add(bytes.saturating_mul(AMPLIFICATION));
        let free = self
            .disk
            .free()
            .map_err(|e| StoreError::Unavailable(format!("asking for free disk space: {e}")))?;
        if free < needed {
            return Err(StoreError::Unavailable(format!(
                "the disk is full: {free} bytes free in the data directory, {needed} needed"
            )));
        }
        Ok(())
    }
}
