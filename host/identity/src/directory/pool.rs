//! The servers of one directory: which is asked, how long a dead one is left alone, and connections that are kept.
//!
//! Servers are asked in their order. One that fails is left alone for a while; then one exchange tries it, and the others
//! wait for what that finds out. When all are left alone the directory is unavailable at once, without asking anybody: a
//! dead directory costs the first logins a limited time, and all others nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::seal::Sealer;
use agamid_core::secret::Secret;
use agamid_core::time::Timestamp;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::DirectoryError;
use super::connection::{Connection, Failure, Found, Query, Route};
use super::settings::{DirectorySettings, SettingRefused};
use super::trust;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);
/// The longest time that a server is left alone, and how many times over it doubles until then.
const LONGEST_QUARANTINE: Duration = Duration::from_secs(60);
const DOUBLINGS: u32 = 6;
/// Exchanges that may wait for one connection; more are refused.
const QUEUE: usize = 16;

/// Whose connection it is. One that was bound as a person never serves a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Search,
    Bind,
}

/// The servers of one directory.
pub(super) struct Pool {
    env: Env,
    sealer: Sealer,
    settings: DirectorySettings,
    servers: Vec<Server>,
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    exchanges: AtomicU64,
}

struct Server {
    route: Route,
    health: Mutex<Health>,
    idle: Mutex<Vec<(Purpose, Duration, Connection)>>,
}

#[derive(Default)]
struct Health {
    failures: u32,
    retry_at: Duration,
    last_error: Option<String>,
    last_answer_at: Option<Timestamp>,
}

/// How a server is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerState {
    /// Its URL.
    pub url: String,
    /// Whether it is asked.
    pub available: bool,
    /// Why it was given up last.
    pub last_error: Option<String>,
    /// When it answered last, as this node saw it.
    pub last_answer_at: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that is being asked. Whoever stops waiting after a long silence says so for the others.
struct Asked<'a> {
    pool: &'a Pool,
    server: &'a Server,
    since: Duration,
    ended: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let waited = self.pool.env.clock.monotonic().saturating_sub(self.since);
        if !self.ended && waited >= self.server.route.connect.min(self.server.route.operation) {
            self.pool.failed(self.server, &Failure::Silent(waited));
        }
    }
}

enum Request<'a> {
    Search(&'a Query),
    Bind(&'a str, &'a Secret),
}

enum Answer {
    Found(Found),
    Bound(bool),
}

impl Pool {
    pub(super) fn new(env: Env, sealer: Sealer, settings: DirectorySettings) -> Result<Self, SettingRefused> {
        let config = trust::config(&settings)?;
        let mut servers = Vec::new();
        for url in &settings.urls {
            let route = Route {
                url: settings.server(url)?,
                tls: settings.tls,
                config: config.clone(),
                connect: Duration::from_secs(settings.connect_seconds),
                operation: Duration::from_secs(settings.operation_seconds),
            };
            servers.push(Server { route, health: Mutex::default(), idle: Mutex::default() });
        }
        let connections = usize::from(settings.connections);
        Ok(Self {
            env,
            sealer,
            servers,
            waiting: Arc::new(Semaphore::new(connections * QUEUE)),
            running: Arc::new(Semaphore::new(connections)),
            exchanges: AtomicU64::new(0),
            settings,
        })
    }

