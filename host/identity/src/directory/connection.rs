//! One connection to one server: the only place that speaks LDAP.
//!
//! The library panics on answers that are no LDAP, so each exchange runs as a task of its own, whose end is awaited for a
//! limited time: a panic, an error and silence are all a [`Failure`], and what was given up is ended too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::secret::Secret;
use ldap3::controls::{ControlType, PagedResults};
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, ResultEntry, Scope, SearchEntry, SearchOptions,
};
use rustls::ClientConfig;
use tokio::task::JoinSet;
use url::Url;

use super::mapping::Entry;
use super::settings::{SearchScope, TlsMode};
use super::wire;

/// Why an exchange gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, a broken one, or no LDAP at the other end.
    #[error("{0}")]
    Broken(String),
    /// Silence.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// It can't serve now, or not us.
    #[error("the server answered {0}")]
    Unwilling(String),
    /// It refused this one request: another server may do better, but nothing is wrong with this one.
    #[error("the server refused: {0}")]
    Refused(String),
}

/// A search.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) base: String,
    pub(super) scope: SearchScope,
    pub(super) filter: String,
    pub(super) attributes: Vec<String>,
    /// Entries that are taken at most.
    pub(super) limit: u16,
    /// Asks for one page (RFC 2696): where the last one ended, empty for the first.
    pub(super) page: Option<Vec<u8>>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// Whether there is more than the limit.
    pub(super) more: bool,
    /// Where the next page starts; empty at the end.
    pub(super) cookie: Vec<u8>,
}

/// How a server is reached.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) url: Url,
    pub(super) tls: TlsMode,
    /// Absent without TLS.
    pub(super) config: Option<Arc<ClientConfig>>,
    pub(super) connect: Duration,
    pub(super) operation: Duration,
}

/// A connection; closed when dropped.
pub(super) struct Connection {
    ldap: Ldap,
    operation: Duration,
    _tasks: JoinSet<()>,
}

/// Result codes (RFC 4511 appendix A) of a bind that say something about the server or the way to it, not about the password.
const NO_ANSWER: [u32; 8] = [1, 2, 3, 7, 8, 11, 13, 80];
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const NO_SUCH_OBJECT: u32 = 32;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;

impl Connection {
    /// Connects, with TLS where it is to be.
    pub(super) async fn open(route: &Route) -> Result<Self, Failure> {
        let owned = route.clone();
        let (connection, ldap, mut tasks) =
            limited(route.connect, async move { connect(&owned).await }).await?;
        tasks.spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(event = "directory.connection_ended", %error);
            }
        });
        Ok(Self { ldap, operation: route.operation, _tasks: tasks })
    }

    /// Whether the other end is known to be gone.
    pub(super) fn is_closed(&mut self) -> bool {
        self.ldap.is_closed()
    }

    /// Whether a DN and its password are right. The connection is theirs afterwards.
    pub(super) async fn bind(&mut self, dn: &str, password: &Secret) -> Result<bool, Failure> {
        // An empty password is an unauthenticated bind (RFC 4513 section 5.1.2), which many servers accept.
        if password.expose().is_empty() || dn.is_empty() {
            return Ok(false);
        }
        let (mut ldap, dn, password) = (self.ldap.clone(), dn.to_owned(), password.clone());
        limited(self.operation, async move {
            let result = ldap.simple_bind(&dn, password.expose()).await.map_err(broken)?;
            match result.rc {
                SUCCESS => Ok(true),
                code if NO_ANSWER.contains(&code) || matches!(code, BUSY | UNAVAILABLE) => {
                    Err(refusal(&result))
                }
                _ => Ok(false),
            }
        })
        .await
    }

    /// Searches. References to other servers are not followed.
    pub(super) async fn search(&mut self, query: &Query) -> Result<Found, Failure> {
        let (mut ldap, query) = (self.ldap.clone(), query.clone());
        limited(self.operation, async move { search(&mut ldap, query).await }).await
    }
}

