//! OAuth 2 endpoints, and the one place that issues tokens.

pub(crate) mod authorize;
pub(crate) mod client_auth;
pub(crate) mod form;
pub(crate) mod issue;
pub(crate) mod token;
