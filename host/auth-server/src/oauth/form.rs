//! Request parameters: each at most once (RFC 6749 section 3.1), empty ones count as absent.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};

use crate::error::{Code, OauthError};

/// Values of one `scope` parameter.
pub(crate) const MAX_SCOPES: usize = 100;
/// The longest authorization or logout request, however it is sent, in bytes: it is kept, and may become a link again.
pub(crate) const MAX_REQUEST: usize = 8 * 1024;
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

    /// Sets a parameter.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Removes a parameter.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// `application/x-www-form-urlencoded`
    pub(crate) fn encode(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `scope`: each value once, in order; absent when it was not sent (RFC 6749 section 3.3).
    pub(crate) fn scopes(&self) -> Result<Option<Vec<String>>, OauthError> {
        let Some(text) = self.get("scope") else { return Ok(None) };
        let mut found: Vec<String> = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if !found.iter().any(|known| known == scope) {
                found.push(scope.to_owned());
            }
            if found.len() > MAX_SCOPES {
                let reason = format!("scope has more than {MAX_SCOPES} values");
                return Err(OauthError::new(Code::InvalidRequest, reason));
            }
        }
        Ok(Some(found))
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

/// Refuses a request that is too long to be kept.
pub(crate) fn check_length(encoded: &[u8]) -> Result<(), OauthError> {
    if encoded.len() <= MAX_REQUEST {
        return Ok(());
    }
    Err(OauthError::new(Code::InvalidRequest, format!("the request is longer than {MAX_REQUEST} bytes")))
}

/// The error for a parameter sent twice.
pub(crate) fn twice(name: &str) -> OauthError {
    OauthError::new(Code::InvalidRequest, format!("{name} is sent more than once"))
}
