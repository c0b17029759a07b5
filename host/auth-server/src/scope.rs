//! Scopes and claims: what they give, in words and in values. Which claim a scope gives is said by the table of person
//! attributes ([`agamid_identity::Schema`]).

use agamid_identity::{Attribute, OrgScope, Person, Schema};
use serde_json::{Map, Value, json};

use crate::AuthServer;
use crate::claims_parameter::RequestedClaims;
use crate::client::Client;
use crate::error::OauthError;

/// A scope that every server knows.
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// Whether clients that register themselves may have it.
    pub(crate) is_open: bool,
}

/// Asks for tokens that outlive the browser session (OpenID Connect Core section 11).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes of OpenID Connect Core sections 5.4 and 11, and `groups`.
pub(crate) const STANDARD: [Scope; 7] = [
    Scope {
        name: "openid",
        title: "Who you are",
        description: "A number that stands for you, and that you signed in.",
        is_open: true,
    },
    Scope {
        name: "profile",
        title: "Your profile",
        description: "Your name, language and picture, and what else you tell of yourself.",
        is_open: true,
    },
    Scope {
        name: "email",
        title: "Your e-mail address",
        description: "The address, and whether it is confirmed.",
        is_open: true,
    },
    Scope {
        name: "phone",
        title: "Your phone number",
        description: "The number you have given, and whether it is confirmed.",
        is_open: true,
    },
    Scope {
        name: "address",
        title: "Your postal address",
        description: "The address where you live or work.",
        is_open: true,
    },
    Scope {
        name: "groups",
        title: "Your groups",
        description: "The groups that you are in.",
        is_open: false,
    },
    Scope {
        name: OFFLINE_ACCESS,
        title: "Access while you are away",
        description: "It may go on after you have signed out here.",
        is_open: true,
    },
];

/// Whether a scope lets its holder administer the server.
pub(crate) fn is_administrative(scope: &str) -> bool {
    scope.starts_with("config.")
}

fn known(name: &str) -> Option<&'static Scope> {
    STANDARD.iter().find(|scope| scope.name == name)
}

/// Whether a scope is about a person: it means nothing where a client acts for itself.
pub(crate) fn is_about_people(schema: &Schema, scope: &str) -> bool {
    known(scope).is_some() || schema.scopes().contains(scope)
}

/// All scopes that this server knows by itself: the standard ones, and those that release an attribute.
pub(crate) fn names(schema: &Schema) -> Vec<String> {
    let mut names: Vec<String> = STANDARD.iter().map(|scope| scope.name.to_owned()).collect();
    let others = schema.scopes().into_iter().filter(|name| known(name).is_none());
    names.extend(others.map(str::to_owned));
    names
}

/// The start of the names under which single claims are allowed.
const SINGLE: &str = "claim:";

/// What a person is asked to allow: the scopes, and the claims asked for that no scope of these gives.
pub(crate) fn consent_items(schema: &Schema, scopes: &[String], claims: &RequestedClaims) -> Vec<String> {
    let mut items = scopes.to_vec();
    for name in claims.names() {
        let is_covered = |attribute: &Attribute| scopes.iter().any(|scope| attribute.scopes.contains(scope));
        if schema.claim(&name).is_some_and(|attribute| !is_covered(attribute)) {
            items.push(format!("{SINGLE}{name}"));
        }
    }
    items
}

/// Something to allow, as the consent page shows it.
pub(crate) fn shown(schema: &Schema, item: &str) -> Value {
    if let Some(claim) = item.strip_prefix(SINGLE) {
        let scopes = schema.claim(claim).into_iter().flat_map(|attribute| &attribute.scopes);
        let title = scopes.filter_map(|scope| known(scope)).next();
        let title = title.map_or("A detail about you", |scope| scope.title);
        return json!({ "name": title, "description": format!("Only: {}.", claim.replace('_', " ")) });
    }
    if let Some(known) = known(item) {
        return json!({ "name": known.title, "description": known.description });
    }
    let released = schema.released().filter(|(_, attribute)| attribute.scopes.contains(item));
    let released: Vec<String> = released.map(|(claim, _)| claim.replace('_', " ")).collect();
    if released.is_empty() {
        return json!({ "name": item, "description": "A permission of this server." });
    }
    json!({ "name": item, "description": format!("About you: {}.", released.join(", ")) })
}

/// All claims about people that this server has.
pub(crate) fn claim_names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.released().map(|(claim, _)| claim)
}

impl AuthServer {
    /// The claims of a person that a client gets by its scopes, and those it asked for by name as far as it may have a
    /// scope that gives them.
    pub(crate) async fn claims(
        &self,
        person: &Person,
        client: &Client,
        scopes: &[String],
        names: &[String],
    ) -> Result<Map<String, Value>, OauthError> {
        let schema = self.identity().attributes.schema().await?;
        let released: Vec<(&str, &Attribute)> = schema
            .released()
            .filter(|(claim, attribute)| {
                let is_asked = names.iter().any(|name| name == claim);
                attribute.is_released(&client.client_id, scopes)
                    || is_asked && attribute.is_released(&client.client_id, &client.scopes)
            })
            .collect();
        let mut groups = Vec::new();
        if released.iter().any(|(_, attribute)| attribute.core && attribute.name == "groups") {
            let scope = OrgScope::One(person.organisation.clone());
            let effective = self.identity().groups.effective(&scope, &person.id).await?;
            if effective.is_cut {
                tracing::warn!(event = "claims.groups_cut", person = %person.id, groups = effective.groups.len());
            }
            groups = effective.names();
        }
        let values = released.into_iter();
        Ok(values
            .filter_map(|(claim, attribute)| Some((claim.to_owned(), attribute.claim_of(person, &groups)?)))
            .collect())
    }
}
