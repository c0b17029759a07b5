//! `/config/v1/plugins`

use agamid_flow_engine::catalog::DeployError;
use agamid_plugin_host::{LoadError, PluginStatus};
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

const READ: &str = "config.plugins.read";
const WRITE: &str = "config.plugins.write";

/// All plugins in service.
pub(crate) async fn list(State(api): State<Api>, headers: HeaderMap) -> Response {
    if let Err(refused) = authorize(&api, &Method::GET, "/config/v1/plugins", &headers, READ).await {
        return *refused;
    }
    Json(json!({ "plugins": api.plugins.plugins() })).into_response()
}

/// Puts a component into service on all nodes. One that is not accepted, or does not fit a project, changes nothing.
pub(crate) async fn deploy(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Body,
) -> Response {
    let path = format!("/config/v1/plugins/{name}");
    let caller = match authorize(&api, &Method::PUT, &path, &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let Ok(body) = axum::body::to_bytes(body, MAX_ARCHIVE).await else {
        let detail = format!("the component has more than {MAX_ARCHIVE} bytes, or was cut off");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).into_response();
    };
    match try_deploy(&api, &name, body.to_vec(), &caller.client_id).await {
        Ok(status) => Json(status).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn try_deploy(api: &Api, name: &str, component: Vec<u8>, actor: &str) -> Result<PluginStatus, Problem> {
    let prepared = api.plugins.prepare(name, component).await.map_err(refused)?;
    api.engine.catalog().check_routines(prepared.set()).await.map_err(misfit)?;
    api.plugins.deploy(prepared, actor).await.map_err(refused)
}

/// Takes a plugin out of service on all nodes, where no project needs it.
pub(crate) async fn remove(State(api): State<Api>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    let path = format!("/config/v1/plugins/{name}");
    let caller = match authorize(&api, &Method::DELETE, &path, &headers, WRITE).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    match try_remove(&api, &name, &caller.client_id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn try_remove(api: &Api, name: &str, actor: &str) -> Result<(), Problem> {
    let Some(rest) = api.plugins.without(name) else {
        let detail = format!("there is no plugin {name}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_plugin", detail));
    };
    api.engine.catalog().check_routines(rest).await.map_err(misfit)?;
    api.plugins.remove(name, actor).await.map_err(refused)
}

/// Projects in service would break.
fn misfit(error: DeployError) -> Problem {
    let detail = error.to_string();
    match error {
        DeployError::Refused { project, findings } => {
            let detail = format!("the project {project} would not fit any more; nothing was changed");
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_misfits", detail);
            problem.extra.insert("diagnostics".to_owned(), json!(findings));
            problem
        }
        DeployError::Store(StoreError::Unavailable(_)) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
        }
        _ => {
            tracing::error!(event = "plugin.check_failed", error = detail);
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the server failed; see its log")
        }
    }
}

fn refused(error: LoadError) -> Problem {
    match error {
        LoadError::Refused(reason) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_refused", reason)
        }
        LoadError::Store(error @ StoreError::Unavailable(_)) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", error.to_string())
        }
        LoadError::Store(error) => {
            tracing::error!(event = "plugin.deploy_failed", %error);
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the server failed; see its log")
        }
    }
}
