//! The Origin check: a form of ours is sent by a page of ours.

use axum::http::{HeaderMap, header};

use crate::Web;

/// A form came from elsewhere, or from nowhere: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this form was not sent by a page of this server")]
pub struct OriginRefused;

impl Web {
    /// Every `Origin` must be the issuer's (`null` is refused, and so is none), and `Sec-Fetch-Site`, where sent,
    /// same-origin.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), OriginRefused> {
        let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
        if origins.peek().is_none() || origins.any(|origin| origin.as_bytes() != self.issuer().as_bytes()) {
            return Err(OriginRefused);
        }
        match headers.get("sec-fetch-site") {
            Some(site) if site.as_bytes() != b"same-origin" => Err(OriginRefused),
            _ => Ok(()),
        }
    }
}
