//! Answers of the authorization endpoint: redirects and forms with `iss` (RFC 9207), and pages.

use agamid_web::{ErrorPage, Page, Visit};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Refusal;
use super::request::ResponseMode;
use crate::AuthServer;
use crate::error::{Code, OauthError};
use crate::transaction::Transaction;

impl AuthServer {
    /// Tells a refusal: to the client where its redirect URI is verified, to the person elsewhere.
    pub(crate) fn refuse(&self, visit: &Visit, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Redirect { redirect_uri, mode, state, error } => {
                self.answer_error(visit, &redirect_uri, mode, state.as_deref(), &error)
            }
            Refusal::Page(error) => {
                let status = match error.code {
                    Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
                    Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::BAD_REQUEST,
                };
                if status.is_server_error() {
                    return self.web().failure_page(visit, status);
                }
                let page = ErrorPage {
                    status,
                    title: "This sign-in link does not work".to_owned(),
                    message: "The application sent a request that this server can't answer.".to_owned(),
                    hint: Some(format!("For its developer: {}: {}.", error.code.name(), error.description)),
                    reference: None,
                    action: None,
                };
                self.web().error_page(visit, page)
            }
        }
    }

    /// An error for the client of a transaction.
    pub(crate) fn error_to_client(
        &self,
        visit: &Visit,
        transaction: &Transaction,
        error: &OauthError,
    ) -> Response {
        let request = &transaction.request;
        let state = request.state.as_deref();
        self.answer_error(visit, &request.redirect_uri, request.response_mode, state, error)
    }

    fn answer_error(
        &self,
        visit: &Visit,
        redirect_uri: &str,
        mode: ResponseMode,
        state: Option<&str>,
        error: &OauthError,
    ) -> Response {
        let mut answer =
            vec![("error", error.code.name()), ("error_description", error.description.as_str())];
        answer.extend(state.map(|state| ("state", state)));
        self.send_answer(visit, redirect_uri, mode, &answer)
    }

    /// Sends an answer to the redirect URI; `iss` is always there (RFC 9207).
    pub(crate) fn send_answer(
        &self,
        visit: &Visit,
        redirect_uri: &str,
        mode: ResponseMode,
        answer: &[(&str, &str)],
    ) -> Response {
        let all = answer.iter().copied().chain([("iss", self.web().issuer())]);
        match mode {
            ResponseMode::Query => {
                let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
                let joint = if redirect_uri.contains('?') { '&' } else { '?' };
                see_other(&format!("{redirect_uri}{joint}{query}"))
            }
            ResponseMode::Fragment => {
                let fragment =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
                see_other(&format!("{redirect_uri}#{fragment}"))
            }
            ResponseMode::FormPost => {
                let fields: Vec<_> =
                    all.map(|(name, value)| json!({ "name": name, "value": value })).collect();
                self.form_post(visit, redirect_uri, &fields)
            }
        }
    }

    /// A page that posts a form to the redirect URI: by itself where scripts run, by a button elsewhere.
    fn form_post(&self, visit: &Visit, redirect_uri: &str, fields: &[serde_json::Value]) -> Response {
        let environment = self.web().environment();
        let origin: Vec<String> = origin_of(redirect_uri).into_iter().collect();
        let page = Page {
            environment: &environment,
            template: "agamid/resend.html",
            context: json!({
                "action": redirect_uri, "fields": fields, "lead": "You are taken back to the application.",
            }),
            status: StatusCode::OK,
            form_action: &origin,
            overlay: None,
        };
        self.web().page(visit, page).unwrap_or_else(|error| {
            tracing::error!(event = "oauth.failed", %error);
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        })
    }

    /// The transaction is over, unknown, or another browser's.
    pub(crate) fn over(&self, visit: &Visit) -> Response {
        let page = ErrorPage {
            status: StatusCode::NOT_FOUND,
            title: "This sign-in is over".to_owned(),
            message: "It was finished already, took too long, or belongs to another browser.".to_owned(),
            hint: Some("Go back to the application and sign in again.".to_owned()),
            reference: None,
            action: None,
        };
        self.web().error_page(visit, page)
    }

    /// A page of ours that leads on to where our cookies are read.
    pub(crate) fn hand_over(&self, visit: &Visit, transaction: &Transaction) -> Response {
        self.hand_over_to(visit, &format!("/oauth2/authorize/resume?transaction={}", transaction.id))
    }

    /// A page of ours that leads on to a path of ours.
    pub(crate) fn hand_over_to(&self, visit: &Visit, next: &str) -> Response {
        let environment = self.web().environment();
        let page = Page {
            environment: &environment,
            template: "agamid/error.html",
            context: json!({
                "heading": "One moment", "message": "You are taken on.",
                "action": { "label": "Continue", "href": next }, "reference": visit.request_id,
            }),
            status: StatusCode::OK,
            form_action: &[],
            overlay: None,
        };
        match (self.web().page(visit, page), HeaderValue::from_str(&format!("0;url={next}"))) {
            (Ok(mut page), Ok(refresh)) => {
                page.headers_mut().insert(header::REFRESH, refresh);
                page
            }
            _ => see_other(next),
        }
    }
}

/// The origin of a verified redirect URI, for the form-action of the pages on the way there.
pub(crate) fn origin_of(redirect_uri: &str) -> Option<String> {
    let url = url::Url::parse(redirect_uri).ok()?;
    let origin = url.origin();
    // An app's own scheme has no origin; the policy takes the scheme itself.
    Some(if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) })
}

/// 303: never repeats a form.
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
