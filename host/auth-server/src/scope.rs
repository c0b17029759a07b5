//! Scopes and claims: what they give, in words and in values.

use agamid_identity::Person;
use serde_json::{Map, Value, json};

use crate::claims_parameter::RequestedClaims;
use crate::client::Client;

/// A scope that the server knows.
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// The claims it gives.
    pub(crate) claims: &'static [&'static str],
}

/// Asks for tokens that outlive the browser session (OpenID Connect Core section 11).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes of OpenID Connect Core sections 5.4 and 11.
pub(crate) const STANDARD: [Scope; 5] = [
    Scope {
        name: "openid",
        title: "Who you are",
        description: "A number that stands for you, and that you signed in.",
        claims: &[],
    },
    Scope {
        name: "profile",
        title: "Your profile",
        description: "Your name, language and picture.",
        claims: &[
            "name",
            "given_name",
            "family_name",
            "preferred_username",
            "locale",
            "picture",
            "updated_at",
        ],
    },
    Scope {
        name: "email",
        title: "Your e-mail address",
        description: "The address, and whether it is confirmed.",
        claims: &["email", "email_verified"],
    },
    Scope {
        name: "phone",
        title: "Your phone number",
        description: "The number you have given.",
        claims: &["phone_number"],
    },
    Scope {
        name: OFFLINE_ACCESS,
        title: "Access while you are away",
        description: "It may go on after you have signed out here.",
        claims: &[],
    },
];

/// Whether a scope lets its holder administer the server.
pub(crate) fn is_administrative(scope: &str) -> bool {
    scope.starts_with("config.")
}

fn known(name: &str) -> Option<&'static Scope> {
    STANDARD.iter().find(|scope| scope.name == name)
}

/// The scope that gives a claim.
fn scope_of(claim: &str) -> Option<&'static Scope> {
    STANDARD.iter().find(|scope| scope.claims.contains(&claim))
}

/// The start of the names under which single claims are allowed.
const SINGLE: &str = "claim:";

/// What a person is asked to allow: the scopes, and the claims asked for that no scope of these gives.
pub(crate) fn consent_items(scopes: &[String], claims: &RequestedClaims) -> Vec<String> {
    let mut items = scopes.to_vec();
    for name in claims.names() {
        let scope = scope_of(&name).map(|scope| scope.name);
        if scope.is_some_and(|scope| !scopes.iter().any(|asked| asked == scope)) {
            items.push(format!("{SINGLE}{name}"));
        }
    }
    items
}

/// Something to allow, as the consent page shows it.
pub(crate) fn shown(item: &str) -> Value {
    if let Some(claim) = item.strip_prefix(SINGLE) {
        let title = scope_of(claim).map_or("A detail about you", |scope| scope.title);
        return json!({ "name": title, "description": format!("Only: {}.", claim.replace('_', " ")) });
    }
    match known(item) {
        Some(known) => json!({ "name": known.title, "description": known.description }),
        None => json!({ "name": item, "description": "A permission of this server." }),
    }
}

/// All claims about people that this server has.
pub(crate) fn claim_names() -> impl Iterator<Item = &'static str> {
    STANDARD.iter().flat_map(|scope| scope.claims.iter().copied())
}

fn value(person: &Person, claim: &str) -> Option<Value> {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    match claim {
        "name" => Some(person.display_name().into()),
        "given_name" => text(&person.given_name),
        "family_name" => text(&person.family_name),
        "preferred_username" => Some(person.username.clone().into()),
        "locale" => text(&person.locale),
        "picture" => text(&person.picture),
        "updated_at" => Some(person.updated_at.seconds().into()),
        "email" => text(&person.email),
        "email_verified" => person.email.is_some().then(|| person.email_verified.into()),
        "phone_number" => text(&person.phone),
        _ => None,
    }
}

/// The claims that scopes give of a person.
pub(crate) fn claims(person: &Person, scopes: &[String]) -> Map<String, Value> {
    let names = scopes.iter().filter_map(|scope| known(scope)).flat_map(|scope| scope.claims);
    names.filter_map(|name| Some(((*name).to_owned(), value(person, name)?))).collect()
}

/// Claims asked for by name, as far as the client may have the scopes that give them.
pub(crate) fn single_claims(person: &Person, client: &Client, names: &[String]) -> Map<String, Value> {
    let allowed = |name: &&String| {
        scope_of(name).is_some_and(|scope| client.scopes.iter().any(|known| known == scope.name))
    };
    names.iter().filter(allowed).filter_map(|name| Some((name.clone(), value(person, name)?))).collect()
}
