//! `GET` and `POST /flow/callback`: where `RFAC` (and `RRF … true`) comes back to. Works once.

use agama_lang::effect::Resume;
use agama_lang::value::{Map, Value};
use agamid_web::{Page, Visit};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::submit::{pairs, read_form};
use crate::engine::Engine;

/// The other site sent the browser back.
pub(super) async fn get(
    State(engine): State<Engine>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = pairs(query.unwrap_or_default().as_bytes());
    respond(&engine, &visit, &headers, parameters).await
}

/// The other site sent a form. A cross-site POST comes without our cookie: a page of ours sends it once more.
pub(super) async fn post(
    State(engine): State<Engine>,
    visit: Visit,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let Some(form) = read_form(&headers, &body) else { return engine.over_page(&visit, None) };
    if engine.web().check_origin(&headers).is_err() {
        return again(&engine, &visit, &form);
    }
    respond(&engine, &visit, &headers, Some(form)).await
}

async fn respond(engine: &Engine, visit: &Visit, headers: &HeaderMap, parameters: Option<Map>) -> Response {
    let (Some(browser), Some(parameters)) = (engine.web().known_browser(headers), parameters) else {
        return engine.over_page(visit, None);
    };
    let found = match engine.find_callback(&browser).await {
        Ok(Some(found)) => found,
        Ok(None) => return engine.over_page(visit, None),
        Err(error) => return engine.failed(visit, &error.into()),
    };
    if engine.is_late(&found.record) {
        return engine.timeout_page(visit, &found.record);
    }
    match engine.advance(found, visit.address, |_| Resume::Callback(parameters)).await {
        Ok(moved) => engine.moved(visit, moved),
        Err(error) => engine.failed(visit, &error),
    }
}

/// A page that sends the same fields from here: by itself where scripts run, by a button elsewhere.
fn again(engine: &Engine, visit: &Visit, form: &Map) -> Response {
    let fields: Vec<_> = form
        .iter()
        .flat_map(|(name, value)| match value {
            Value::List(items) => items.iter().map(|item| (name, item)).collect(),
            one => vec![(name, one)],
        })
        .filter_map(|(name, value)| Some(json!({ "name": name, "value": value.as_str()? })))
        .collect();
    let environment = engine.web().environment();
    let page = Page {
        environment: &environment,
        template: "agamid/resend.html",
        context: json!({ "action": "/flow/callback", "fields": fields }),
        status: StatusCode::OK,
        form_action: &[],
        overlay: None,
    };
    engine.web().page(visit, page).unwrap_or_else(|_| engine.over_page(visit, None))
}
