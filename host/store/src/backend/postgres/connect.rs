//! The address of the database, TLS, connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Pool, PoolConfig, QueueMode, RecycleError, RecycleResult, Timeouts,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::said;
use super::flight::Value;
use crate::audit::ChainEnd;
use crate::error::StoreError;
use crate::options::StoreOptions;

/// How many statements a lane keeps prepared.
const PREPARED: usize = 500;

/// Connects. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    timeout: Duration,
    node: String,
    lanes: Arc<AtomicU64>,
}

impl Connector {
    pub(super) fn new(options: &StoreOptions, node: String) -> Result<Self, StoreError> {
        let config = address(options)?;
        let tls = MakeRustlsConnect::new(tls(options.certificates.as_deref())?);
        Ok(Self { config, tls, timeout: options.timeout, node, lanes: Arc::default() })
    }

    /// A connection with its parts: for lanes and for the listener.
    pub(super) async fn connect(
        &self,
    ) -> Result<
        (
            Client,
            tokio_postgres::Connection<
                tokio_postgres::Socket,
                <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>>::Stream,
            >,
        ),
        Error,
    > {
        self.config.connect(self.tls.clone()).await
    }

    async fn lane(&self) -> Result<Lane, Error> {
        let (client, connection) = self.connect().await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(event = "store.connection_lost", error = said(&error));
            }
        });
        let number = self.lanes.fetch_add(1, Ordering::SeqCst);
        let lane = Lane {
            client,
            task: task.abort_handle(),
            statements: HashMap::new(),
            chain: format!("{}-{number}", self.node),
            end: ChainEnd::default(),
            sound: true,
        };
        // A commit that was acknowledged has to survive whatever the server's default says.
        let settings = format!(
            "SET client_min_messages = warning; SET statement_timeout = {limit}; SET lock_timeout = {limit};
             SET idle_in_transaction_session_timeout = {limit};
             SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit', true) = 'off'",
            // The server gives up first, so that nothing is still under way where we stopped waiting.
            limit = self.timeout.as_millis() * 4 / 5
        );
        lane.client.batch_execute(&settings).await?;
        // Where the server can, it also gives up when we are gone; where it can't, nothing rests on it.
        let _unknown = lane.client.batch_execute("SET client_connection_check_interval = '1s'").await;
        Ok(lane)
    }

    /// The first connection shows whether the address is right.
    pub(super) async fn first_lane(&self) -> Result<Lane, StoreError> {
        let place = self.place();
        match tokio::time::timeout(self.timeout, self.lane()).await {
            Ok(Ok(lane)) => Ok(lane),
            Ok(Err(error)) => Err(StoreError::Open(format!("{place}: {}{}", said(&error), hint(&error)))),
            Err(_) => Err(StoreError::Open(format!(
                "{place} did not answer within {} s: is the server running, and the port right?",
                self.timeout.as_secs_f32()
            ))),
        }
    }

    /// For messages: without the password.
    fn place(&self) -> String {
        let hosts: Vec<String> = self.config.get_hosts().iter().map(name).collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("the database {database:?} on {}", hosts.join(", "))
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

fn hint(error: &Error) -> &'static str {
    match error.code().map(tokio_postgres::error::SqlState::code) {
        Some("28P01" | "28000") => ": check user and password of store.url, and pg_hba.conf",
        Some("3D000") => ": make it with `createdb`, owned by the user of store.url",
        Some("57P03") => ": the server is starting or stopping; try again",
        Some(_) => "",
        None => ": check the host and port of store.url, and that TLS is set as the server has it (sslmode)",
    }
}

