//! The grants of the token endpoint, one file each. Each finds out what was granted to whom, and orders tokens from
//! [`crate::AuthServer::issue`].

pub(crate) mod authorization_code;
pub(crate) mod client_credentials;
pub(crate) mod refresh_token;
