//! The map of the server.

use axum::Router;
use axum::http::{HeaderName, Method, header};
use axum::routing::{get, post};
use tower_http::cors::{Any, CorsLayer};

use crate::AuthServer;
use crate::oauth::{authorize, introspect, par, register, revoke, token};
use crate::oidc::{end_session, jwks, metadata, userinfo};

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
    /// | `POST /oauth2/par` | RFC 9126 section 2 |
    /// | `POST /oauth2/token` | RFC 6749 section 3.2 |
    /// | `POST /oauth2/introspect` | RFC 7662 section 2 |
    /// | `POST /oauth2/revoke` | RFC 7009 section 2 |
    /// | `POST /oauth2/register` | RFC 7591 section 3 |
    /// | `GET, PUT, DELETE /oauth2/register/{client_id}` | RFC 7592 section 2 |
    /// | `GET, POST /oauth2/userinfo` | OpenID Connect Core section 5.3 |
    /// | `GET, POST /oauth2/end_session`, `GET /logout` | OpenID Connect RP-Initiated Logout 1.0 section 2 |
    /// | `GET /oauth2/end_session/resume` | ours: goes on with a logout |
    pub fn router(&self) -> Router {
        let for_browsers = Router::new()
            .route("/oauth2/authorize", get(authorize::get).post(authorize::post))
            .route("/oauth2/authorize/resume", get(authorize::resume))
            .route("/oauth2/end_session", get(end_session::get).post(end_session::post))
            .route("/oauth2/end_session/resume", get(end_session::resume))
            .route("/logout", get(end_session::get));
        let for_programs = Router::new()
            .route("/.well-known/openid-configuration", get(metadata::get))
            .route("/.well-known/oauth-authorization-server", get(metadata::get))
            .route("/oauth2/jwks", get(jwks::get))
            .route("/oauth2/par", post(par::post))
            .route("/oauth2/token", post(token::post))
            .route("/oauth2/revoke", post(revoke::post))
            .route("/oauth2/register", post(register::post))
            .route(
                "/oauth2/register/{client_id}",
                get(register::get).put(register::put).delete(register::delete),
            )
            .route("/oauth2/userinfo", get(userinfo::respond).post(userinfo::respond))
            .layer(cors());
        // For resource servers, never for scripts in pages.
        let for_servers = Router::new().route("/oauth2/introspect", post(introspect::post));
        for_browsers.merge(for_programs).merge(for_servers).with_state(self.clone())
    }
}

/// Scripts of any origin may call: these endpoints take no cookie, so there is nothing to ride on.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("dpop")])
        .expose_headers([header::WWW_AUTHENTICATE])
        .max_age(std::time::Duration::from_secs(3600))
}
