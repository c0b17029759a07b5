//! One request, as far as every room needs to know it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use ipnet::IpNet;

/// Languages that are looked at; more are ignored.
const MAX_LOCALES: usize = 10;

/// Who asks, from where, in which language. Put into each request by the layer.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The request's id: in the log, in the answer's `x-request-id`, on error pages.
    pub request_id: String,
    /// The client's address, through trusted proxies.
    pub address: IpAddr,
    /// The nonce of scripts and styles on the page answered.
    pub nonce: String,
    /// Languages the browser prefers, best first.
    pub locales: Vec<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or((StatusCode::INTERNAL_SERVER_ERROR, "the web layer is missing"))
    }
}

/// A forwarding header that can't be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadForwarding;

/// The client's address: the peer's, or, where that is a trusted proxy, the last address in `X-Forwarded-For` that is
/// none. A header that a trusted proxy sends but that can't be read is refused.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> Result<IpAddr, BadForwarding> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&peer) {
        return Ok(peer);
    }
    let mut client = peer;
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    for value in values.into_iter().rev() {
        for part in value.to_str().map_err(|_| BadForwarding)?.split(',').rev() {
            client = part.trim().parse().map_err(|_| BadForwarding)?;
            if !is_trusted(&client) {
                return Ok(client);
            }
        }
    }
    Ok(client)
}

/// `Accept-Language` by preference; ill-formed entries are ignored.
pub(crate) fn accepted_languages(headers: &HeaderMap) -> Vec<String> {
    let Some(header) = headers.get("accept-language").and_then(|value| value.to_str().ok()) else {
        return Vec::new();
    };
    let mut found: Vec<(f32, String)> = header
        .split(',')
        .take(MAX_LOCALES)
        .filter_map(|entry| {
            let (tag, weight) = entry.split_once(";q=").unwrap_or((entry, "1"));
            let tag = tag.trim();
            let fits = !tag.is_empty()
                && tag.len() <= 35
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            fits.then_some((weight.trim().parse().ok()?, tag.to_owned()))
        })
        .filter(|(weight, _): &(f32, String)| *weight > 0.0)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, tag)| tag).collect()
}