/// Reads `store.url`. TLS with a checked certificate is the rule; on the same machine it may be left out, elsewhere
/// only by saying `sslmode=disable`.
fn address(options: &StoreOptions) -> Result<Config, StoreError> {
    let refused = |reason: String| StoreError::Open(format!("the address of the database: {reason}"));
    let (base, query) = options.url.split_once('?').unwrap_or((&options.url, ""));
    let mut mode = None;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            _ => kept.push(pair),
        }
    }
    let url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let mut config: Config = url.parse().map_err(|error: Error| refused(said(&error)))?;
    let local =
        config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    config.ssl_mode(match mode.as_deref() {
        Some("disable") => SslMode::Disable,
        None if local => SslMode::Disable,
        None | Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(other) => {
            return Err(refused(format!(
                "sslmode={other} would go on without TLS unnoticed; use verify-full (the rule) or disable"
            )));
        }
    });
    if config.get_hosts().is_empty() {
        return Err(refused("it names no host: write postgres://USER@HOST/DATABASE".to_owned()));
    }
    if let Some(password) = &options.password {
        config.password(password.expose());
    }
    // All hosts together must fit in the time that a connection may take.
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1);
    config.connect_timeout(options.timeout / (hosts + 1)).application_name("agamid");
    config
        .keepalives_idle(Duration::from_secs(15))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
    Ok(config)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn tls(certificates: Option<&[u8]>) -> Result<rustls::ClientConfig, StoreError> {
    let refused = |reason: String| StoreError::Open(format!("TLS to the database: {reason}"));
    let Some(pem) = certificates else {
        return rustls::ClientConfig::with_platform_verifier().map_err(|error| refused(error.to_string()));
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| refused(format!("store.tls_ca: {error}")))?;
        roots.add(certificate).map_err(|error| refused(format!("store.tls_ca: {error}")))?;
    }
    if roots.is_empty() {
        return Err(refused("store.tls_ca holds no certificate in PEM form".to_owned()));
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Makes the pool; connections are made when they are needed.
pub(super) fn pool(connector: Connector, options: &StoreOptions) -> Result<Pool<Lanes>, StoreError> {
    let timeout = Some(options.timeout);
    let config = PoolConfig {
        max_size: options.connections.max(1),
        timeouts: Timeouts { wait: timeout, create: timeout, recycle: timeout },
        // The one used last is the warmest.
        queue_mode: QueueMode::Lifo,
    };
    let pool = Pool::builder(Lanes(connector)).config(config).runtime(Runtime::Tokio1).build();
    pool.map_err(|error| StoreError::Open(error.to_string()))
}

/// Makes lanes for the pool.
pub(super) struct Lanes(Connector);

impl Lanes {
    /// For connections besides the pool's.
    pub(super) fn connector(&self) -> &Connector {
        &self.0
    }
}

impl Manager for Lanes {
    type Type = Lane;
    type Error = Error;

    async fn create(&self) -> Result<Lane, Error> {
        self.0.lane().await
    }

    async fn recycle(&self, lane: &mut Lane, _: &Metrics) -> RecycleResult<Error> {
        if lane.sound && !lane.client.is_closed() {
            return Ok(());
        }
        Err(RecycleError::message("the connection is lost"))
    }
}

/// A connection, its prepared statements, and its chain of audit events.
pub(super) struct Lane {
    client: Client,
    task: AbortHandle,
    statements: HashMap<Arc<str>, Statement>,
    /// The name of its audit chain.
    pub(super) chain: String,
    /// Where that stands.
    pub(super) end: ChainEnd,
    /// Whether no transaction is open on it.
    sound: bool,
}

impl Lane {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn prepared(&mut self, sql: &Arc<str>) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if self.statements.len() >= PREPARED {
            self.statements.clear();
        }
        self.statements.insert(Arc::clone(sql), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&mut self, sql: &Arc<str>, values: &[Value]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        self.client.query(&statement, &values).await
    }

    /// Opens a transaction that stays open until [`Lane::settled`]; the lane is not used again if that never comes.
    pub(super) async fn open(&mut self, begin: &str) -> Result<(), Error> {
        self.sound = false;
        self.client.batch_execute(begin).await
    }

    /// Ends the transaction.
    pub(super) async fn settle(&mut self, end: &str) -> Result<(), Error> {
        self.client.batch_execute(end).await?;
        self.settled();
        Ok(())
    }

    /// The transaction was ended by a flight.
    pub(super) fn settled(&mut self) {
        self.sound = true;
    }

    /// Hangs up at once, whatever the server is doing.
    pub(super) fn abandon(self) {
        self.task.abort();
    }
}
