//! `sled:DIRECTORY`: the embedded store. The only place that knows sled 0.34, and what has to be done around it:
//!
//! - one writer thread merges what waits into one sled batch, then flushes *and* syncs the data file
//!   (`writer`): sled's own flush survives `kill -9` but not power loss;
//! - values are cut into pieces (`chunk`): sled puts large pages into files that it never syncs;
//! - unfinished snapshots are removed before opening (`directory`): sled would take one for the newest and refuse it;
//! - an own lock file (`directory`) says who uses the directory.

mod chunk;
mod directory;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use agamid_core::{BoxFuture, Env};
use tokio::sync::{mpsc, oneshot};

use super::closed;
use super::keyspace::{Keyspace, Pair, Read, Reply, Request};
use crate::error::StoreError;
use directory::{DataFile, Directory, Disk};
use writer::{Job, Writer};

/// How many requests may wait; more wait outside.
const QUEUE: usize = 1024;

pub(crate) struct Sled {
    open: Arc<RwLock<Option<Open>>>,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What an open store holds. The directory's lock goes last.
struct Open {
    db: sled::Db,
    _directory: Directory,
}

impl Sled {
    pub(crate) async fn open(directory: PathBuf, env: Env) -> Result<Self, StoreError> {
        let opening =
            tokio::task::spawn_blocking(move || Self::open_now(directory, env, |file| Box::new(file)));
        opening.await.map_err(|e| StoreError::Open(format!("sled broke down while opening: {e}")))?
    }

    /// `disk` is what the writer asks for room and for syncing.
    fn open_now(
        directory: PathBuf,
        env: Env,
        disk: impl FnOnce(DataFile) -> Box<dyn Disk>,
    ) -> Result<Self, StoreError> {
        let directory = Directory::lock(directory)?;
        let db = directory.open_database()?;
        let disk = disk(directory.data_file()?);
        let (sender, jobs) = mpsc::channel(QUEUE);
        let writer = Writer::new(env, db.clone(), disk);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(|e| StoreError::Open(format!("the writer thread does not start: {e}")))?;
        Ok(Self {
            open: Arc::new(RwLock::new(Some(Open { db, _directory: directory }))),
            jobs: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(thread)),
        })
    }

    fn reading<T>(&self, read: impl FnOnce(&sled::Db) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        read(&open.as_ref().ok_or_else(closed)?.db)
    }

    fn sender(&self) -> Option<mpsc::Sender<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops taking requests; answers the thread that finishes the waiting ones.
    fn stop(&self) -> Option<JoinHandle<()>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Sled {
    /// Waits for what was submitted, so that the directory can be opened again at once.
    fn drop(&mut self) {
        if let Some(thread) = self.stop()
            && thread.join().is_err()
        {
            tracing::error!(name: "store.writer.died", "the store's writer thread had died");
        }
    }
}

impl Read for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reading(|db| chunk::get(db, key))
    }
}

impl Keyspace for Sled {
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, StoreError> {
        self.reading(|db| chunk::range(db, from, to, limit))
    }

    fn submit(&self, request: Request) -> BoxFuture<'_, Result<Reply, StoreError>> {
        Box::pin(async move {
            let dead = || StoreError::Unavailable("its writer has stopped: restart the server".to_owned());
            let sender = self.sender().ok_or_else(closed)?;
            let (reply, answer) = oneshot::channel();
            sender.send(Job { request, reply }).await.map_err(|_| dead())?;
            drop(sender);
            answer.await.map_err(|_| dead())?
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let (thread, open) = (self.stop(), Arc::clone(&self.open));
        Box::pin(async move {
            let closing = tokio::task::spawn_blocking(move || {
                let finished = thread.is_none_or(|thread| thread.join().is_ok());
                // Dropping sled flushes once more.
                drop(open.write().unwrap_or_else(PoisonError::into_inner).take());
                finished
            });
            match closing.await {
                Ok(true) => Ok(()),
                _ => Err(StoreError::Unavailable("its writer had died before it was closed".to_owned())),
            }
        })
    }
}

fn unavailable(error: sled::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
