//! `/config/v1/groups`

use agamid_core::id::GroupId;
use agamid_identity::group::{Group, GroupFields, Member};
use agamid_identity::{IdentityError, OrgScope};
use agamid_store::Versioned;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{ErrorResponse, IntoResponse as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::Api;
use crate::call::{Answer, Call, Window, answer, document, home, invalid, no_such, refuse};
use crate::people::actor;

const READ: &str = "config.groups.read";
const WRITE: &str = "config.groups.write";
/// Members that come and go in one call.
const MOST_MEMBERS: usize = 100;

/// Which groups are looked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The server's own unless named.
    organisation: Option<String>,
    /// How the name begins.
    #[serde(default)]
    starts_with: String,
    after: Option<String>,
    limit: Option<String>,
}

/// What is written of a group.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    organisation: Option<String>,
    display_name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    external_id: Option<Option<String>>,
    /// Who comes in.
    #[serde(default)]
    add: Vec<Member>,
    /// Who goes, before the others come.
    #[serde(default)]
    remove: Vec<Member>,
    version: Option<u64>,
}

/// Tells a member that is null from one that is absent.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Written {
    fn check(&self) -> Result<(), ErrorResponse> {
        for (field, list) in [("add", &self.add), ("remove", &self.remove)] {
            if list.len() > MOST_MEMBERS {
                return Err(invalid(field, &format!("has at most {MOST_MEMBERS} members in one call")).into());
            }
        }
        Ok(())
    }

    fn fields(&self) -> GroupFields {
        GroupFields {
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            external_id: self.external_id.clone(),
        }
    }
}

/// A page of an organisation's groups, by name.
pub(crate) async fn list(State(api): State<Api>, call: Call) -> Answer {
    call.by(&api, READ).await?;
    let wanted: Wanted = call.query()?;
    let home = home(&api, wanted.organisation.as_deref())?;
    let window = Window { after: wanted.after, limit: wanted.limit };
    let limit = window.limit()?;
    let found = api.identity.groups.search(&home, &wanted.starts_with, window.after, limit).await;
    let (groups, next) = found.map_err(refuse)?;
    let groups: Vec<Value> = groups.iter().map(shown).collect();
    Ok(answer(StatusCode::OK, json!({ "groups": groups, "next": next })))
}

/// Makes a group.
pub(crate) async fn create(State(api): State<Api>, call: Call, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let written: Written = agamid_identity::json::read(document(body).await?).map_err(refuse)?;
    written.check()?;
    let home = home(&api, written.organisation.as_deref())?;
    let made = api.identity.groups.create(&home, &written.fields(), actor(&caller)).await;
    let made = made.map_err(refuse)?;
    change_members(&api, &made.id, &written, actor(&caller)).await?;
    Ok(answer(StatusCode::CREATED, shown(&Versioned { record: made, version: 1 })))
}

/// A group.
pub(crate) async fn show(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    call.by(&api, READ).await?;
    Ok(answer(StatusCode::OK, shown(&found(&api, &id).await?)))
}

/// Changes what is sent of a group; then members go, then others come, one after the other.
pub(crate) async fn change(State(api): State<Api>, call: Call, Path(id): Path<String>, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let written: Written = agamid_identity::json::read(document(body).await?).map_err(refuse)?;
    written.check()?;
    if written.organisation.is_some() {
        return Err(invalid("organisation", "a group stays in its organisation").into());
    }
    let id = found(&api, &id).await?.record.id;
    let groups = &api.identity.groups;
    let by = actor(&caller);
    let changed = groups.update(&OrgScope::All, &id, &written.fields(), written.version, by).await;
    let changed = changed.map_err(refuse)?;
    change_members(&api, &id, &written, by).await?;
    Ok(answer(StatusCode::OK, shown(&changed)))
}

async fn change_members(
    api: &Api,
    id: &GroupId,
    written: &Written,
    actor: &str,
) -> Result<(), ErrorResponse> {
    let groups = &api.identity.groups;
    for member in &written.remove {
        groups.remove(&OrgScope::All, id, member, actor).await.map_err(refuse)?;
    }
    for (at, member) in written.add.iter().enumerate() {
        groups.add(&OrgScope::All, id, member, actor).await.map_err(|error| match error {
            IdentityError::NoPerson | IdentityError::NoGroup => {
                ErrorResponse::from(invalid(&format!("add[{at}]"), &error.to_string()))
            }
            error => refuse(error),
        })?;
    }
    Ok(())
}

/// A page of a group's own members.
pub(crate) async fn members(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    call.by(&api, READ).await?;
    let window: Window = call.query()?;
    let id = found(&api, &id).await?.record.id;
    let limit = window.limit()?;
    let found = api.identity.groups.members(&OrgScope::All, &id, window.after, limit).await;
    let (members, next) = found.map_err(refuse)?;
    Ok(answer(StatusCode::OK, json!({ "members": members, "next": next })))
}

/// Deletes a group; its members stay.
pub(crate) async fn delete(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let id = found(&api, &id).await?.record.id;
    api.identity.groups.delete(&OrgScope::All, &id, actor(&caller)).await.map_err(refuse)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn found(api: &Api, id: &str) -> Result<Versioned<Group>, ErrorResponse> {
    let Some(id) = GroupId::parse(id) else { return Err(no_such("group").into()) };
    let found = api.identity.groups.versioned(&OrgScope::All, &id).await.map_err(refuse)?;
    found.ok_or_else(|| no_such("group").into())
}

fn shown(found: &Versioned<Group>) -> Value {
    let group = &found.record;
    json!({
        "id": group.id, "organisation": group.organisation, "display_name": group.display_name,
        "description": group.description, "external_id": group.external_id, "version": found.version,
        "created_at": group.created_at.to_string(), "updated_at": group.updated_at.to_string(),
    })
}
