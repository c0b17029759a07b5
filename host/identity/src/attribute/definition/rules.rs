//! What a definition may say.

use serde_json::Value;

use crate::IdentityError;
use crate::attribute::{Access, Attribute, AttributeType, ClaimForm, Format, Schema};

/// Claims that mean something else (OpenID Connect Core section 2, RFC 7519, RFC 9068).
const RESERVED_CLAIMS: [&str; 26] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "sid",
    "at_hash",
    "c_hash",
    "s_hash",
    "events",
    "client_id",
    "scope",
    "cnf",
    "act",
    "may_act",
    "typ",
    "authorization_details",
    "_claim_names",
    "_claim_sources",
];
/// Names of a person's own members.
const RESERVED_NAMES: [&str; 10] = [
    "id",
    "sub",
    "organisation",
    "status",
    "source",
    "administrator",
    "attributes",
    "password",
    "version",
    "created_at",
];

pub(super) fn wrong(field: &str, reason: String) -> IdentityError {
    IdentityError::Definition { field: field.to_owned(), reason }
}

/// A small letter, then small letters, digits and underscores; at most 64.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Reads a definition.
pub(super) fn read(json: Value) -> Result<Attribute, IdentityError> {
    let mut attribute: Attribute = crate::json::read(json)?;
    if attribute.label.is_empty() {
        attribute.label = format!("attribute.{}", attribute.name);
    }
    Ok(attribute)
}

/// A definition with some members changed.
pub(super) fn merged(before: &Attribute, json: &Value) -> Result<Attribute, IdentityError> {
    let Value::Object(changes) = json else {
        return Err(wrong("attribute", "must be an object of members to change".to_owned()));
    };
    let failed = |error: serde_json::Error| wrong("attribute", error.to_string());
    let mut all = serde_json::to_value(before).map_err(failed)?;
    if let Some(all) = all.as_object_mut() {
        for (member, value) in changes {
            all.insert(member.clone(), value.clone());
        }
    }
    let attribute = read(all)?;
    if attribute.name != before.name {
        return Err(wrong("name", "an attribute can't be renamed: define another one".to_owned()));
    }
    Ok(attribute)
}

/// Whether values of the one would be none of the other.
pub(super) fn is_another_shape(before: &Attribute, after: &Attribute) -> bool {
    let shape = |a: &Attribute| {
        let parts: Vec<_> = a.sub_attributes.iter().map(|sub| (sub.name.clone(), sub.kind)).collect();
        (a.kind, a.multi_valued, a.case_exact, parts)
    };
    shape(before) != shape(after)
}

/// Everything that types can't say, and that nothing clashes with another attribute.
pub(super) fn check(attribute: &Attribute, schema: &Schema) -> Result<(), IdentityError> {
    let Attribute { name, .. } = attribute;
    if !is_name(name) {
        let reason = "is a small letter, then small letters, digits and underscores, at most 64 in all";
        return Err(wrong("name", reason.to_owned()));
    }
    if attribute.core || attribute.derived {
        return Err(wrong("core", "can't be defined: leave core and derived out".to_owned()));
    }
    if RESERVED_NAMES.contains(&name.as_str()) || Schema::core().get(name).is_some() {
        return Err(wrong("name", format!("{name} is a core attribute of persons: choose another name")));
    }
    check_limits(attribute)?;
    check_parts(attribute)?;
    check_release(attribute, schema)?;
    check_scim(attribute, schema)
}

fn check_limits(attribute: &Attribute) -> Result<(), IdentityError> {
    if !(1..=8192).contains(&attribute.max_length) {
        return Err(wrong("max_length", "is 1 to 8192 characters".to_owned()));
    }
    if !(1..=1000).contains(&attribute.max_values) {
        return Err(wrong("max_values", "is 1 to 1000".to_owned()));
    }
    if attribute.format != Format::Any && attribute.kind != AttributeType::Text {
        return Err(wrong("format", "is for text".to_owned()));
    }
    if attribute.write == Access::Nobody {
        return Err(wrong("write", "is person or administrator: somebody has to write it".to_owned()));
    }
    let is_text = |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
    if !is_text(&attribute.label, 200) {
        return Err(wrong("label", "has at most 200 bytes and no control characters".to_owned()));
    }
    Ok(())
}

