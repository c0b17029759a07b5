//! Everything every page and every answer shares.
//!
//! | module | what |
//! | --- | --- |
//! | [`layer`] | what every request passes: request id, limits, security headers, panics caught, access log |
//! | [`visit`] | [`visit::Visit`]: who asks, from where, in which language |
//! | [`cookies`], [`origin`] | cookies; the Origin check on our own forms |
//! | [`page`] | rendering: base layout, form macros, error pages, the development overlay |
//! | [`problem`] | problem+json |
//!
//! To add a page: a template that extends `agamid/base.html`, rendered with [`Web::page`].

pub mod cookies;
pub mod layer;
pub mod origin;
pub mod page;
pub mod problem;
mod security_headers;
pub mod visit;

use std::sync::Arc;

use agamid_core::Env;
use ipnet::IpNet;
use url::{Host, Url};

pub use cookies::{BrowserCookie, Cookie};
pub use layer::say_when_to_retry;
pub use origin::OriginRefused;
pub use page::{ErrorPage, Overlay, Page, RenderError};
pub use problem::Problem;
pub use visit::Visit;

/// The stylesheet of all pages.
pub const STYLESHEET: &str = include_str!("../assets/agamid.css");

/// What the pages need to know of the node.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// The issuer.
    pub issuer: Url,
    /// Networks of proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether flows are watched: pages then show findings and listen for changes.
    pub dev: bool,
    /// Whether a page asked for under another host is sent to the issuer's: the demo, which people open by address too.
    pub gathers_hosts: bool,
}

/// Why the web part can't start.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The issuer can't be one.
    #[error("public.issuer {0}: {1}")]
    Issuer(Url, &'static str),
    /// A built-in template is broken.
    #[error("a built-in template can't be read: {0}")]
    Template(#[from] minijinja::Error),
}

/// Shared by all rooms that answer browsers. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

struct Inner {
    issuer: String,
    host: String,
    secure: bool,
    config: WebConfig,
    env: Env,
    environment: minijinja::Environment<'static>,
    stylesheet_path: String,
}

impl Web {
    /// Checks the issuer: an https origin, or http on a loopback host; nothing behind the port.
    pub fn new(config: WebConfig, env: Env) -> Result<Self, WebError> {
        let issuer = &config.issuer;
        let refuse = |reason| Err(WebError::Issuer(issuer.clone(), reason));
        let loopback = match issuer.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return refuse("has no host"),
        };
        match issuer.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return refuse("must be https; http is allowed only on a loopback host"),
        }
        let bare = issuer.path() == "/" && issuer.query().is_none() && issuer.fragment().is_none();
        if !bare || !issuer.username().is_empty() || issuer.password().is_some() {
            return refuse("must be an origin: scheme, host and port, and nothing behind");
        }
        let text = issuer.as_str().trim_end_matches('/').to_owned();
        let host = text.split_once("://").map(|(_, host)| host.to_owned()).unwrap_or_default();
        let hash = agamid_core::secret::sha256_hex(STYLESHEET.as_bytes());
        let stylesheet_path = format!("/assets/{}/agamid.css", hash.get(..12).unwrap_or(&hash));
        let secure = issuer.scheme() == "https";
        let environment = page::environment(&text, &stylesheet_path, config.dev)?;
        Ok(Self(Arc::new(Inner { issuer: text, host, secure, config, env, environment, stylesheet_path })))
    }

    /// The issuer, without a slash at the end.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The absolute URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.issuer)
    }

    /// Whether the issuer is https.
    pub fn is_secure(&self) -> bool {
        self.0.secure
    }

    /// Whether flows are watched.
    pub fn is_dev(&self) -> bool {
        self.0.config.dev
    }

    pub(crate) fn gathers_hosts(&self) -> bool {
        self.0.config.gathers_hosts
    }

    pub(crate) fn host(&self) -> &str {
        &self.0.host
    }

    pub(crate) fn env(&self) -> &Env {
        &self.0.env
    }

    pub(crate) fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.config.trusted_proxies
    }

    pub(crate) fn stylesheet_path(&self) -> &str {
        &self.0.stylesheet_path
    }

    /// The templates that all pages share. Projects add their own to a clone.
    pub fn environment(&self) -> minijinja::Environment<'static> {
        self.0.environment.clone()
    }

    pub(crate) fn base_environment(&self) -> &minijinja::Environment<'static> {
        &self.0.environment
    }
}

#[cfg(test)]
mod tests;
