//! The connection: one for all, with requests one behind the other on it. A request that gets no answer in time is given
//! up. After a few of them, or when the connection breaks, nothing is asked any more; a task of its own looks for the
//! server until it can be written and read again. So nobody who logs in ever waits for a connection, and with a server
//! that hangs each waits a few times at most.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_millis(50);

/// After so many requests in a row without an answer none is made any more.
const PATIENCE: u32 = 3;

/// How long to wait before looking for the server again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long making a connection, and the first words on it, may take.
const GREETING: Duration = Duration::from_secs(2);

pub(super) struct Link {
    client: Client,
    state: Mutex<State>,
}

enum State {
    Up { connection: MultiplexedConnection, number: u64, unanswered: u32 },
    Down { number: u64 },
}

/// A connection and the number that tells it from others.
type Numbered = (MultiplexedConnection, u64);

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self { client, state: Mutex::new(State::Down { number: 0 }) }
    }

    /// For people: without the password.
    pub(super) fn place(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Tries once, and goes on in the background where that fails.
    pub(super) async fn start(self: Arc<Self>, probe: Option<String>) {
        let Some(probe) = probe else { return };
        let first = self.greet(&probe).await;
        if let Ok(connection) = first {
            self.found(connection);
        } else if let Err(reason) = first {
            self.say_lost(&reason);
        }
        tokio::spawn(look_after(Arc::downgrade(&self), probe));
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Up { .. })
    }

    /// The answer; `None` where there is none.
    pub(super) async fn ask<T: FromRedisValue>(self: &Arc<Self>, pipeline: &Pipeline) -> Option<T> {
        let Some((mut connection, number)) = self.connection() else {
            count("skipped");
            return None;
        };
        match tokio::time::timeout(LIMIT, pipeline.query_async(&mut connection)).await {
            Ok(Ok(answer)) => {
                count("ok");
                self.answered(number);
                Some(answer)
            }
            Ok(Err(error)) => self.failed(number, &said(&error), error.is_unrecoverable_error()),
            Err(_) => self.failed(number, "it does not answer in time", false),
        }
    }

    fn connection(&self) -> Option<Numbered> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Up { connection, number, .. } => Some((connection.clone(), *number)),
            State::Down { .. } => None,
        }
    }

    fn answered(&self, of: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Up { number, unanswered, .. } = &mut *state
            && *number == of
        {
            *unanswered = 0;
        }
    }

    fn failed<T>(&self, of: u64, reason: &str, broken: bool) -> Option<T> {
        count("failed");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Up { number, unanswered, .. } = &mut *state
            && *number == of
        {
            *unanswered += 1;
            if broken || *unanswered >= PATIENCE {
                *state = State::Down { number: of };
                drop(state);
                self.say_lost(reason);
            }
        }
        None
    }

    fn found(&self, connection: MultiplexedConnection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (State::Up { number, .. } | State::Down { number }) = &*state;
        *state = State::Up { connection, number: number + 1, unanswered: 0 };
        drop(state);
        metrics::gauge!("agamid_redis_up").set(1.0);
        tracing::info!(event = "redis.found", server = self.place(), "Redis answers and is used");
    }

    fn say_lost(&self, reason: &str) {
        metrics::gauge!("agamid_redis_up").set(0.0);
        tracing::warn!(
            event = "redis.lost",
            server = self.place(),
            reason,
            "going on without Redis; it is looked for every second"
        );
    }

    /// Makes a connection on which can be written and read.
    async fn greet(&self, probe: &str) -> Result<MultiplexedConnection, String> {
        let greeting = async {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(GREETING))
                .set_response_timeout(Some(GREETING));
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            let mut pipeline = redis::pipe();
            pipeline.cmd("SET").arg(probe).arg("1").arg("PX").arg(1000).ignore().cmd("GET").arg(probe);
            let _seen: (Option<String>,) = pipeline.query_async(&mut connection).await?;
            Ok(connection)
        };
        match tokio::time::timeout(GREETING, greeting).await {
            Ok(greeted) => greeted.map_err(|error: RedisError| said(&error)),
            Err(_) => Err("it does not answer in time".to_owned()),
        }
    }
}

/// Looks for the server whenever it is away, as long as somebody holds the link.
async fn look_after(link: Weak<Link>, probe: String) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(link) = link.upgrade() else { return };
        if !link.is_up()
            && let Ok(connection) = link.greet(&probe).await
        {
            link.found(connection);
        }
    }
}

fn count(result: &'static str) {
    metrics::counter!("agamid_redis_requests_total", "result" => result).increment(1);
}

/// What went wrong, and what to do where that is known.
fn said(error: &RedisError) -> String {
    let hint = match error.code() {
        Some("WRONGPASS" | "NOAUTH") => {
            ": check store.redis_password_file, or user and password of store.redis_url"
        }
        Some("NOPERM") => {
            ": the user of store.redis_url needs +set +get +del +incr +pexpire +pttl +time ~agamid:*"
        }
        Some("OOM") => ": give it more memory, or set maxmemory-policy to volatile-lru",
        _ => "",
    };
    format!("{error}{hint}")
}
