//! Request parameters: each at most once (RFC 6749 section 3.1), empty ones count as absent.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};

use crate::error::{Code, OauthError};

/// Parameters of one request.
const MAX_PARAMETERS: usize = 256;

/// Parameters by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`. The second value names a parameter that was sent twice.
    pub(crate) fn read(encoded: &[u8]) -> (Self, Option<String>) {
        let mut found = BTreeMap::new();
        let mut twice = None;
        for (name, value) in url::form_urlencoded::parse(encoded).take(MAX_PARAMETERS + 1) {
            if found.len() >= MAX_PARAMETERS {
                twice = Some("too many parameters".to_owned());
            } else if found.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                twice = Some(name.into_owned());
            }
        }
        found.retain(|_, value| !value.is_empty());
        (Self(found), twice)
    }

    /// The body of a form that must be one; a parameter sent twice is an error at once.
    pub(crate) fn read_body(headers: &HeaderMap, encoded: &[u8]) -> Result<Self, OauthError> {
        if !is_form(headers) {
            let reason = "the body must be application/x-www-form-urlencoded";
            return Err(OauthError::new(Code::InvalidRequest, reason));
        }
        match Self::read(encoded) {
            (parameters, None) => Ok(parameters),
            (_, Some(name)) => Err(twice(&name)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, OauthError> {
        self.get(name).ok_or_else(|| OauthError::new(Code::InvalidRequest, format!("{name} is missing")))
    }
}

/// Whether the body says that it is a form (RFC 6749 appendix B).
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The error for a parameter sent twice.
pub(crate) fn twice(name: &str) -> OauthError {
    OauthError::new(Code::InvalidRequest, format!("{name} is sent more than once"))
}

#[cfg(test)]
impl Parameters {
    /// Sets or removes a parameter.
    pub(crate) fn overlay(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.0.insert(name.to_owned(), value.to_owned()),
            None => self.0.remove(name),
        };
    }
}