    /// How many searches and binds were asked for since the start.
    pub(super) fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::SeqCst)
    }

    pub(super) fn state(&self) -> Vec<ServerState> {
        let now = self.env.clock.monotonic();
        let state = |server: &Server| {
            let health = lock(&server.health);
            ServerState {
                url: server.route.url.to_string(),
                available: health.failures == 0 || now >= health.retry_at,
                last_error: health.last_error.clone(),
                last_answer_at: health.last_answer_at.map(|at| at.to_string()),
            }
        };
        self.servers.iter().map(state).collect()
    }

    /// Searches, with the search account.
    pub(super) async fn search(&self, query: &Query) -> Result<Found, DirectoryError> {
        match self.ask(Purpose::Search, &Request::Search(query)).await? {
            Answer::Found(found) => Ok(found),
            Answer::Bound(_) => Err(self.unavailable()),
        }
    }

    /// Whether an entry's password is this.
    pub(super) async fn bind(&self, dn: &str, password: &Secret) -> Result<bool, DirectoryError> {
        match self.ask(Purpose::Bind, &Request::Bind(dn, password)).await? {
            Answer::Bound(right) => Ok(right),
            Answer::Found(_) => Err(self.unavailable()),
        }
    }

    /// A connection for a search of many pages: a page is known only to the connection that had the one before. It takes no
    /// place of those for logins.
    pub(super) async fn hold(&self) -> Result<Connection, DirectoryError> {
        for server in &self.servers {
            if !self.claim(server) {
                continue;
            }
            match self.connect(server, Purpose::Search).await {
                Ok(connection) => {
                    self.answered(server);
                    return Ok(connection);
                }
                Err(failure) => self.failed(server, &failure),
            }
        }
        Err(self.unavailable())
    }

    fn unavailable(&self) -> DirectoryError {
        DirectoryError::Unavailable(self.settings.name.clone())
    }

    async fn place(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), DirectoryError> {
        let busy = || DirectoryError::Busy(self.settings.name.clone());
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy())?;
        Ok((waiting, running))
    }

    async fn ask(&self, purpose: Purpose, request: &Request<'_>) -> Result<Answer, DirectoryError> {
        let _places = self.place().await?;
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        for server in &self.servers {
            if !self.claim(server) {
                continue;
            }
            let mut asked = Asked { pool: self, server, since: self.env.clock.monotonic(), ended: false };
            let answer = self.ask_server(server, purpose, request).await;
            asked.ended = true;
            match answer {
                Ok(answer) => {
                    self.answered(server);
                    return Ok(answer);
                }
                Err(Failure::Refused(reason)) => {
                    self.answered(server);
                    let (directory, url) = (&self.settings.name, &server.route.url);
                    tracing::warn!(event = "directory.refused", directory, %url, reason);
                }
                Err(failure) => self.failed(server, &failure),
            }
        }
        Err(self.unavailable())
    }

    async fn ask_server(
        &self,
        server: &Server,
        purpose: Purpose,
        request: &Request<'_>,
    ) -> Result<Answer, Failure> {
        if let Some(mut kept) = self.take(server, purpose) {
            match exchange(&mut kept, request).await {
                // The server may have ended a connection that nobody used: that says nothing about a new one.
                Err(Failure::Broken(_)) => {}
                answer => return self.settle(server, purpose, kept, answer),
            }
        }
        let mut connection = self.connect(server, purpose).await?;
        let answer = exchange(&mut connection, request).await;
        self.settle(server, purpose, connection, answer)
    }

    /// Keeps the connection of an exchange that went well.
    fn settle(
        &self,
        server: &Server,
        purpose: Purpose,
        connection: Connection,
        answer: Result<Answer, Failure>,
    ) -> Result<Answer, Failure> {
        let answer = answer?;
        let mut idle = lock(&server.idle);
        if idle.len() < usize::from(self.settings.connections) {
            idle.push((purpose, self.env.clock.monotonic(), connection));
        }
        Ok(answer)
    }

    fn take(&self, server: &Server, purpose: Purpose) -> Option<Connection> {
        let now = self.env.clock.monotonic();
        let mut idle = lock(&server.idle);
        idle.retain_mut(|(_, since, connection)| {
            now.saturating_sub(*since) < IDLE && !connection.is_closed()
        });
        let at = idle.iter().rposition(|(kind, ..)| *kind == purpose)?;
        Some(idle.swap_remove(at).2)
    }

    async fn connect(&self, server: &Server, purpose: Purpose) -> Result<Connection, Failure> {
        let mut connection = Connection::open(&server.route).await?;
        if purpose == Purpose::Search {
            let password = trust::password(&self.settings, &self.sealer).await.map_err(Failure::Broken)?;
            if !connection.bind(&self.settings.bind_dn, &password).await? {
                return Err(Failure::Unwilling("that bind_dn or its password is wrong".to_owned()));
            }
        }
        Ok(connection)
    }

    /// Whether a server may be asked now. One that was left alone is tried by the first who comes.
    fn claim(&self, server: &Server) -> bool {
        let now = self.env.clock.monotonic();
        let mut health = lock(&server.health);
        if health.failures == 0 {
            return true;
        }
        if now < health.retry_at {
            return false;
        }
        health.retry_at = now + server.route.connect + server.route.operation;
        true
    }

    fn answered(&self, server: &Server) {
        let mut health = lock(&server.health);
        if health.failures > 0 {
            tracing::info!(event = "directory.server_back", directory = self.settings.name, url = %server.route.url);
        }
        health.failures = 0;
        health.last_answer_at = Some(self.env.now());
    }

    fn failed(&self, server: &Server, failure: &Failure) {
        let first = Duration::from_secs(self.settings.quarantine_seconds);
        let mut health = lock(&server.health);
        let alone =
            first.saturating_mul(1 << health.failures.min(DOUBLINGS)).min(LONGEST_QUARANTINE.max(first));
        health.failures = health.failures.saturating_add(1);
        health.retry_at = self.env.clock.monotonic() + alone;
        health.last_error = Some(failure.to_string());
        tracing::warn!(
            event = "directory.server_failed",
            directory = self.settings.name,
            url = %server.route.url,
            reason = %failure,
            left_alone_seconds = alone.as_secs(),
        );
        drop(health);
        lock(&server.idle).clear();
    }
}

async fn exchange(connection: &mut Connection, request: &Request<'_>) -> Result<Answer, Failure> {
    match request {
        Request::Search(query) => connection.search(query).await.map(Answer::Found),
        Request::Bind(dn, password) => connection.bind(dn, password).await.map(Answer::Bound),
    }
}