fn check_parts(attribute: &Attribute) -> Result<(), IdentityError> {
    let is_complex = attribute.kind == AttributeType::Complex;
    if is_complex == attribute.sub_attributes.is_empty() {
        return Err(wrong("sub_attributes", "are for the type complex, which needs them".to_owned()));
    }
    if attribute.sub_attributes.len() > 50 {
        return Err(wrong("sub_attributes", "are 50 at most".to_owned()));
    }
    for (at, sub) in attribute.sub_attributes.iter().enumerate() {
        let field = format!("sub_attributes[{at}].name");
        if !is_name(&sub.name) {
            return Err(wrong(&field, "has small letters, digits and underscores".to_owned()));
        }
        if attribute.sub_attributes.iter().filter(|other| other.name == sub.name).count() > 1 {
            return Err(wrong(&field, format!("{} is there twice", sub.name)));
        }
        if sub.kind == AttributeType::Complex || !(1..=8192).contains(&sub.max_length) {
            let reason = "is not complex, and max_length is 1 to 8192";
            return Err(wrong(&format!("sub_attributes[{at}].type"), reason.to_owned()));
        }
        if sub.write == Access::Nobody {
            return Err(wrong(&field, "write is person or administrator".to_owned()));
        }
    }
    if is_complex && (attribute.unique || attribute.searchable) && !attribute.has_value() {
        let reason = "a complex attribute is found by its sub-attribute value: it needs one";
        return Err(wrong("sub_attributes", reason.to_owned()));
    }
    Ok(())
}

fn check_release(attribute: &Attribute, schema: &Schema) -> Result<(), IdentityError> {
    let Some(claim) = &attribute.claim else {
        if attribute.scopes.is_empty() && attribute.clients.is_empty() {
            return Ok(());
        }
        return Err(wrong("claim", "is the name under which scopes and clients get it: set it".to_owned()));
    };
    let is_token = |text: &str, more: &str| {
        (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !is_token(claim, "_-.:/#") || RESERVED_CLAIMS.contains(&claim.as_str()) {
        return Err(wrong(
            "claim",
            format!("{claim} is reserved, or has other characters than A-Z a-z 0-9 _-.:/#"),
        ));
    }
    if let Some(other) = schema.claim(claim).filter(|other| other.name != attribute.name) {
        return Err(wrong("claim", format!("{claim} is the claim of {}", other.name)));
    }
    for scope in &attribute.scopes {
        let is_other = ["openid", "offline_access"].contains(&scope.as_str()) || scope.starts_with("config.");
        if is_other || !is_token(scope, "_-.:/") {
            let reason = format!("{scope} can't release attributes: use profile, or a scope of your own");
            return Err(wrong("scopes", reason));
        }
    }
    if attribute.scopes.len() > 20 || attribute.clients.len() > 1000 {
        return Err(wrong("scopes", "20 scopes and 1000 clients at most".to_owned()));
    }
    if attribute.claim_form == ClaimForm::Primary && !attribute.multi_valued {
        return Err(wrong("claim_form", "primary is for what has several values".to_owned()));
    }
    Ok(())
}

fn check_scim(attribute: &Attribute, schema: &Schema) -> Result<(), IdentityError> {
    let Some(path) = &attribute.scim else { return Ok(()) };
    let is_path = path.starts_with("urn:")
        && path.len() <= 256
        && path.chars().all(|c| c.is_ascii_alphanumeric() || ":.-_$".contains(c));
    if !is_path {
        let reason = "is the URN of an extension, a colon and a name: urn:example:2.0:User:badge";
        return Err(wrong("scim", reason.to_owned()));
    }
    let same = |other: &&Attribute| {
        other.name != attribute.name
            && other.scim.as_ref().is_some_and(|scim| scim.eq_ignore_ascii_case(path))
    };
    match schema.all().find(same) {
        Some(other) => Err(wrong("scim", format!("{path} is the path of {}", other.name))),
        None => Ok(()),
    }
}
