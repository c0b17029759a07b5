//! What a person is found by. The entries are kept in the person's record: what an operator defined is known only to
//! who writes it.

use agamid_core::id::OrgId;
use agamid_core::secret::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check::{identity, values};
use super::definition::State;
use super::{Attribute, Schema};

/// Values longer than this are found by their hash: an index entry has its limits.
const LONGEST: usize = 256;
/// What stands before such a hash: no value begins like this.
const HASHED: char = '\u{1}';

/// The entries of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entries {
    /// Those that nobody else may have.
    pub(crate) unique: Vec<String>,
    /// Those that others may have too.
    pub(crate) shared: Vec<String>,
}

/// What follows the organisation in the entry of a value, as it is compared.
pub(crate) fn suffix(attribute: &str, identity: &str) -> String {
    if identity.len() > LONGEST {
        return format!("{attribute}/{HASHED}{}", sha256_hex(identity.as_bytes()));
    }
    format!("{attribute}/{identity}")
}

/// The entry of one value, as it is compared.
fn entry(organisation: &OrgId, attribute: &str, identity: &str) -> String {
    format!("{organisation}/{}", suffix(attribute, identity))
}

/// The attribute of an entry.
pub(crate) fn attribute_of(entry: &str) -> &str {
    entry.split('/').nth(1).unwrap_or_default()
}

/// The entries of an attribute's values.
pub(crate) fn of_attribute(organisation: &OrgId, attribute: &Attribute, value: &Value) -> Vec<String> {
    let identities = values(value).iter().filter_map(|value| identity(attribute, value));
    identities.map(|identity| entry(organisation, &attribute.name, &identity)).collect()
}

/// The entries of all attributes. Those of an attribute whose definition is being changed stay as they are in `old`:
/// whoever changes it writes them. `unique_mail` is an address that no other person may have as their primary one.
pub(crate) fn of(
    schema: &Schema,
    organisation: &OrgId,
    attributes: &Map<String, Value>,
    old: &Entries,
    unique_mail: Option<&str>,
) -> Entries {
    let mut entries = Entries::default();
    for (name, value) in attributes {
        let Some(attribute) = schema.get(name) else { continue };
        if schema.state(name) != Some(State::Settled) {
            let theirs = |entry: &&String| attribute_of(entry) == name;
            entries.unique.extend(old.unique.iter().filter(theirs).cloned());
            entries.shared.extend(old.shared.iter().filter(theirs).cloned());
            continue;
        }
        if attribute.unique {
            entries.unique.extend(of_attribute(organisation, attribute, value));
        }
        if attribute.unique || attribute.searchable {
            entries.shared.extend(of_attribute(organisation, attribute, value));
        }
    }
    if let Some(mail) = unique_mail {
        let mail = super::check::folded(mail, false);
        entries.unique.push(entry(organisation, "emails", &mail));
    }
    for list in [&mut entries.unique, &mut entries.shared] {
        list.sort();
        list.dedup();
    }
    entries
}
