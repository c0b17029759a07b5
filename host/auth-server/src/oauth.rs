//! OAuth 2 endpoints, and the one place that issues tokens.

pub(crate) mod authorize;
pub(crate) mod client_assertion;
pub(crate) mod client_auth;
pub(crate) mod form;
pub(crate) mod grant;
pub(crate) mod introspect;
pub(crate) mod issue;
pub(crate) mod par;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod token;
