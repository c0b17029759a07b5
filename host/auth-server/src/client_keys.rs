//! The public keys of clients: registered ones, or fetched from their `jwks_uri` and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::outgoing::HttpClient;
use agamid_core::time::Timestamp;
use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::client::Client;

/// How long fetched keys are good.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long they still are where their address does not answer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// An address is not asked more often than this, whatever key ids requests name.
const PAUSE: Duration = Duration::from_secs(10);
/// Key sets that are kept.
const MOST: u64 = 10_000;
/// Keys in one set.
const MAX_KEYS: usize = 50;

/// What was fetched from one address.
#[derive(Default)]
struct Fetched {
    keys: ArcSwapOption<(Timestamp, Arc<Value>)>,
    /// When it was asked last; the lock makes all who wait share one fetch.
    tried_at: Mutex<Option<Timestamp>>,
}

impl Fetched {
    /// The keys, if they were fetched within this time.
    fn known(&self, now: Timestamp, within: Duration) -> Option<Arc<Value>> {
        let keys = self.keys.load();
        let (at, keys) = keys.as_deref()?;
        (now.since(*at) < within).then(|| Arc::clone(keys))
    }
}

/// The keys of clients.
pub(crate) struct ClientKeys {
    env: Env,
    http: Arc<dyn HttpClient>,
    fetched: Cache<String, Arc<Fetched>>,
}

impl ClientKeys {
    pub(crate) fn new(env: Env, http: Arc<dyn HttpClient>) -> Self {
        Self { env, http, fetched: Cache::new(MOST) }
    }

    /// The key set of a client, looked up anew where it lacks `kid`.
    pub(crate) async fn of(&self, client: &Client, kid: Option<&str>) -> Result<Arc<Value>, &'static str> {
        let Some(uri) = &client.jwks_uri else {
            let own = client.jwks.clone().map(Arc::new);
            return own.ok_or("the client has no registered keys");
        };
        let entry = self.fetched.get_with_by_ref(uri, Arc::default);
        let now = self.env.now();
        // Whoever names a key that is there waits for nobody who names one that is not.
        if let Some(keys) = entry.known(now, FRESH).filter(|keys| kid.is_none_or(|kid| has(keys, kid))) {
            return Ok(keys);
        }
        let mut tried_at = entry.tried_at.lock().await;
        if tried_at.is_none_or(|at| now.since(at) >= PAUSE) {
            *tried_at = Some(now);
            if let Some(keys) = self.fetch(uri).await {
                entry.keys.store(Some(Arc::new((now, Arc::new(keys)))));
            }
        }
        entry.known(now, STALE).ok_or("the client's jwks_uri gave no keys")
    }

    async fn fetch(&self, uri: &str) -> Option<Value> {
        let answer = self.http.get(uri, "application/jwk-set+json, application/json").await.ok()?;
        let refused = |reason: &str| {
            tracing::warn!(event = "client.keys_refused", uri, reason);
            None
        };
        if answer.status != 200 {
            return refused("the status is not 200");
        }
        let Ok(keys) = serde_json::from_slice::<Value>(&answer.body) else {
            return refused("the answer is no JSON");
        };
        match check(&keys) {
            Ok(()) => Some(keys),
            Err(reason) => refused(reason),
        }
    }
}

fn has(keys: &Value, kid: &str) -> bool {
    let keys = keys.get("keys").and_then(Value::as_array);
    keys.into_iter().flatten().any(|key| key.get("kid").and_then(Value::as_str) == Some(kid))
}

/// A key set has public keys only, and not too many.
pub(crate) fn check(keys: &Value) -> Result<(), &'static str> {
    let list = keys.get("keys").and_then(Value::as_array).ok_or("jwks must have keys")?;
    if list.len() > MAX_KEYS {
        return Err("jwks has more than 50 keys");
    }
    for key in list {
        let key = key.as_object().ok_or("jwks has a key that is no object")?;
        if ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|private| key.contains_key(*private)) {
            return Err("jwks has a private or symmetric key: make a new one, this one is known now");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use agamid_core::BoxFuture;
    use agamid_core::outgoing::{FetchError, Fetched as Answer};
    use agamid_core::random::SeededRng;
    use agamid_core::time::ManualClock;
    use serde_json::json;

    use super::*;

    /// An address whose answer can be changed.
    struct Address(StdMutex<Option<String>>, AtomicUsize);

    impl HttpClient for Address {
        fn get<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Answer, FetchError>> {
            self.1.fetch_add(1, Ordering::SeqCst);
            let body = self.0.lock().unwrap().clone();
            Box::pin(async move {
                tokio::task::yield_now().await;
                let body = body.ok_or(FetchError { reason: "down".to_owned() })?;
                Ok(Answer { status: 200, body: body.into_bytes() })
            })
        }
    }

    struct House {
        clock: Arc<ManualClock>,
        address: Arc<Address>,
        keys: ClientKeys,
        client: Client,
    }

    impl House {
        fn new(keys: Value) -> Self {
            let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
            let env = Env { clock: Arc::clone(&clock) as _, rng: Arc::new(SeededRng::new(1)) };
            let address = Arc::new(Address(StdMutex::new(Some(keys.to_string())), AtomicUsize::new(0)));
            let keys = ClientKeys::new(env, Arc::clone(&address) as _);
            let client = json!({ "client_id": "rp", "jwks_uri": "https://rp.example/jwks" });
            Self { clock, address, keys, client: serde_json::from_value(client).unwrap() }
        }

        async fn has(&self, kid: &str) -> bool {
            self.keys.of(&self.client, Some(kid)).await.is_ok_and(|keys| has(&keys, kid))
        }

        fn fetches(&self) -> usize {
            self.address.1.load(Ordering::SeqCst)
        }

        fn answer(&self, answer: Option<Value>) {
            *self.address.0.lock().unwrap() = answer.map(|keys| keys.to_string());
        }
    }

    fn set(kid: &str) -> Value {
        json!({ "keys": [{ "kty": "EC", "kid": kid }] })
    }

    #[tokio::test]
    async fn keys_are_fetched_once_kept_for_a_while_and_looked_up_anew_for_an_unknown_kid() {
        let house = House::new(set("a"));
        let all = futures_util::future::join_all((0..20).map(|_| house.has("a"))).await;
        assert!(all.into_iter().all(|found| found) && house.fetches() == 1);
        house.answer(Some(set("b")));
        for _ in 0..20 {
            assert!(!house.has("b").await);
        }
        assert_eq!(house.fetches(), 1, "unknown key ids make no storm of requests");
        house.clock.advance(PAUSE);
        assert!(house.has("b").await && !house.has("a").await);
        assert_eq!(house.fetches(), 2);
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_bridged_for_a_day_and_not_asked_all_the_time() {
        let house = House::new(set("a"));
        assert!(house.has("a").await);
        house.answer(None);
        house.clock.advance(FRESH);
        for _ in 0..5 {
            assert!(house.has("a").await);
        }
        assert_eq!(house.fetches(), 2);
        house.clock.advance(STALE);
        assert!(!house.has("a").await);
    }

    #[tokio::test]
    async fn what_is_no_set_of_public_keys_is_not_taken() {
        for bad in [json!([]), json!({ "keys": 1 }), json!({ "keys": [{ "kty": "oct", "k": "AA" }] })] {
            let house = House::new(bad);
            assert!(house.keys.of(&house.client, None).await.is_err());
        }
    }
}