/// Runs an exchange as a task that ends with its caller, its time, or a panic.
async fn limited<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match tokio::time::timeout(limit, task.join_next()).await {
        Ok(Some(Ok(done))) => done,
        Ok(_) => Err(Failure::Broken("the server's answer is no LDAP".to_owned())),
        Err(_) => Err(Failure::Silent(limit)),
    }
}

async fn connect(route: &Route) -> Result<(LdapConnAsync, Ldap, JoinSet<()>), Failure> {
    let failed = |error: std::io::Error| Failure::Broken(format!("no connection: {error}"));
    let (stream, tasks) = wire::connect(route).await.map_err(failed)?;
    let stream = stream.into_std().map_err(failed)?;
    // TLS is behind the socket that the library gets.
    let settings = LdapConnSettings::new().set_std_stream(ldap3::StdStream::Unix(stream));
    let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///").await.map_err(broken)?;
    Ok((connection, ldap, tasks))
}

async fn search(ldap: &mut Ldap, query: Query) -> Result<Found, Failure> {
    let scope = match query.scope {
        SearchScope::Subtree => Scope::Subtree,
        SearchScope::One => Scope::OneLevel,
    };
    let paged = query.page.is_some();
    if let Some(cookie) = query.page {
        ldap.with_controls(vec![PagedResults { size: i32::from(query.limit), cookie }.into()]);
    } else {
        // One more than is taken, to know that there are more.
        ldap.with_search_options(SearchOptions::new().sizelimit(i32::from(query.limit) + 1));
    }
    let limit = usize::from(query.limit);
    let mut stream =
        ldap.streaming_search(&query.base, scope, &query.filter, query.attributes).await.map_err(broken)?;
    let mut entries = Vec::new();
    let mut more = false;
    while let Some(found) = stream.next().await.map_err(broken)? {
        if found.is_ref() || found.is_intermediate() {
            continue;
        }
        if entries.len() == limit {
            more = true;
            if paged {
                // It sends everything at once, however much that is.
                return Err(Failure::Refused(
                    "more than a page: it does not know paged results (RFC 2696)".to_owned(),
                ));
            }
            continue;
        }
        entries.push(entry(found));
    }
    let result = stream.finish().await;
    match result.rc {
        SUCCESS | NO_SUCH_OBJECT => {}
        SIZE_LIMIT_EXCEEDED if !paged => more = true,
        _ => return Err(refusal(&result)),
    }
    let cookie = result.ctrls.iter().find_map(|control| match control {
        ldap3::controls::Control(Some(ControlType::PagedResults), raw) => {
            // The library parses it by recursion, as all else.
            let sound = raw.val.as_deref().is_some_and(wire::is_shallow);
            sound.then(|| raw.parse::<PagedResults>().cookie)
        }
        _ => None,
    });
    Ok(Found { entries, more, cookie: cookie.unwrap_or_default() })
}

fn entry(found: ResultEntry) -> Entry {
    let found = SearchEntry::construct(found);
    let mut attributes: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let texts = found
        .attrs
        .into_iter()
        .map(|(name, values)| (name, values.into_iter().map(String::into_bytes).collect::<Vec<_>>()));
    for (name, values) in texts.chain(found.bin_attrs) {
        attributes.entry(name.to_ascii_lowercase()).or_default().extend(values);
    }
    Entry { dn: found.dn, attributes }
}

fn refusal(result: &ldap3::LdapResult) -> Failure {
    match result.rc {
        BUSY | UNAVAILABLE => Failure::Unwilling(result.to_string()),
        _ => Failure::Refused(result.to_string()),
    }
}

fn broken(error: LdapError) -> Failure {
    match error {
        LdapError::LdapResult { result } => refusal(&result),
        // Its text holds the request, which may hold a password.
        LdapError::OpSend { .. } | LdapError::ResultRecv { .. } => {
            Failure::Broken("the server ended the connection".to_owned())
        }
        error => Failure::Broken(error.to_string()),
    }
}
