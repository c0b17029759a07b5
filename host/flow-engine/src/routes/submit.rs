//! `POST /flow/{run}/{path}`

use std::time::Duration;

use agama_lang::effect::Resume;
use agama_lang::value::{Map, Value};
use agamid_store::Versioned;
use agamid_web::{ErrorPage, Visit};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::{current_url, see_other};
use crate::engine::{Engine, Moved};
use crate::records::{RunRecord, Status};
use crate::run::{Paused, TokenFits, token_fits};

/// Fields of one form.
const MAX_FIELDS: usize = 256;
/// How long a second click waits for the first.
const PATIENCE: usize = 100;

/// `POST /flow/{run}/`: no page is there.
pub(super) async fn post_root(State(engine): State<Engine>, visit: Visit) -> Response {
    engine.over_page(&visit, None)
}

/// Checks, in order: Origin, browser, form, time, step token. Then the run goes on.
pub(super) async fn post(
    State(engine): State<Engine>,
    visit: Visit,
    headers: HeaderMap,
    Path((id, path)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Response {
    if engine.web().check_origin(&headers).is_err() {
        return forbidden(&engine, &visit, None);
    }
    let browser = engine.web().known_browser(&headers);
    let Some(mut form) = read_form(&headers, &body) else {
        return malformed(&engine, &visit);
    };
    let step = form.shift_remove("_step");
    for _ in 0..PATIENCE {
        let found = match engine.find(&id, browser.as_deref()).await {
            Ok(Some(found)) => found,
            Ok(None) => return engine.over_page(&visit, None),
            Err(error) => return engine.failed(&visit, &error.into()),
        };
        let run = &found.record;
        let token = step.as_ref().and_then(Value::as_str).unwrap_or_default();
        let fits = token_fits(engine.sealer(), run, token);
        match (&run.status, fits) {
            (_, TokenFits::Never) => return forbidden(&engine, &visit, current_url(run)),
            (Status::Over { .. }, TokenFits::Now | TokenFits::JustBefore) => {
                return second_click(&engine, &visit, run);
            }
            (Status::Over { .. }, TokenFits::Earlier) => {
                return engine.over_page(&visit, Some(&run.owner.restart));
            }
            // Another request is at work: wait for it, then show where the run stands.
            (Status::Acting { until, .. }, _) if engine.env().now() < *until => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (Status::Acting { .. }, _) => {
                let reference = agamid_core::id::new_ulid(engine.env());
                tracing::error!(event = "flow.lease_died", reference, run = %run.id);
                return engine.crash_page(&visit, reference, &run.owner.restart);
            }
            (_, TokenFits::JustBefore) => return second_click(&engine, &visit, run),
            (_, TokenFits::Earlier) => return stale(&engine, &visit, run),
            (_, TokenFits::Now) if engine.is_late(run) => return engine.timeout_page(&visit, run),
            (Status::Page { path: shown, .. }, TokenFits::Now) if *shown == path => {
                let url = format!("{id}/{path}");
                match engine
                    .advance(copy(&found), visit.address, |paused| answer(paused, form.clone(), url))
                    .await
                {
                    Ok(Moved::Busy) => {}
                    Ok(moved) => return engine.moved(&visit, moved),
                    Err(error) => return engine.failed(&visit, &error),
                }
            }
            (_, TokenFits::Now) => return stale(&engine, &visit, run),
        }
    }
    // Somebody still works on it, or died doing so: the page waits for that, and shows the step again at the end.
    see_other(&format!("/flow/{id}/{path}"))
}

fn copy(found: &Versioned<RunRecord>) -> Versioned<RunRecord> {
    Versioned { record: found.record.clone(), version: found.version }
}

/// What the form means to the flow. Values of secret fields are marked.
fn answer(paused: &Paused, mut form: Map, url: String) -> Resume {
    for name in &paused.secret_fields {
        if let Some(value) = form.get_mut(name) {
            hide(value);
        }
    }
    if form.shift_remove("_abort").is_some() { Resume::Abort { form, url } } else { Resume::Form(form) }
}

/// Marks every text in a value as secret.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => *value = Value::secret(text.as_str()),
        Value::List(items) => items.iter_mut().for_each(hide),
        Value::Map(map) => map.values_mut().for_each(hide),
        _ => {}
    }
}

/// A form as a flow sees it: one value a string, several a list. A JSON body keeps its types.
pub(super) fn read_form(headers: &HeaderMap, body: &[u8]) -> Option<Map> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/x-www-form-urlencoded" => pairs(body),
        "application/json" => match Value::from_json(serde_json::from_slice(body).ok()?) {
            Value::Map(map) => Some(map),
            _ => None,
        },
        _ => None,
    }
}

/// Names and values, at most [`MAX_FIELDS`].
pub(super) fn pairs(encoded: &[u8]) -> Option<Map> {
    let mut form = Map::new();
    for (count, (name, value)) in url::form_urlencoded::parse(encoded).enumerate() {
        if count >= MAX_FIELDS {
            return None;
        }
        let value = Value::string(value.into_owned());
        match form.get_mut(&*name) {
            None => {
                form.insert(name.into_owned(), value);
            }
            Some(Value::List(items)) => items.push(value),
            Some(first) => *first = Value::List(vec![std::mem::take(first), value]),
        }
    }
    Some(form)
}

/// The same form again, after it was taken: show where the run stands now.
fn second_click(engine: &Engine, visit: &Visit, run: &RunRecord) -> Response {
    match current_url(run) {
        Some(url) => see_other(&url),
        None => engine.over_page(visit, Some(&run.owner.restart)),
    }
}

fn stale(engine: &Engine, visit: &Visit, run: &RunRecord) -> Response {
    engine.web().error_page(
        visit,
        ErrorPage {
            status: StatusCode::CONFLICT,
            title: "This page is from an earlier step".to_owned(),
            message: "You went on in the meantime, perhaps in another tab. What you sent here was not used."
                .to_owned(),
            hint: None,
            reference: None,
            action: current_url(run).map(|url| ("Continue where you are".to_owned(), url)),
        },
    )
}

fn forbidden(engine: &Engine, visit: &Visit, way_on: Option<String>) -> Response {
    engine.web().error_page(
        visit,
        ErrorPage {
            status: StatusCode::FORBIDDEN,
            title: "This form was not accepted".to_owned(),
            message: "It did not come from the page that this server showed you.".to_owned(),
            hint: Some("Go back to the application and sign in again.".to_owned()),
            reference: None,
            action: way_on.map(|url| ("Continue".to_owned(), url)),
        },
    )
}

fn malformed(engine: &Engine, visit: &Visit) -> Response {
    engine.web().error_page(
        visit,
        ErrorPage {
            status: StatusCode::BAD_REQUEST,
            title: "This form can't be read".to_owned(),
            message: "It is no form, or it has too many fields.".to_owned(),
            hint: None,
            reference: None,
            action: None,
        },
    )
}
