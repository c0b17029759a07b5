//! `/config/v1/attributes`

use agamid_identity::attribute::definition::AttributeDefinition;
use agamid_identity::{Attribute, IdentityError};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;

use crate::Api;
use crate::call::{Answer, Call, answer, document, no_such, refuse};
use crate::people::actor;

const READ: &str = "config.attributes.read";
const WRITE: &str = "config.attributes.write";

/// All attributes: those that every server has, and those that were defined.
pub(crate) async fn list(State(api): State<Api>, call: Call) -> Answer {
    call.by(&api, READ).await?;
    let schema = api.identity.attributes.schema().await.map_err(refuse)?;
    let attributes: Vec<&Attribute> = schema.all().collect();
    Ok(answer(StatusCode::OK, json!({ "attributes": attributes })))
}

/// Defines an attribute.
pub(crate) async fn create(State(api): State<Api>, call: Call, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let json = document(body).await?;
    let made = api.identity.attributes.define(json, actor(&caller)).await.map_err(refuse)?;
    Ok(answer(StatusCode::CREATED, made.attribute))
}

/// One attribute.
pub(crate) async fn show(State(api): State<Api>, call: Call, Path(name): Path<String>) -> Answer {
    call.by(&api, READ).await?;
    let schema = api.identity.attributes.schema().await.map_err(refuse)?;
    let attribute = schema.get(&name).ok_or_else(|| no_such("attribute"))?;
    Ok(answer(StatusCode::OK, attribute))
}

/// Changes what is sent of a defined attribute.
pub(crate) async fn change(
    State(api): State<Api>,
    call: Call,
    Path(name): Path<String>,
    body: Body,
) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let json = document(body).await?;
    let attributes = api.identity.attributes.clone();
    let changed = finished(async move { attributes.change(&name, &json, actor(&caller)).await }).await;
    let AttributeDefinition { attribute, .. } = changed.map_err(refuse)?;
    Ok(answer(StatusCode::OK, attribute))
}

/// Deletes a defined attribute and all its values.
pub(crate) async fn delete(State(api): State<Api>, call: Call, Path(name): Path<String>) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let attributes = api.identity.attributes.clone();
    let deleted = finished(async move { attributes.delete(&name, actor(&caller)).await }).await;
    deleted.map_err(refuse)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What goes through all persons is finished though the caller may have gone away.
async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, IdentityError>> + Send + 'static,
) -> Result<T, IdentityError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(_) => Err(IdentityError::Busy),
    }
}
