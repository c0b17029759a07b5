//! The pages of runs.
//!
//! | method and path | what |
//! | --- | --- |
//! | `GET /flow/{run}/{path}` | the page at which the run stands, or a file of its project |
//! | `POST /flow/{run}/{path}` | the page's form |
//! | `GET, POST /flow/callback` | where `RFAC` comes back to |
//! | `GET /flow/live` | development: what changed last (server-sent events) |

mod callback;
mod live;
mod page;
mod submit;

use agamid_web::{ErrorPage, Visit};
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::engine::{Engine, EngineError, Moved};
use crate::records::{RunRecord, Status};

impl Engine {
    /// The engine's routes.
    pub fn router(&self) -> Router {
        let router = Router::new()
            .route("/flow/callback", get(callback::get).post(callback::post))
            .route("/flow/{run}/", get(page::get_root).post(submit::post_root))
            .route("/flow/{run}/{*path}", get(page::get).post(submit::post));
        let router = if self.web().is_dev() { router.route("/flow/live", get(live::get)) } else { router };
        router.with_state(self.clone())
    }

    /// After an answer: where the browser goes. Always by 303, so that Back and reload never send a form again.
    pub(crate) fn moved(&self, visit: &Visit, moved: Moved) -> Response {
        match moved {
            Moved::To(path) => see_other(&path),
            Moved::Crashed { reference, restart } => self.crash_page(visit, reference, &restart),
            Moved::Busy => self.over_page(visit, None),
        }
    }

    pub(crate) fn crash_page(&self, visit: &Visit, reference: String, restart: &str) -> Response {
        self.web().error_page(
            visit,
            ErrorPage {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                title: "This login stopped".to_owned(),
                message: "Something went wrong on our side. Nothing was changed.".to_owned(),
                hint: Some(
                    "Start again; if it happens once more, tell the operator the reference.".to_owned(),
                ),
                reference: Some(reference),
                action: Some(("Start again".to_owned(), restart.to_owned())),
            },
        )
    }

    /// The run is unknown, over, or another browser's. All look the same.
    pub(crate) fn over_page(&self, visit: &Visit, restart: Option<&str>) -> Response {
        self.web().error_page(
            visit,
            ErrorPage {
                status: StatusCode::NOT_FOUND,
                title: "This step is over".to_owned(),
                message: "It was finished already, or it belongs to another browser.".to_owned(),
                hint: Some("Go back to the application and sign in again.".to_owned()),
                reference: None,
                action: restart.filter(|r| !r.is_empty()).map(|r| ("Start again".to_owned(), r.to_owned())),
            },
        )
    }

    pub(crate) fn timeout_page(&self, visit: &Visit, run: &RunRecord) -> Response {
        self.web().error_page(
            visit,
            ErrorPage {
                status: StatusCode::GONE,
                title: "This took too long".to_owned(),
                message: "For your safety a login must be finished in a certain time.".to_owned(),
                hint: None,
                reference: None,
                action: Some(("Start again".to_owned(), run.owner.restart.clone())),
            },
        )
    }

    pub(crate) fn failed(&self, visit: &Visit, error: &EngineError) -> Response {
        let status = match error {
            EngineError::Store(agamid_store::StoreError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::error!(event = "flow.failed", %error);
        self.web().failure_page(visit, status)
    }

    pub(crate) fn is_late(&self, run: &RunRecord) -> bool {
        self.env().now() >= run.deadline
    }
}

/// 303 to a path of ours.
pub(crate) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// The address at which a run stands, if it stands at one.
pub(crate) fn current_url(run: &RunRecord) -> Option<String> {
    match &run.status {
        Status::Page { path, .. } => Some(format!("/flow/{}/{path}", run.id)),
        Status::Away { .. } => Some(format!("/flow/{}/", run.id)),
        Status::Over { next } if !next.is_empty() => Some(next.clone()),
        _ => None,
    }
}
