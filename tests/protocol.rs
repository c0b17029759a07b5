//! What clients see.

mod admin;
mod authorize;
mod claims;
mod client_credentials;
mod directories;
mod end_session;
mod explain;
mod identity;
mod introspect;
mod metadata;
mod par;
mod people;
mod refresh;
mod register;
mod revoke;
mod token;
