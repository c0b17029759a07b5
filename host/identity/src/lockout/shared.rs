//! Counters that all nodes share, in Redis.

use std::time::Duration;

use agamid_core::{BoxFuture, Env};
use agamid_store::Redis;

use super::counters::{Counted, LocalCounters, RateCounters};

/// Counters in Redis, and beside it those of this node alone: whichever has counted more is right. So where Redis goes
/// away, or forgets, no attempt that this node has seen is forgotten.
pub struct SharedCounters {
    redis: Redis,
    own: LocalCounters,
}

impl SharedCounters {
    /// Counts in this Redis.
    pub fn new(redis: Redis, env: Env) -> Self {
        Self { redis, own: LocalCounters::new(env) }
    }
}

impl RateCounters for SharedCounters {
    fn add<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, u32> {
        Box::pin(async move {
            let own = self.own.add(key, window).await;
            self.redis.count_up(key, window).await.map_or(own, |shared| shared.max(own))
        })
    }

    fn get<'a>(&'a self, key: &'a str, window: Duration) -> BoxFuture<'a, Counted> {
        Box::pin(async move {
            let own = self.own.get(key, window).await;
            match self.redis.counted(key, window).await {
                Some(shared) if shared.count >= own.count => {
                    Counted { count: shared.count, idle: shared.idle }
                }
                _ => own,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use agamid_core::seal::{EnvelopeKey, Sealer};
    use agamid_core::secret::Secret;
    use agamid_store::RedisOptions;
    use agamid_store::testing::PrivateRedis;
    use agamid_store::testing::private_redis::PASSWORD;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    async fn node(server: &PrivateRedis, sealer: &Sealer) -> SharedCounters {
        let (url, password) = (server.url(), Some(Secret::new(PASSWORD)));
        let options = RedisOptions { url, password, certificates: None, sealer: sealer.clone() };
        SharedCounters::new(Redis::open(options, Env::system()).await.unwrap(), Env::system())
    }

    #[tokio::test]
    async fn nodes_count_together_and_each_goes_on_alone_without_redis() {
        let mut server = PrivateRedis::start().unwrap();
        let sealer = Sealer::new(EnvelopeKey::generate(&Env::system()), Env::system());
        let (one, two) = (node(&server, &sealer).await, node(&server, &sealer).await);
        assert_eq!((one.add("a", WINDOW).await, two.add("a", WINDOW).await), (1, 2));
        assert_eq!(one.add("a", WINDOW).await, 3);
        assert_eq!((one.get("a", WINDOW).await.count, two.get("a", WINDOW).await.count), (3, 3));
        assert_eq!(one.get("b", WINDOW).await, Counted::default());
        server.kill().unwrap();
        assert_eq!((one.get("a", WINDOW).await.count, two.get("a", WINDOW).await.count), (2, 1));
        assert_eq!((one.add("a", WINDOW).await, two.add("a", WINDOW).await), (3, 2));
    }
}
