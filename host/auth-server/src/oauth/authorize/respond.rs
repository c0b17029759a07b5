//! Answers of the authorization endpoint: redirects with `iss` (RFC 9207), and pages.

use agamid_web::{ErrorPage, Page, Visit};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Refusal;
use crate::AuthServer;
use crate::error::{Code, OauthError};
use crate::transaction::Transaction;

impl AuthServer {
    /// Tells a refusal: to the client where its redirect URI is verified, to the person elsewhere.
    pub(crate) fn refuse(&self, visit: &Visit, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Redirect { redirect_uri, state, error } => {
                self.redirect_error(&redirect_uri, state.as_deref(), &error)
            }
            Refusal::Page(error) => {
                let status = match error.code {
                    Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
                    Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::BAD_REQUEST,
                };
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
    pub(crate) fn error_to_client(&self, transaction: &Transaction, error: &OauthError) -> Response {
        let request = &transaction.request;
        self.redirect_error(&request.redirect_uri, request.state.as_deref(), error)
    }

    fn redirect_error(&self, redirect_uri: &str, state: Option<&str>, error: &OauthError) -> Response {
        let mut answer =
            vec![("error", error.code.name()), ("error_description", error.description.as_str())];
        answer.extend(state.map(|state| ("state", state)));
        self.redirect_answer(redirect_uri, &answer)
    }

    /// 303 to the redirect URI with an answer in its query; `iss` is always there.
    pub(crate) fn redirect_answer(&self, redirect_uri: &str, answer: &[(&str, &str)]) -> Response {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(answer)
            .append_pair("iss", self.web().issuer())
            .finish();
        let joint = if redirect_uri.contains('?') { '&' } else { '?' };
        see_other(&format!("{redirect_uri}{joint}{query}"))
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
        let next = format!("/oauth2/authorize/resume?transaction={}", transaction.id);
        let environment = self.web().environment();
        let page = Page {
            environment: &environment,
            template: "agamid/error.html",
            context: json!({
                "heading": "One moment", "message": "You are taken to the sign-in page.",
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
            _ => see_other(&next),
        }
    }
}

/// 303: never repeats a form.
pub(crate) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
