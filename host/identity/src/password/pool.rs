//! The bounded pool in which passwords are hashed, so that a storm of logins queues instead of starving everything else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::IdentityError;

/// Jobs that may wait for one core; more are refused.
const QUEUE: usize = 64;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    /// One permit for each job that may wait or run.
    waiting: Arc<Semaphore>,
    /// One permit for each core.
    running: Arc<Semaphore>,
    computed: Tally,
}

/// Counts hashes, by what they cost.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    /// A hash of this shape is about to be computed.
    pub(crate) fn count(&self, shape: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(shape.into()).or_default() += 1;
    }
}

impl Pool {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            waiting: Arc::new(Semaphore::new(cores * QUEUE)),
            running: Arc::new(Semaphore::new(cores)),
            computed: Tally::default(),
        }
    }

    /// Hashes since the start, by what they cost.
    pub(crate) fn computed(&self) -> BTreeMap<String, u64> {
        self.computed.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does work when a core is free. What it computes it counts itself.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tally) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| IdentityError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|_| IdentityError::Busy)?;
        let tally = self.computed.clone();
        let done = tokio::task::spawn_blocking(move || {
            // The permits are given back when the work is over, not when somebody stops waiting for it.
            let _places = (waiting, running);
            work(&tally)
        });
        done.await.map_err(|_| IdentityError::Hashing)?
    }
}
