//! `GET /flow/{run}/{path}`

use std::sync::Arc;

use agama_lang::value::Value;
use agamid_store::Versioned;
use agamid_web::{Overlay, Page, Visit};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{current_url, see_other};
use crate::catalog::Release;
use crate::engine::{Engine, EngineError};
use crate::records::{RunRecord, Status};
use crate::revision::Revision;
use crate::run;

/// `GET /flow/{run}/`: where a run stands.
pub(super) async fn get_root(
    State(engine): State<Engine>,
    visit: Visit,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    respond(engine, visit, headers, id, String::new()).await
}

/// The page at which the run stands; any other path below it is a file of the run's revision, or leads to the page.
pub(super) async fn get(
    State(engine): State<Engine>,
    visit: Visit,
    headers: HeaderMap,
    Path((id, path)): Path<(String, String)>,
) -> Response {
    respond(engine, visit, headers, id, path).await
}

async fn respond(engine: Engine, visit: Visit, headers: HeaderMap, id: String, path: String) -> Response {
    let browser = engine.web().known_browser(&headers);
    let found = match engine.find(&id, browser.as_deref()).await {
        Ok(Some(Versioned { record, .. })) => record,
        Ok(None) => return engine.over_page(&visit, None),
        Err(error) => return engine.failed(&visit, &error.into()),
    };
    let release = match engine.catalog().release(&found.release).await {
        Ok(release) => release,
        Err(error) => return engine.failed(&visit, &error.into()),
    };
    if let Some(asset) = asset(&release, &found, &path) {
        return asset;
    }
    if engine.is_late(&found) && !matches!(found.status, Status::Over { .. }) {
        return engine.timeout_page(&visit, &found);
    }
    match &found.status {
        Status::Page { path: shown, .. } if *shown == path => match engine.show(&visit, &release, &found) {
            Ok(page) => page,
            Err(error) => engine.failed(&visit, &error),
        },
        Status::Away { url } if path.is_empty() => away(&engine, &visit, url),
        Status::Page { .. } | Status::Away { .. } => see_other(&current_url(&found).unwrap_or_default()),
        Status::Acting { until, .. } if engine.env().now() < *until => {
            (StatusCode::ACCEPTED, [(header::REFRESH, "1")], "One moment…").into_response()
        }
        Status::Acting { .. } => {
            let reference = agamid_core::id::new_ulid(engine.env());
            tracing::error!(event = "flow.lease_died", reference, run = %found.id);
            engine.crash_page(&visit, reference, &found.owner.restart)
        }
        Status::Over { .. } => engine.over_page(&visit, Some(&found.owner.restart)),
    }
}

/// On to another site, from a page of ours: a redirect right after a form would be held against the form's policy.
fn away(engine: &Engine, visit: &Visit, url: &str) -> Response {
    let context = json!({
        "status": 200, "heading": "One moment", "message": "You are taken to another site.",
        "action": { "label": "Continue", "href": url }, "reference": visit.request_id,
    });
    let environment = engine.web().environment();
    let page = Page {
        environment: &environment,
        template: "agamid/error.html",
        context,
        status: StatusCode::OK,
        form_action: &[],
        overlay: None,
    };
    match (engine.web().page(visit, page), HeaderValue::from_str(&format!("0;url={url}"))) {
        (Ok(mut page), Ok(refresh)) => {
            page.headers_mut().insert(header::REFRESH, refresh);
            page
        }
        _ => see_other("/"),
    }
}

fn asset(release: &Release, run: &RunRecord, path: &str) -> Option<Response> {
    // The started flow's project first; pages of subflows bring the files of theirs.
    let own = release.revision_of(&run.flow).into_iter();
    let content = own.chain(release.revisions.values()).find_map(|revision| revision.asset(path))?;
    let kind = match path.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    };
    Some(([(header::CONTENT_TYPE, kind)], content.to_vec()).into_response())
}

impl Engine {
    fn show(
        &self,
        visit: &Visit,
        release: &Arc<Release>,
        found: &RunRecord,
    ) -> Result<Response, EngineError> {
        let (state, _) = run::open(self.sealer(), found)?;
        let shown = state.page().ok_or_else(|| EngineError::Saved("the run stands at no page".to_owned()))?;
        let (revision, context) = self.page_parts(release, found, &shown).map_err(EngineError::Saved)?;
        let overlay = if self.web().is_dev() { self.catalog().refused_for(&found.flow) } else { None };
        let overlay = overlay.map(|(title, findings)| Overlay {
            title,
            findings: findings.iter().filter_map(|finding| serde_json::to_value(finding).ok()).collect(),
        });
        let page = Page {
            environment: &revision.environment,
            template: &shown.template,
            context,
            status: StatusCode::OK,
            form_action: &found.form_action,
            overlay,
        };
        self.web().page(visit, page).map_err(|error| EngineError::Saved(error.to_string()))
    }

    /// The revision whose template a page uses, and what the template sees: the model, and what every page has.
    pub(crate) fn page_parts<'a>(
        &self,
        release: &'a Release,
        found: &RunRecord,
        shown: &agama_lang::effect::Page,
    ) -> Result<(&'a Arc<Revision>, serde_json::Value), String> {
        let revision = release
            .revision_of(&shown.at.flow)
            .filter(|revision| revision.environment.get_template(&shown.template).is_ok())
            .or_else(|| {
                release.revisions.values().find(|r| r.environment.get_template(&shown.template).is_ok())
            })
            .ok_or_else(|| format!("there is no template web/{}", shown.template))?;
        let token = run::token(self.sealer(), found).map_err(|error| error.to_string())?;
        let mut context = Value::Map(shown.model.clone()).to_json();
        if let Some(context) = context.as_object_mut() {
            let action = format!("/flow/{}/{}", found.id, shown.template);
            context
                .insert("step".to_owned(), json!({ "token": token, "action": action, "number": found.step }));
            context.insert("owner".to_owned(), found.shown.clone());
            context.insert("flow".to_owned(), found.flow.clone().into());
            context.insert("changes".to_owned(), self.catalog().changes().borrow().serial.into());
        }
        Ok((revision, context))
    }
}
