//! Counters that may be lost: of addresses, and of all together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agamid_core::{BoxFuture, Env};

/// Counters that are kept at a time; the ones that were idle longest make room.
const MOST: usize = 100_000;

/// A counter as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// How often it was counted up; 0 where it was forgotten.
    pub count: u32,
    /// How long ago the last time was.
    pub idle: Duration,
}

/// Where counters are that may be lost without anything being lost with them. An implementation whose server does not
/// answer goes on with counts of its own: a login must not hang on it.
pub trait RateCounters: Send + Sync {
    /// Counts up; answers the count with this one. It is forgotten a `window` after the last time.
    fn add<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, u32>;

    /// The counter as it stands; `window` is the one it was added with.
    fn get<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, Counted>;
}

/// Counters in the memory of this process.
pub struct LocalCounters {
    env: Env,
    most: usize,
    entries: Mutex<HashMap<String, Entry>>,
}

#[derive(Clone, Copy)]
struct Entry {
    count: u32,
    last: Duration,
    window: Duration,
}

impl LocalCounters {
    /// Counts nothing yet.
    pub fn new(env: Env) -> Self {
        Self { env, most: MOST, entries: Mutex::default() }
    }

    fn make_room(&self, entries: &mut HashMap<String, Entry>, now: Duration) {
        if entries.len() < self.most {
            return;
        }
        entries.retain(|_, entry| now.saturating_sub(entry.last) < entry.window);
        if entries.len() < self.most {
            return;
        }
        // A tenth at once, so that this is not done at every attempt.
        let mut idle: Vec<Duration> = entries.values().map(|entry| entry.last).collect();
        idle.sort_unstable();
        let bound = idle.get(self.most / 10).copied().unwrap_or(now);
        entries.retain(|_, entry| entry.last > bound);
    }
}

impl RateCounters for LocalCounters {
    fn add<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, u32> {
        Box::pin(async move {
            let now = self.env.clock.monotonic();
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            if !entries.contains_key(key) {
                self.make_room(&mut entries, now);
            }
            let entry = entries.entry(key.to_owned()).or_insert(Entry { count: 0, last: now, window });
            if now.saturating_sub(entry.last) >= entry.window {
                entry.count = 0;
            }
            *entry = Entry { count: entry.count.saturating_add(1), last: now, window };
            entry.count
        })
    }

    fn get<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, Counted> {
        Box::pin(async move {
            let now = self.env.clock.monotonic();
            let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = entries.get(key) else { return Counted::default() };
            let idle = now.saturating_sub(entry.last);
            if idle >= window { Counted::default() } else { Counted { count: entry.count, idle } }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agamid_core::random::SystemRng;
    use agamid_core::time::{ManualClock, Timestamp};

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn counters(most: usize) -> (Arc<ManualClock>, LocalCounters) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let env = Env { clock: clock.clone(), rng: Arc::new(SystemRng) };
        (clock, LocalCounters { most, ..LocalCounters::new(env) })
    }

    #[tokio::test]
    async fn a_counter_is_forgotten_a_window_after_its_last_time() {
        let (clock, counters) = counters(10);
        assert_eq!((counters.add("a", WINDOW).await, counters.add("a", WINDOW).await), (1, 2));
        clock.advance(Duration::from_secs(59));
        let counted = counters.get("a", WINDOW).await;
        assert_eq!((counted.count, counted.idle), (2, Duration::from_secs(59)));
        assert_eq!(counters.add("a", WINDOW).await, 3);
        clock.advance(WINDOW);
        assert_eq!(counters.get("a", WINDOW).await, Counted::default());
        assert_eq!((counters.add("a", WINDOW).await, counters.add("b", WINDOW).await), (1, 1));
    }

    #[tokio::test]
    async fn there_are_never_more_than_fit_and_the_busy_ones_stay() {
        let (clock, counters) = counters(100);
        for n in 0..1_000 {
            counters.add("busy", WINDOW).await;
            counters.add(&n.to_string(), WINDOW).await;
            clock.advance(Duration::from_millis(1));
        }
        assert!(counters.entries.lock().unwrap().len() <= 100);
        assert_eq!(counters.get("busy", WINDOW).await.count, 1_000);
    }

    #[tokio::test]
    async fn counting_at_once_loses_nothing() {
        let counters = Arc::new(counters(10).1);
        let all = (0..50).map(|_| {
            let counters = Arc::clone(&counters);
            tokio::spawn(async move { counters.add("a", WINDOW).await })
        });
        let mut seen = Vec::new();
        for one in all.collect::<Vec<_>>() {
            seen.push(one.await.unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=50).collect::<Vec<_>>());
    }
}
