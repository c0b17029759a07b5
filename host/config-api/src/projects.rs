//! `/config/v1/projects`

use agamid_flow_engine::catalog::DeployError;
use agamid_flow_engine::project::ProjectFiles;
use agamid_store::StoreError;
use agamid_web::Problem;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::authorize::authorize;
use crate::{Api, MAX_ARCHIVE};

const READ: &str = "config.projects.read";
const WRITE: &str = "config.projects.write";

/// All projects in service.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/projects", &headers, READ).await {
        return *refused;
    }
    Json(json!({ "projects": api.engine.catalog().projects() })).into_response()
}

/// One project.
pub(crate) async fn show(State(api): State<Api>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    let path = format!("/config/v1/projects/{name}");
    if let Err(refused) = authorize(&api, &Method::GET, &path, &headers, READ).await {
        return *refused;
    }
    match api.engine.catalog().project(&name) {
        Some(project) => Json(project).into_response(),
        None => Problem::new(StatusCode::NOT_FOUND, "no_such_project", format!("there is no project {name}"))
            .into_response(),
    }
}

/// Deploys an archive. A project with errors changes nothing, and all its findings are in the answer.
pub(crate) async fn deploy(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    let path = format!("/config/v1/projects/{name}");
    let caller = match authorize(&api, &Method::PUT, &path, &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    // Only now is anything read: strangers can't make the server hold an archive.
    let Ok(body) = axum::body::to_bytes(body, MAX_ARCHIVE).await else {
        let detail = format!("the archive has more than {MAX_ARCHIVE} bytes, or was cut off");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into_response();
    };
    match try_deploy(&api, &name, &body, &caller.client_id).await {
        Ok(response) | Err(response) => response,
    }
}

async fn try_deploy(api: &Api, name: &str, body: &[u8], actor: &str) -> Result<Response, Response> {
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let project = ProjectFiles::from_archive(body)
        .map_err(|error| bad("bad_archive", error.to_string()).into_response())?;
    if project.manifest.project_name != name {
        let mut problem = bad(
            "name_mismatch",
            format!(
                "the archive holds the project {}, the address says {name}",
                project.manifest.project_name
            ),
        );
        problem.field = Some("projectName".to_owned());
        return Err(problem.into_response());
    }
    let status =
        api.engine.catalog().deploy(project, actor).await.map_err(|error| refused(error).into_response())?;
    Ok(Json(status).into_response())
}

fn refused(error: DeployError) -> Problem {
    let detail = error.to_string();
    match error {
        DeployError::Refused { findings, .. } => {
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "project_has_errors", detail);
            problem.extra.insert("diagnostics".to_owned(), json!(findings));
            problem
        }
        DeployError::Project(_) => Problem::new(StatusCode::BAD_REQUEST, "bad_project", detail),
        DeployError::Store(StoreError::Unavailable(_)) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
        }
        DeployError::Store(_) => {
            tracing::error!(event = "project.deploy_failed", error = detail);
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the server failed; see its log")
        }
    }
}
