//! `/config/v1/users`

use agamid_core::id::PersonId;
use agamid_core::ports::Caller;
use agamid_core::time::Timestamp;
use agamid_identity::person::{Changes, NewPerson, PersonQuery, Source};
use agamid_identity::{AccountStatus, OrgScope, Person, Writer};
use agamid_store::Versioned;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{ErrorResponse, IntoResponse as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Api;
use crate::call::{Answer, Call, Window, answer, document, home, invalid, no_such, refuse, scope_of};
use crate::people::{self, actor, may_administrators};

const READ: &str = "config.users.read";
const WRITE: &str = "config.users.write";

/// Who is looked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    organisation: Option<String>,
    /// A searchable attribute, with one of the next two.
    attribute: Option<String>,
    equals: Option<String>,
    starts_with: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

/// A status, with its time as people write it.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
enum Status {
    Active,
    Pending,
    Disabled { reason: Option<String>, until: Option<String> },
}

/// What is written of a user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Of a new one only; the server's own organisation unless named.
    organisation: Option<String>,
    username: Option<String>,
    status: Option<Status>,
    administrator: Option<bool>,
    #[serde(default)]
    attributes: Map<String, Value>,
    /// The version that is changed; whichever it is, unless given.
    version: Option<u64>,
}

/// A page of users.
pub(crate) async fn list(State(api): State<Api>, call: Call) -> Answer {
    call.by(&api, READ).await?;
    let wanted: Wanted = call.query()?;
    let scope = scope_of(wanted.organisation.as_deref())?;
    let query = match (wanted.attribute, wanted.equals, wanted.starts_with) {
        (None, None, None) => PersonQuery::Everybody,
        (Some(attribute), Some(value), None) => PersonQuery::Equal { attribute, value },
        (Some(attribute), None, Some(value)) => PersonQuery::StartsWith { attribute, value },
        _ => return Err(invalid("attribute", "goes with equals or starts_with").into()),
    };
    let window = Window { after: wanted.after, limit: wanted.limit };
    let persons = &api.identity.persons;
    let page = persons.search(&scope, &query, window.after.as_deref(), window.limit()?).await;
    let page = page.map_err(refuse)?;
    let users: Vec<Value> = page.persons.iter().map(shown).collect();
    Ok(answer(StatusCode::OK, json!({ "users": users, "next": page.next })))
}

/// Makes a user.
pub(crate) async fn create(State(api): State<Api>, call: Call, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let written: Written = agamid_identity::json::read(document(body).await?).map_err(refuse)?;
    let home = home(&api, written.organisation.as_deref())?;
    let administrator = written.administrator.unwrap_or(false);
    check_administrators(&caller, administrator)?;
    let new = NewPerson {
        username: written.username.unwrap_or_default(),
        status: written.status.map(status).transpose()?.unwrap_or_default(),
        administrator,
        attributes: written.attributes,
        ..NewPerson::default()
    };
    let made = api.identity.persons.create(&home, new, actor(&caller)).await.map_err(refuse)?;
    Ok(answer(StatusCode::CREATED, shown(&Versioned { record: made, version: 1 })))
}

/// A user, with groups and linked accounts.
pub(crate) async fn show(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    call.by(&api, READ).await?;
    let found = found(&api, &id).await?;
    let mut user = shown(&found);
    let id = &found.record.id;
    let effective = api.identity.groups.effective(&OrgScope::All, id).await.map_err(refuse)?;
    let groups: Vec<Value> = effective
        .groups
        .values()
        .map(
            |(group, direct)| json!({ "id": group.id, "display_name": group.display_name, "direct": direct }),
        )
        .collect();
    let links = api.identity.links.of_person(&OrgScope::All, id).await.map_err(refuse)?;
    let links: Vec<Value> = links
        .iter()
        .map(|link| {
            json!({ "provider": link.provider, "subject": link.subject, "label": link.label,
            "created_at": link.created_at.to_string() })
        })
        .collect();
    if let Some(user) = user.as_object_mut() {
        user.insert("groups".to_owned(), groups.into());
        user.insert("links".to_owned(), links.into());
    }
    Ok(answer(StatusCode::OK, user))
}

/// Changes what is sent of a user.
pub(crate) async fn change(State(api): State<Api>, call: Call, Path(id): Path<String>, body: Body) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let written: Written = agamid_identity::json::read(document(body).await?).map_err(refuse)?;
    let found = found(&api, &id).await?;
    if written.organisation.is_some() {
        return Err(invalid("organisation", "a user stays in their organisation").into());
    }
    check_administrators(&caller, found.record.administrator || written.administrator == Some(true))?;
    let changes = Changes {
        username: written.username,
        status: written.status.map(status).transpose()?,
        administrator: written.administrator,
        source: None,
        attributes: written.attributes,
    };
    // Whoever was made an administrator since then is not changed by somebody who may not.
    let seen = (!may_administrators(&caller)).then_some(found.version);
    let expected = written.version.or(seen);
    let by = (Writer::Administrator, actor(&caller));
    let changed = api.identity.persons.update(&OrgScope::All, &found.record.id, &changes, expected, by).await;
    Ok(answer(StatusCode::OK, shown(&changed.map_err(refuse)?)))
}

/// Deletes a user and everything of theirs.
pub(crate) async fn delete(State(api): State<Api>, call: Call, Path(id): Path<String>) -> Answer {
    let caller = call.by(&api, WRITE).await?;
    let found = found(&api, &id).await?;
    check_administrators(&caller, found.record.administrator)?;
    let expected = (!may_administrators(&caller)).then_some(found.version);
    let persons = &api.identity.persons;
    let deleted = persons.delete(&OrgScope::All, &found.record.id, expected, actor(&caller)).await;
    deleted.map_err(refuse)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn found(api: &Api, id: &str) -> Result<Versioned<Person>, ErrorResponse> {
    let Some(id) = PersonId::parse(id) else { return Err(no_such("user").into()) };
    let found = api.identity.persons.versioned(&OrgScope::All, &id).await.map_err(refuse)?;
    found.ok_or_else(|| no_such("user").into())
}

fn check_administrators(caller: &Caller, concerned: bool) -> Result<(), ErrorResponse> {
    people::check_administrators(caller, concerned).map_err(|refused| (*refused).into())
}

fn status(written: Status) -> Result<AccountStatus, ErrorResponse> {
    Ok(match written {
        Status::Active => AccountStatus::Active,
        Status::Pending => AccountStatus::Pending,
        Status::Disabled { reason, until } => {
            let wrong = || invalid("status.until", "must be a time like 2026-03-01T12:00:00Z");
            let until = until.map(|text| Timestamp::parse(&text).ok_or_else(wrong)).transpose()?;
            AccountStatus::Disabled { reason, until }
        }
    })
}

fn shown(found: &Versioned<Person>) -> Value {
    let person = &found.record;
    let status = match &person.status {
        AccountStatus::Active => json!({ "state": "active" }),
        AccountStatus::Pending => json!({ "state": "pending" }),
        AccountStatus::Deleting => json!({ "state": "deleting" }),
        AccountStatus::Disabled { reason, until } => json!({
            "state": "disabled", "reason": reason, "until": until.map(|until| until.to_string()),
        }),
    };
    let directory = match &person.source {
        Source::Local => None,
        Source::Directory { name } => Some(name),
    };
    json!({
        "id": person.id, "organisation": person.organisation, "username": person.username, "status": status,
        "directory": directory, "administrator": person.administrator, "attributes": person.attributes,
        "version": found.version, "created_at": person.created_at.to_string(),
        "updated_at": person.updated_at.to_string(),
    })
}
