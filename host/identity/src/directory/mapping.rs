//! What becomes of an entry: its stable id, and the attributes of a person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::is_attribute;

/// The longest stable id, in bytes.
const MAX_ID: usize = 128;
/// The longest value that is taken over, in bytes.
const MAX_VALUE: usize = 1024;
/// Values of one attribute that are taken over.
const MAX_VALUES: usize = 100;

/// An entry as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it is.
    pub(super) dn: String,
    /// Its attributes, names in lower case.
    pub(super) attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

/// Several attributes of the directory that become one of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Attributes of the directory, in order.
    pub from: Vec<String>,
    /// `username`, `email`, `phone`, `given_name`, `family_name`, `name`, `locale`, `picture`, or a custom attribute.
    pub to: String,
    /// Which of the values.
    #[serde(default)]
    pub take: Take,
}

/// Which values a rule takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// The first value of the first attribute that has one.
    #[default]
    First,
    /// The first value of each attribute, with a blank between them.
    Join,
    /// All values of all attributes, as a list; for custom attributes.
    All,
}

/// The attributes of a person that hold one text each.
const CORE: [&str; 8] =
    ["username", "email", "phone", "given_name", "family_name", "name", "locale", "picture"];

/// What the entry of an inetOrgPerson (RFC 2798) becomes.
pub(super) fn default_rules() -> Vec<Rule> {
    let rule = |from: &[&str], to: &str| Rule {
        from: from.iter().map(|name| (*name).to_owned()).collect(),
        to: to.to_owned(),
        take: Take::First,
    };
    vec![
        rule(&["uid"], "username"),
        rule(&["mail"], "email"),
        rule(&["givenName"], "given_name"),
        rule(&["sn"], "family_name"),
        rule(&["displayName", "cn"], "name"),
        rule(&["preferredLanguage"], "locale"),
    ]
}

impl Rule {
    pub(super) fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.to.is_empty() || self.to.len() > 64 || !self.to.chars().all(plain) {
            return Err(format!("{:?} is no attribute of a person: 1 to 64 of a-z, 0-9 and _", self.to));
        }
        if self.from.is_empty() || !self.from.iter().all(|name| is_attribute(name)) {
            return Err(format!("what becomes {:?} names no attributes of the directory", self.to));
        }
        if self.take == Take::All && CORE.contains(&self.to.as_str()) {
            return Err(format!("{:?} holds one value: take \"first\" or \"join\"", self.to));
        }
        Ok(())
    }
}

/// What the rules made of an entry; `None` says that the entry has nothing for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mapped {
    /// One text each, by the person's attribute.
    pub(super) core: BTreeMap<&'static str, Option<String>>,
    /// Custom attributes.
    pub(super) custom: BTreeMap<String, Option<Value>>,
}

impl Entry {
    /// The values of an attribute that are text fit to be taken over.
    pub(super) fn texts(&self, attribute: &str) -> impl Iterator<Item = &str> {
        let values = self.attributes.get(&attribute.to_ascii_lowercase());
        values.into_iter().flatten().take(MAX_VALUES).filter_map(|value| {
            let text = std::str::from_utf8(value).ok()?.trim();
            let fits = !text.is_empty() && text.len() <= MAX_VALUE && !text.chars().any(char::is_control);
            fits.then_some(text)
        })
    }

