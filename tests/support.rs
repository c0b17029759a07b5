//! A server under test, and a browser without a screen.

pub(crate) mod browser;
pub(crate) mod server;
