//! Scopes: what they give, in words and in claims.

use agamid_identity::Person;
use serde_json::{Map, Value, json};

/// A scope that the server knows.
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
}

/// The scopes of OpenID Connect Core section 5.4.
pub(crate) const STANDARD: [Scope; 4] = [
    Scope {
        name: "openid",
        title: "Who you are",
        description: "A number that stands for you, and that you signed in.",
    },
    Scope { name: "profile", title: "Your profile", description: "Your name, language and picture." },
    Scope {
        name: "email",
        title: "Your e-mail address",
        description: "The address, and whether it is confirmed.",
    },
    Scope { name: "phone", title: "Your phone number", description: "The number you have given." },
];

/// Whether a scope lets its holder administer the server.
pub(crate) fn is_administrative(scope: &str) -> bool {
    scope.starts_with("config.")
}

/// A scope as the consent page shows it.
pub(crate) fn shown(scope: &str) -> Value {
    match STANDARD.iter().find(|known| known.name == scope) {
        Some(known) => json!({ "name": known.title, "description": known.description }),
        None => json!({ "name": scope, "description": "A permission of this server." }),
    }
}

/// The claims that scopes give of a person.
pub(crate) fn claims(person: &Person, scopes: &[String]) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::from);
    for scope in scopes {
        match scope.as_str() {
            "profile" => {
                put("name", Some(person.display_name().into()));
                put("given_name", text(&person.given_name));
                put("family_name", text(&person.family_name));
                put("preferred_username", Some(person.username.clone().into()));
                put("locale", text(&person.locale));
                put("picture", text(&person.picture));
                put("updated_at", Some(person.updated_at.seconds().into()));
            }
            "email" if person.email.is_some() => {
                put("email", text(&person.email));
                put("email_verified", Some(person.email_verified.into()));
            }
            "phone" => put("phone_number", text(&person.phone)),
            _ => {}
        }
    }
    claims
}