    /// The stable id as it is kept: `t:` and the text, or `x:` and the bytes in hex. `None` when the entry has not exactly
    /// one of a fitting length.
    pub(super) fn stable_id(&self, attribute: &str) -> Option<String> {
        let [value] = self.attributes.get(&attribute.to_ascii_lowercase())?.as_slice() else { return None };
        if value.is_empty() || value.len() > MAX_ID {
            return None;
        }
        if let (true, Ok(text)) = (value.iter().all(u8::is_ascii_graphic), std::str::from_utf8(value)) {
            return Some(format!("t:{text}"));
        }
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("x:{hex}"))
    }

    /// What the rules make of the entry. Of several rules for one attribute the first that finds something counts.
    pub(super) fn mapped(&self, rules: &[Rule]) -> Mapped {
        let mut mapped = Mapped::default();
        for rule in rules {
            let firsts = rule.from.iter().filter_map(|name| self.texts(name).next());
            let value = match rule.take {
                Take::First => firsts.map(str::to_owned).next(),
                Take::Join => Some(firsts.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty()),
                Take::All => None,
            };
            if let Some(core) = CORE.iter().find(|core| **core == rule.to) {
                let slot = mapped.core.entry(core).or_default();
                *slot = slot.take().or(value);
                continue;
            }
            let value = if rule.take == Take::All {
                let all: Vec<Value> = rule
                    .from
                    .iter()
                    .flat_map(|name| self.texts(name))
                    .take(MAX_VALUES)
                    .map(Value::from)
                    .collect();
                (!all.is_empty()).then_some(Value::Array(all))
            } else {
                value.map(Value::String)
            };
            let slot = mapped.custom.entry(rule.to.clone()).or_default();
            *slot = slot.take().or(value);
        }
        mapped
    }
}

/// The bytes of a stable id as it is kept.
pub(super) fn stable_bytes(kept: &str) -> Option<Vec<u8>> {
    if let Some(text) = kept.strip_prefix("t:") {
        return Some(text.as_bytes().to_vec());
    }
    let hex = kept.strip_prefix("x:")?.as_bytes();
    hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let attributes = attributes.iter().map(|(name, values)| {
            (name.to_ascii_lowercase(), values.iter().map(|value| value.to_vec()).collect())
        });
        Entry { dn: "uid=a".into(), attributes: attributes.collect() }
    }

    fn rule(from: &[&str], to: &str, take: Take) -> Rule {
        Rule { from: from.iter().map(|name| (*name).to_owned()).collect(), to: to.into(), take }
    }

    #[test]
    fn several_attributes_become_one_by_choice_by_joining_and_as_a_list() {
        let entry = entry(&[
            ("givenName", &[b"Ada"]),
            ("sn", &[b"Lovelace"]),
            ("mail", &[b"a@example.org", b"b@example.org"]),
            ("mailAlternate", &[b"c@example.org"]),
        ]);
        let rules = [
            rule(&["displayName", "sn"], "family_name", Take::First),
            rule(&["givenName", "initials", "sn"], "name", Take::Join),
            rule(&["mail", "mailAlternate"], "mails", Take::All),
            rule(&["title"], "title", Take::First),
        ];
        let mapped = entry.mapped(&rules);
        assert_eq!(mapped.core["family_name"].as_deref(), Some("Lovelace"));
        assert_eq!(mapped.core["name"].as_deref(), Some("Ada Lovelace"));
        assert_eq!(
            mapped.custom["mails"],
            Some(serde_json::json!(["a@example.org", "b@example.org", "c@example.org"]))
        );
        assert_eq!(mapped.custom["title"], None, "what the entry has not is said to be absent");
    }

    #[test]
    fn values_that_are_no_clean_text_are_left_out() {
        let long = vec![b'x'; 2000];
        let entry = entry(&[("sn", &[b"\xff", b"a\0b", b"a\nb", b"  ", &long, b" ok "])]);
        assert_eq!(entry.texts("SN").collect::<Vec<_>>(), ["ok"]);
    }

    #[test]
    fn a_stable_id_survives_being_kept_and_must_be_one() {
        for value in [&b"550e8400-e29b-11d4-a716-446655440000"[..], &[0, 1, 0xff], b"with blank"] {
            let kept = entry(&[("entryUUID", &[value])]).stable_id("entryuuid").unwrap();
            assert_eq!(stable_bytes(&kept).as_deref(), Some(value), "{kept}");
        }
        assert_eq!(entry(&[("id", &[b"a", b"b"])]).stable_id("id"), None);
        assert_eq!(entry(&[("id", &[b""])]).stable_id("id"), None);
        assert_eq!(entry(&[("id", &[&[b'x'; 129]])]).stable_id("id"), None);
        assert_eq!(entry(&[]).stable_id("id"), None);
        assert_eq!(stable_bytes("x:zz"), None);
    }
}
