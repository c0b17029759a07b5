//! `agamid user`, `agamid group`, `agamid attribute`, `agamid org`: the same five verbs for four resources of the admin
//! API of a running server.

use reqwest::Method;
use serde_json::{Map, Value};

use crate::admin_client::AdminClient;
use crate::cli::{RecordOptions, RecordTool};
use crate::{Exit, out};

/// A resource of the admin API.
pub(crate) struct Resource {
    /// Its last part of the path, of the scopes and the member of a list.
    name: &'static str,
    /// The member that holds a record's name.
    title: &'static str,
    /// The member that holds its id.
    id: &'static str,
    /// Members of a record itself; all others are in `attributes`. Everything is its own where this is empty.
    own: &'static [&'static str],
}

/// Persons.
pub(crate) const USERS: Resource = Resource {
    name: "users",
    title: "username",
    id: "id",
    own: &["username", "organisation", "status", "administrator", "version"],
};
/// Groups.
pub(crate) const GROUPS: Resource = Resource { name: "groups", title: "display_name", id: "id", own: &[] };
/// Attributes of persons.
pub(crate) const ATTRIBUTES: Resource = Resource { name: "attributes", title: "name", id: "name", own: &[] };
/// Organisations.
pub(crate) const ORGANISATIONS: Resource =
    Resource { name: "organisations", title: "name", id: "id", own: &[] };

/// Does it, and prints what comes back.
pub(crate) async fn record(resource: &Resource, options: RecordOptions) -> Result<(), Exit> {
    let base = format!("/config/v1/{}", resource.name);
    let one = |id: &str| -> String {
        let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        format!("{base}/{id}")
    };
    let (method, path, document) = match &options.tool {
        RecordTool::List { parameters } => (Method::GET, with_query(&base, parameters)?, None),
        RecordTool::Show { id } => (Method::GET, one(id), None),
        RecordTool::Create { name, members } => {
            let mut document = document(resource, members)?;
            document.insert(resource.title.to_owned(), name.clone().into());
            (Method::POST, base.clone(), Some(document))
        }
        RecordTool::Set { id, members } => (Method::PATCH, one(id), Some(document(resource, members)?)),
        RecordTool::Delete { id } => (Method::DELETE, one(id), None),
    };
    let verb = if method == Method::GET { "read" } else { "write" };
    let scope = format!("config.{}.{verb}", resource.name);
    let client = AdminClient::new(&options.server, &scope)?;
    let answer = client.send(method, &path, document.map(Value::Object).as_ref()).await?;
    if answer.is_null() {
        return Ok(());
    }
    if options.json {
        out::line(&answer.to_string());
        return Ok(());
    }
    let Some(list) = answer.get(resource.name).and_then(Value::as_array) else {
        let text = serde_json::to_string_pretty(&answer).map_err(|error| Exit::Failed(error.to_string()))?;
        out::line(&text);
        return Ok(());
    };
    for found in list {
        let text = |member: &str| found.get(member).and_then(Value::as_str).unwrap_or_default();
        out::line(format!("{:<26}  {}", text(resource.id), text(resource.title)).trim_end());
    }
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        out::line(&format!("more: after={next}"));
    }
    Ok(())
}

fn pair(text: &str) -> Result<(&str, &str), Exit> {
    text.split_once('=').ok_or_else(|| Exit::Usage(format!("{text:?} is not NAME=VALUE")))
}

fn with_query(path: &str, parameters: &[String]) -> Result<String, Exit> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for parameter in parameters {
        let (name, value) = pair(parameter)?;
        query.append_pair(name, value);
    }
    let query = query.finish();
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}

fn document(resource: &Resource, members: &[String]) -> Result<Map<String, Value>, Exit> {
    let mut document = Map::new();
    let mut attributes = Map::new();
    for member in members {
        let (name, text) = pair(member)?;
        let value = match text {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        if resource.own.is_empty() || resource.own.contains(&name) {
            document.insert(name.to_owned(), value);
        } else {
            attributes.insert(name.to_owned(), value);
        }
    }
    if !attributes.is_empty() {
        document.insert("attributes".to_owned(), attributes.into());
    }
    Ok(document)
}
