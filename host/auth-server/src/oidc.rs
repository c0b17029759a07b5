//! OpenID Connect endpoints.

pub(crate) mod end_session;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod userinfo;
