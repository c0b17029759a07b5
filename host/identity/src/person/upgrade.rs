//! Documents of older schemas.

use agamid_core::id::OrgId;
use serde_json::{Map, Value, json};

use crate::attribute::Schema;
use crate::attribute::entries::{self, Entries};

/// Members of schema 1 that are attributes by the same name now.
const SAME: [&str; 5] = ["given_name", "family_name", "name", "locale", "picture"];

/// Schema 1 had a few members of its own; what it called attributes nobody could write.
pub(super) fn from_1(mut document: Value) -> Value {
    let Some(person) = document.as_object_mut() else { return document };
    let mut take = |name: &str| person.remove(name).filter(|value| !value.is_null());
    let mut attributes = match take("attributes") {
        Some(Value::Object(attributes)) => attributes,
        _ => Map::new(),
    };
    attributes.retain(|name, _| Schema::core().get(name).is_none());
    for name in SAME {
        attributes.extend(take(name).map(|value| (name.to_owned(), value)));
    }
    let verified = take("email_verified").unwrap_or(Value::Bool(false));
    if let Some(mail) = take("email") {
        let mail = json!([{ "value": mail, "primary": true, "verified": verified }]);
        attributes.insert("emails".to_owned(), mail);
    }
    if let Some(phone) = take("phone") {
        let phone = json!([{ "value": phone, "primary": true, "verified": false }]);
        attributes.insert("phones".to_owned(), phone);
    }
    let state = if take("disabled") == Some(Value::Bool(true)) { "disabled" } else { "active" };
    let organisation = person.get("organisation").and_then(Value::as_str).and_then(OrgId::parse);
    let entries = organisation.map_or_else(Entries::default, |organisation| {
        entries::of(&Schema::core(), &organisation, &attributes, &Entries::default(), None)
    });
    person.insert("status".to_owned(), json!({ "state": state }));
    person.insert("source".to_owned(), json!({ "kind": "local" }));
    person.entry("administrator").or_insert(false.into());
    person.insert("entries".to_owned(), json!(entries));
    person.insert("attributes".to_owned(), attributes.into());
    document
}
