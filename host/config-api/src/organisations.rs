//! `/config/v1/organisations`

use agamid_core::id::OrgId;
use agamid_identity::OrgScope;
use agamid_identity::organisation::{Organisation, OrganisationChanges};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{ErrorResponse, IntoResponse as _};
use serde_json::{Value, json};

use crate::Api;
use crate::call::{Answer, Call, answer, document, no_such, refuse};
use crate::people::actor;

const READ: &str = "config.organisations.read";
const WRITE: &str = "config.organisations.write";

/// All organisations.
pub(crate) async fn list(State(api): State<Api>, call: Call) -> Answer {
    call.by(&api, READ).await?;
    let all = api.identity.organisations.list().await.map_err(refuse)?;
    let organisations: Vec<Value> = all.iter().map(|found| shown(&api, &found.record)).collect();
    Ok(answer(StatusCode::OK, json!({ "organisations": organisations })))
}

/// Makes an organisation.
pub(crate) async fn create(State(api): State<Api>, call: Call, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let new = OrganisationChanges::read(document(body).await?).map_err(refuse)?;
    let made = api.identity.organisations.create(&new, actor(&caller)).await.map_err(refuse)?;
    Ok(answer(StatusCode::CREATED, shown(&api, &made)))
}

/// One organisation.
pub(crate) async fn show(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    call.by(&api, READ).await?;
    let found = api.identity.organisations.get(&OrgScope::All, &parse(&id)?).await.map_err(refuse)?;
    let found = found.ok_or_else(|| no_such("organisation"))?;
    Ok(answer(StatusCode::OK, shown(&api, &found)))
}

/// Changes what is sent of an organisation.
pub(crate) async fn change(State(api): State<Api>, call: Call, Path(id): Path<String>, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let changes = OrganisationChanges::read(document(body).await?).map_err(refuse)?;
    let changed = api.identity.organisations.update(&parse(&id)?, &changes, actor(&caller)).await;
    Ok(answer(StatusCode::OK, shown(&api, &changed.map_err(refuse)?)))
}

/// Deletes an organisation without people and groups.
pub(crate) async fn delete(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    api.identity.organisations.delete(&parse(&id)?, actor(&caller)).await.map_err(refuse)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn parse(id: &str) -> Result<OrgId, ErrorResponse> {
    OrgId::parse(id).ok_or_else(|| no_such("organisation").into())
}

fn shown(api: &Api, organisation: &Organisation) -> Value {
    json!({
        "id": organisation.id, "name": organisation.name, "domain": organisation.domain,
        "branding": organisation.branding, "policy": organisation.policy,
        "own": organisation.id == api.organisation, "created_at": organisation.created_at.to_string(),
    })
}
