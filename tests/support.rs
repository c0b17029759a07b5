//! Shared by all tests.

pub(crate) mod assertion;
pub(crate) mod balancer;
pub(crate) mod browser;
pub(crate) mod cluster;
pub(crate) mod guest;
pub(crate) mod project;
pub(crate) mod server;
#[expect(dead_code, reason = "the tests of identity take more of it")]
pub(crate) mod slapd;
pub(crate) mod totp;
