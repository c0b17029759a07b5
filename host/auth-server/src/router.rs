//! The map of the server.

use axum::Router;
use axum::routing::{get, post};

use crate::AuthServer;
use crate::oauth::{authorize, token};
use crate::oidc::{jwks, metadata, userinfo};

impl AuthServer {
    /// The public endpoints.
    ///
    /// | method and path | specification |
    /// | --- | --- |
    /// | `GET /.well-known/openid-configuration` | OpenID Connect Discovery 1.0 section 4 |
    /// | `GET /.well-known/oauth-authorization-server` | RFC 8414 section 3 |
    /// | `GET /oauth2/jwks` | RFC 7517 section 5 |
    /// | `GET, POST /oauth2/authorize` | RFC 6749 section 3.1, OpenID Connect Core section 3.1.2 |
    /// | `GET /oauth2/authorize/resume` | ours: goes on with a transaction |
    /// | `POST /oauth2/token` | RFC 6749 section 3.2 |
    /// | `GET, POST /oauth2/userinfo` | OpenID Connect Core section 5.3 |
    pub fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(metadata::get))
            .route("/.well-known/oauth-authorization-server", get(metadata::get))
            .route("/oauth2/jwks", get(jwks::get))
            .route("/oauth2/authorize", get(authorize::get).post(authorize::post))
            .route("/oauth2/authorize/resume", get(authorize::resume))
            .route("/oauth2/token", post(token::post))
            .route("/oauth2/userinfo", get(userinfo::respond).post(userinfo::respond))
            .with_state(self.clone())
    }
}
