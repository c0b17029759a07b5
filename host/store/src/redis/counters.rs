//! Counters that all nodes share and that may be lost.

use std::time::Duration;

use super::Redis;

/// A counter as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedCount {
    /// How often it was counted up; 0 where it was forgotten.
    pub count: u32,
    /// How long ago the last time was.
    pub idle: Duration,
}

impl Redis {
    /// Counts up; answers the count with this one, `None` where there is no server to ask. It is forgotten a `window`
    /// after the last time.
    pub async fn count_up(&self, key: &str, window: Duration) -> Option<u32> {
        let name = self.name("count", key)?;
        let mut pipeline = redis::pipe();
        // Both or neither, or a counter could stay for ever.
        pipeline.atomic().cmd("INCR").arg(&name).cmd("PEXPIRE").arg(&name).arg(millis(window)).ignore();
        let (count,): (u64,) = self.link.ask(&pipeline).await?;
        Some(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The counter as it stands; `window` is the one it was counted up with.
    pub async fn counted(&self, key: &str, window: Duration) -> Option<SharedCount> {
        let name = self.name("count", key)?;
        let mut pipeline = redis::pipe();
        pipeline.atomic().cmd("GET").arg(&name).cmd("PTTL").arg(&name);
        let (count, left): (Option<u64>, i64) = self.link.ask(&pipeline).await?;
        let Some(count) = count else { return Some(SharedCount::default()) };
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Some(SharedCount { count, idle: window.saturating_sub(left) })
    }
}

fn millis(window: Duration) -> u64 {
    // More than what Redis can add to its clock would be refused.
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50)
}
