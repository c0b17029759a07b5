//! What an application is told of a person (OpenID Connect Core section 5.1).

use serde_json::{Map, Value};

use super::{Attribute, ClaimForm};
use crate::person::Person;

/// What says of one of several values which it is, and is no part of the claim.
const MARKS: [&str; 5] = ["primary", "type", "display", "verified", "verified_at"];

impl Attribute {
    /// Whether an application with these scopes gets it.
    pub fn is_released(&self, client: &str, scopes: &[String]) -> bool {
        self.is_for(client) && scopes.iter().any(|scope| self.scopes.contains(scope))
    }

    /// Whether an application may get it at all.
    pub fn is_for(&self, client: &str) -> bool {
        self.clients.is_empty() || self.clients.contains(client)
    }

    /// The claim's value; `groups` are the names of those that the person is in.
    pub fn claim_of(&self, person: &Person, groups: &[String]) -> Option<Value> {
        if !self.core {
            return form(self.claim_form, person.attributes.get(&self.name)?);
        }
        match self.name.as_str() {
            "username" => Some(person.username.clone().into()),
            "name" => Some(person.display_name().into()),
            "preferred_username" => {
                Some(person.text("preferred_username").unwrap_or(&person.username).into())
            }
            "email_verified" => person.primary("emails").map(is_verified),
            "phone_number_verified" => person.primary("phones").map(is_verified),
            "updated_at" => Some(person.updated_at.seconds().into()),
            "groups" => (!groups.is_empty()).then(|| groups.into()),
            name => form(self.claim_form, person.attributes.get(name)?),
        }
    }
}

fn is_verified(value: &Map<String, Value>) -> Value {
    (value.get("verified") == Some(&Value::Bool(true))).into()
}

fn form(form: ClaimForm, value: &Value) -> Option<Value> {
    match (form, value) {
        (ClaimForm::Whole, value) => Some(value.clone()),
        (ClaimForm::Primary, Value::Array(list)) => primary(list).map(bare),
        (ClaimForm::Primary, value) => Some(bare(value)),
    }
}

/// The primary one of several, else the first.
pub(crate) fn primary(list: &[Value]) -> Option<&Value> {
    list.iter().find(|value| value.get("primary") == Some(&Value::Bool(true))).or(list.first())
}

fn bare(value: &Value) -> Value {
    let Value::Object(object) = value else { return value.clone() };
    if let Some(value) = object.get("value") {
        return value.clone();
    }
    let parts = object.iter().filter(|(name, _)| !MARKS.contains(&name.as_str()));
    Value::Object(parts.map(|(name, value)| (name.clone(), value.clone())).collect())
}
