//! Outgoing HTTP: the one guard that every URL from outside passes before the server fetches it.
//!
//! An address that somebody registered (`jwks_uri`, `sector_identifier_uri`, …) must not make the server ask its own
//! network. So: https only, no user info, no redirects, no proxy; the name is resolved here and the connection goes to the very
//! addresses that were checked; private, loopback, link-local and other special addresses are refused unless the
//! operator listed their network; size and time are capped. Callers are told one thing only, the log knows the reason.

mod address;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::BoxFuture;
use address::{canonical, is_public};

/// Section `outgoing` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutgoingSettings {
    /// Networks that may be reached although they are private, such as `10.1.0.0/16`; plain http is allowed to these
    /// only.
    pub allow: Vec<IpNet>,
    /// How long a whole exchange may take, in seconds.
    pub timeout: u64,
    /// The largest answer, in bytes.
    pub max_bytes: usize,
}

impl Default for OutgoingSettings {
    fn default() -> Self {
        Self { allow: Vec::new(), timeout: 5, max_bytes: 1024 * 1024 }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status code; never a redirect.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why nothing came back. Outsiders are told [`FetchError`]'s text, which is always the same; the reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it could not be fetched")]
pub struct FetchError {
    /// For the log.
    pub reason: String,
}

impl FetchError {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Fetches what others named.
pub trait HttpClient: Send + Sync {
    /// `GET url`; `accept` is the wanted media type. Any status but a redirect is an answer.
    fn get<'a>(&'a self, url: &'a str, accept: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>>;
}

/// Finds the addresses of a name.
pub trait Resolver: Send + Sync {
    /// All of them.
    fn resolve(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The operating system's resolver.
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Requests under way at one time.
const CONCURRENT: usize = 32;

/// The guard.
pub struct GuardedHttp {
    settings: OutgoingSettings,
    /// To public addresses and to listed networks, by TLS.
    secure: reqwest::Client,
    /// To listed networks only.
    plain: reqwest::Client,
    places: Semaphore,
}

impl GuardedHttp {
    /// A guard with these rules.
    pub fn new(settings: OutgoingSettings, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let client = |public: bool| {
            let rule = Rule { public, allow: settings.allow.clone() };
            reqwest::Client::builder()
                .dns_resolver(Arc::new(Checked { rule, resolver: Arc::clone(&resolver) }))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .https_only(public)
                .timeout(Duration::from_secs(settings.timeout))
                .user_agent(concat!("agamid/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| FetchError::new(format!("the HTTP client can't be made: {error}")))
        };
        let (secure, plain) = (client(true)?, client(false)?);
        Ok(Self { settings, secure, plain, places: Semaphore::new(CONCURRENT) })
    }

    async fn fetch(&self, url: &str, accept: &str) -> Result<Fetched, FetchError> {
        let url = self.check(url)?;
        let _place = self.places.acquire().await.map_err(|_| FetchError::new("the server stops"))?;
        let client = if url.scheme() == "https" { &self.secure } else { &self.plain };
        let sent = client.get(url).header("accept", accept).send().await;
        let mut answer = sent.map_err(|error| FetchError::new(chain(&error)))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(FetchError::new(format!("{status}: redirects are not followed")));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| FetchError::new(chain(&error)))? {
            if body.len() + part.len() > self.settings.max_bytes {
                return Err(FetchError::new(format!("more than {} bytes", self.settings.max_bytes)));
            }
            body.extend_from_slice(&part);
        }
        Ok(Fetched { status: status.as_u16(), body })
    }

    /// What can be said before a name is resolved. A literal address never reaches the resolver, so it is checked here.
    fn check(&self, url: &str) -> Result<Url, FetchError> {
        let url = Url::parse(url).map_err(|error| FetchError::new(format!("no URL: {error}")))?;
        let public = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(FetchError::new(format!("the scheme {other} is not fetched"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::new("the URL has a user or a password"));
        }
        let rule = Rule { public, allow: self.settings.allow.clone() };
        match url.host() {
            Some(Host::Ipv4(address)) => rule.check(address.into())?,
            Some(Host::Ipv6(address)) => rule.check(address.into())?,
            Some(Host::Domain(_)) => {}
            None => return Err(FetchError::new("the URL has no host")),
        }
        Ok(url)
    }
}

impl HttpClient for GuardedHttp {
    fn get<'a>(&'a self, url: &'a str, accept: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            // Waiting for a place counts too: slow addresses must not hold up others without end.
            let patience = Duration::from_secs(self.settings.timeout.saturating_mul(2));
            let fetched = tokio::time::timeout(patience, self.fetch(url, accept)).await;
            let fetched = fetched.unwrap_or_else(|_| Err(FetchError::new("its turn did not come in time")));
            if let Err(error) = &fetched {
                tracing::warn!(event = "outgoing.refused", url, reason = error.reason);
            }
            fetched
        })
    }
}

/// Which addresses may be reached.
#[derive(Clone)]
struct Rule {
    public: bool,
    allow: Vec<IpNet>,
}

impl Rule {
    fn check(&self, address: IpAddr) -> Result<(), FetchError> {
        let address = canonical(address);
        let listed = self.allow.iter().any(|network| network.contains(&address));
        if listed || (self.public && is_public(address)) {
            return Ok(());
        }
        let why = if self.public { "is not public" } else { "is not in a network that plain http may reach" };
        Err(FetchError::new(format!("{address} {why}; outgoing.allow lists networks that may be reached")))
    }
}

/// Resolves, and lets only addresses through that may be reached: the connection is made to what was checked, so a name that
/// changes its answer gains nothing.
struct Checked {
    rule: Rule,
    resolver: Arc<dyn Resolver>,
}

impl reqwest::dns::Resolve for Checked {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (rule, resolving) = (self.rule.clone(), self.resolver.resolve(name.as_str().to_owned()));
        Box::pin(async move {
            let found = resolving.await?;
            // One bad address refuses all: a name that has both is up to something.
            for address in &found {
                rule.check(*address).map_err(|error| error.reason)?;
            }
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
