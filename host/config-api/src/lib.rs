//! The admin listener: health, metrics, and the admin API.
//!
//! | method and path | scope |
//! | --- | --- |
//! | `GET /health/live`, `GET /health/ready`, `GET /metrics` | none |
//! | `GET /config/v1/projects`, `GET /config/v1/projects/{name}` | `config.projects.read` |
//! | `PUT /config/v1/projects/{name}` | `config.projects.write` |
//! | `GET /config/v1/plugins` | `config.plugins.read` |
//! | `PUT`, `DELETE /config/v1/plugins/{name}` | `config.plugins.write` |
//! | `GET /config/v1/outbox` (development) | `config.outbox.read` |
//! | `GET /config/v1/explain?url=…` | `config.clients.read` |
//! | `GET /config/v1/keys` | `config.keys.read` |
//! | `GET /config/v1/directories` | `config.directories.read` |
//! | `POST /config/v1/directories/{name}/import` | `config.directories.write` |
//! | `POST /config/v1/keys/rotate`, `DELETE /config/v1/keys/{kid}` | `config.keys.write` |
//! | `GET /config/v1/sessions?person=…` | `config.sessions.read` |
//! | `DELETE /config/v1/sessions?person=…`, `DELETE /config/v1/sessions/{id}` | `config.sessions.write` |
//! | `GET /config/v1/consents?person=…` | `config.consents.read` |
//! | `DELETE /config/v1/consents/{client}?person=…` | `config.consents.write` |
//! | `GET /config/v1/lockouts`, `GET /config/v1/users/{id}/credentials` | `config.users.read` |
//! | `DELETE /config/v1/lockouts/{id}`, `PUT /config/v1/users/{id}/password` | `config.users.write` |
//! | `PATCH`, `DELETE /config/v1/users/{id}/credentials/{credential}` | `config.users.write` |
//! | `GET /config/v1/export` | `config.export.read` |
//! | `GET /config/v1/doctor` | `config.doctor.read` |
//! | `GET`, `POST /config/v1/users`; `GET`, `PATCH`, `DELETE /config/v1/users/{id}` | `config.users.read`, `….write` |
//! | `GET`, `POST /config/v1/groups`; `GET`, `PATCH`, `DELETE /config/v1/groups/{id}`; `GET …/{id}/members` | `config.groups.read`, `….write` |
//! | `GET`, `POST /config/v1/attributes`; `GET`, `PATCH`, `DELETE /config/v1/attributes/{name}` | `config.attributes.read`, `….write` |
//! | `GET`, `POST /config/v1/organisations`; `GET`, `PATCH`, `DELETE /config/v1/organisations/{id}` | `config.organisations.read`, `….write` |
//!
//! To add a resource: a file beside `projects.rs`, its routes in [`router`], a row in `docs/operate.md`.

mod attributes;
mod authorize;
mod call;
mod consents;
mod credentials;
mod directories;
mod doctor;
mod explain;
mod export;
mod groups;
mod health;
mod keys;
mod lockouts;
mod organisations;
mod outbox;
mod people;
mod plugins;
mod projects;
mod sessions;
mod users;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use agamid_auth_server::AuthServer;
use agamid_core::id::OrgId;
use agamid_core::ports::TokenVerifier;
use agamid_flow_engine::Engine;
use agamid_identity::Identity;
use agamid_plugin_host::PluginHost;
use agamid_store::Store;
use agamid_store::outbox::Outbox;
use agamid_web::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post, put};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;

/// The largest archive that can be deployed, in bytes.
const MAX_ARCHIVE: usize = 16 << 20;

/// What the API is made of.
pub struct ConfigApiParts {
    /// Asked for readiness.
    pub store: Store,
    /// Projects.
    pub engine: Engine,
    /// Messages kept instead of sent; absent where they are sent.
    pub outbox: Option<Outbox>,
    /// People.
    pub identity: Identity,
    /// Explains authorization requests, keeps the signing keys.
    pub auth_server: AuthServer,
    /// The organisation of those for whom none is named.
    pub organisation: OrgId,
    /// The plugins.
    pub plugins: PluginHost,
    /// Checks access tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Set when the server was told to stop.
    pub leaving: Arc<AtomicBool>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// The listener's own origin, as callers use it.
    pub origin: String,
}

type Api = Arc<ConfigApiParts>;

/// The routes. Everything but health and metrics needs a token; what has no route is refused as unknown.
pub fn router(parts: ConfigApiParts) -> Router {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/config/v1/projects", get(projects::list))
        .route("/config/v1/projects/{name}", get(projects::show).put(projects::deploy))
        .route("/config/v1/plugins", get(plugins::list))
        .route("/config/v1/plugins/{name}", put(plugins::deploy).delete(plugins::remove))
        .route("/config/v1/outbox", get(outbox::list))
        .route("/config/v1/explain", get(explain::get))
        .route("/config/v1/directories", get(directories::list))
        .route("/config/v1/directories/{name}/import", post(directories::import))
        .route("/config/v1/keys", get(keys::list))
        .route("/config/v1/keys/rotate", post(keys::rotate))
        .route("/config/v1/keys/{kid}", delete(keys::revoke))
        .route("/config/v1/sessions", get(sessions::list).delete(sessions::revoke_all))
        .route("/config/v1/sessions/{id}", delete(sessions::revoke))
        .route("/config/v1/consents", get(consents::list))
        .route("/config/v1/consents/{client}", delete(consents::revoke))
        .route("/config/v1/lockouts", get(lockouts::list))
        .route("/config/v1/lockouts/{id}", delete(lockouts::clear))
        .route("/config/v1/users/{id}/credentials", get(credentials::list))
        .route(
            "/config/v1/users/{id}/credentials/{credential}",
            patch(credentials::rename).delete(credentials::remove),
        )
        .route("/config/v1/users/{id}/password", put(credentials::set_password))
        .route("/config/v1/export", get(export::get))
        .route("/config/v1/doctor", get(doctor::get))
        .route("/config/v1/users", get(users::list).post(users::create))
        .route("/config/v1/users/{id}", get(users::show).patch(users::change).delete(users::delete))
        .route("/config/v1/groups", get(groups::list).post(groups::create))
        .route("/config/v1/groups/{id}", get(groups::show).patch(groups::change).delete(groups::delete))
        .route("/config/v1/groups/{id}/members", get(groups::members))
        .route("/config/v1/attributes", get(attributes::list).post(attributes::create))
        .route(
            "/config/v1/attributes/{name}",
            get(attributes::show).patch(attributes::change).delete(attributes::delete),
        )
        .route("/config/v1/organisations", get(organisations::list).post(organisations::create))
        .route(
            "/config/v1/organisations/{id}",
            get(organisations::show).patch(organisations::change).delete(organisations::delete),
        )
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such resource"))
        .layer(DefaultBodyLimit::max(MAX_ARCHIVE))
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::map_response(agamid_web::say_when_to_retry))
        .with_state(Arc::new(parts))
}
