//! Shared by all tests.

pub(crate) mod assertion;
pub(crate) mod browser;
pub(crate) mod guest;
pub(crate) mod project;
pub(crate) mod server;
pub(crate) mod totp;
