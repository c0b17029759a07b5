//! Whether a value may be written, and how it is kept.

use std::collections::BTreeSet;

use agamid_core::id::PersonId;
use agamid_core::time::Timestamp;
use serde_json::{Map, Value};

use super::{Attribute, AttributeError, AttributeType, Format, Reason, SubAttribute, Writer};

/// The largest whole number that every reader of JSON can hold.
const MOST_INTEGER: i64 = (1 << 53) - 1;

fn refuse<T>(attribute: &str, reason: Reason) -> Result<T, AttributeError> {
    Err(AttributeError { attribute: attribute.to_owned(), reason })
}

/// A value without what people vary by accident; what values are compared by.
pub(crate) fn folded(text: &str, case_exact: bool) -> String {
    if case_exact { text.to_owned() } else { text.trim().to_lowercase() }
}

/// What a value is compared by: itself, or the sub-attribute that stands for it.
pub(crate) fn identity(attribute: &Attribute, value: &Value) -> Option<String> {
    let value = if attribute.kind == AttributeType::Complex { value.get("value")? } else { value };
    match value {
        Value::String(text) => Some(folded(text, attribute.case_exact)),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The values of an attribute, one or several.
pub(crate) fn values(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// The value as it is kept. `old` is what is there now; `now` marks what is proved from now on.
pub(crate) fn checked(
    attribute: &Attribute,
    value: &Value,
    old: Option<&Value>,
    writer: Writer,
    now: Timestamp,
) -> Result<Value, AttributeError> {
    let name = &attribute.name;
    if !attribute.multi_valued {
        if value.is_array() {
            return refuse(name, Reason::NoList);
        }
        return one(attribute, name, value, old, writer, now);
    }
    let Value::Array(list) = value else { return refuse(name, Reason::List) };
    if list.len() > attribute.max_values {
        return refuse(name, Reason::TooMany { found: list.len(), most: attribute.max_values });
    }
    let mut kept = Vec::with_capacity(list.len());
    let mut seen = BTreeSet::new();
    for (at, value) in list.iter().enumerate() {
        let at = format!("{name}[{at}]");
        let value = one(attribute, &at, value, old, writer, now)?;
        if let Some(identity) = identity(attribute, &value)
            && !seen.insert(identity)
        {
            return refuse(&at, Reason::Twice);
        }
        kept.push(value);
    }
    if attribute.sub("primary").is_some() {
        elect(name, &mut kept)?;
    }
    Ok(Value::Array(kept))
}

/// Of several exactly one is the primary: the one marked, else the first.
fn elect(name: &str, list: &mut [Value]) -> Result<(), AttributeError> {
    let is_primary = |value: &Value| value.get("primary") == Some(&Value::Bool(true));
    if list.iter().filter(|value| is_primary(value)).count() > 1 {
        return refuse(name, Reason::Primaries);
    }
    let chosen = list.iter().position(is_primary).unwrap_or(0);
    for (at, value) in list.iter_mut().enumerate() {
        if let Some(object) = value.as_object_mut() {
            if at == chosen {
                object.insert("primary".to_owned(), true.into());
            } else {
                object.remove("primary");
            }
        }
    }
    Ok(())
}

fn one(
    attribute: &Attribute,
    at: &str,
    value: &Value,
    old: Option<&Value>,
    writer: Writer,
    now: Timestamp,
) -> Result<Value, AttributeError> {
    if attribute.kind != AttributeType::Complex {
        return simple(at, attribute.kind, attribute.max_length, attribute.format, value);
    }
    let Value::Object(given) = value else { return refuse(at, Reason::Type(attribute.kind.wanted())) };
    let mut kept = Map::new();
    for (name, value) in given {
        let at = format!("{at}.{name}");
        let Some(sub) = attribute.sub(name) else {
            let known: Vec<&str> = attribute.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
            return refuse(&at, Reason::UnknownPart(known.join(", ")));
        };
        if !value.is_null() {
            kept.insert(name.clone(), simple(&at, sub.kind, sub.max_length, sub.format, value)?);
        }
    }
    if let Some(missing) =
        attribute.sub_attributes.iter().find(|sub| sub.required && !kept.contains_key(&sub.name))
    {
        return refuse(&format!("{at}.{}", missing.name), Reason::Missing);
    }
    if kept.is_empty() {
        return refuse(at, Reason::Empty);
    }
    let identity_of = |value: &Value| identity(attribute, value);
    let before = identity_of(&Value::Object(kept.clone()))
        .and_then(|new| values(old?).iter().find(|value| identity_of(value).as_ref() == Some(&new)));
    for sub in &attribute.sub_attributes {
        keep_guarded(sub, at, &mut kept, before, writer)?;
    }
    if attribute.sub("verified_at").is_some() {
        date_proof(&mut kept, before, now);
    }
    Ok(Value::Object(kept))
}

/// What not everybody may write stays as it is while the value does; it is lost when the value changes.
fn keep_guarded(
    sub: &SubAttribute,
    at: &str,
    kept: &mut Map<String, Value>,
    before: Option<&Value>,
    writer: Writer,
) -> Result<(), AttributeError> {
    if sub.write.lets(Writer::Person) {
        return Ok(());
    }
    let known = before.and_then(|before| before.get(&sub.name));
    match kept.get(&sub.name) {
        None => {
            if let Some(known) = known {
                kept.insert(sub.name.clone(), known.clone());
            }
        }
        Some(given) if !sub.write.lets(writer) && Some(given) != known => {
            return refuse(&format!("{at}.{}", sub.name), Reason::ReadOnly);
        }
        Some(_) => {}
    }
    Ok(())
}

fn date_proof(kept: &mut Map<String, Value>, before: Option<&Value>, now: Timestamp) {
    let is_true = |value: Option<&Value>| value == Some(&Value::Bool(true));
    if !is_true(kept.get("verified")) {
        kept.remove("verified_at");
        kept.insert("verified".to_owned(), false.into());
    } else if !kept.contains_key("verified_at") || !is_true(before.and_then(|old| old.get("verified"))) {
        kept.entry("verified_at").or_insert_with(|| now.to_string().into());
    }
}

/// A value that has no parts.
fn simple(
    at: &str,
    kind: AttributeType,
    max_length: usize,
    format: Format,
    value: &Value,
) -> Result<Value, AttributeError> {
    let wrong = Reason::Type(kind.wanted());
    match (kind, value) {
        (AttributeType::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (AttributeType::Integer, Value::Number(number)) => match number.as_i64() {
            Some(number) if (-MOST_INTEGER..=MOST_INTEGER).contains(&number) => Ok(number.into()),
            _ => refuse(at, wrong),
        },
        (AttributeType::Boolean | AttributeType::Integer | AttributeType::Complex, _) => refuse(at, wrong),
        (_, Value::String(text)) => {
            let text = text.trim();
            // How people and directories write numbers; E.164 has none of it.
            let bare = |c: &char| format != Format::Phone || !" ()-./\u{a0}".contains(*c);
            let text = text.chars().filter(bare).collect::<String>();
            let text = text.as_str();
            check_text(at, text, max_length, format)?;
            match kind {
                AttributeType::Timestamp => match Timestamp::parse(text) {
                    Some(time) => Ok(time.to_string().into()),
                    None => refuse(at, wrong),
                },
                AttributeType::Date if !is_date(text) => refuse(at, wrong),
                AttributeType::Reference if !is_url(text) => refuse(at, wrong),
                AttributeType::Person if PersonId::parse(text).is_none() => refuse(at, wrong),
                _ => Ok(text.into()),
            }
        }
        _ => refuse(at, wrong),
    }
}

fn check_text(at: &str, text: &str, most: usize, format: Format) -> Result<(), AttributeError> {
    if text.is_empty() {
        return refuse(at, Reason::Empty);
    }
    let found = text.chars().count();
    if found > most {
        return refuse(at, Reason::TooLong { found, most });
    }
    let breaks_lines = |c: char| format == Format::Lines && matches!(c, '\n' | '\r');
    if text.chars().any(|c| c.is_control() && !breaks_lines(c)) {
        return refuse(at, Reason::Control);
    }
    match spelled(text, format) {
        Some(wanted) => refuse(at, Reason::Format(wanted)),
        None => Ok(()),
    }
}

/// How text should have been spelled.
fn spelled(text: &str, format: Format) -> Option<&'static str> {
    let made_of = |more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    match format {
        Format::Any | Format::Lines => None,
        Format::Mail => (!is_mail(text)).then_some("a mail address like name@example.org"),
        Format::Phone => (!is_phone(text)).then_some("a phone number like +41441234567"),
        Format::Language => (!(made_of("-") && text.starts_with(|c: char| c.is_ascii_alphabetic())))
            .then_some("a language tag like de-CH"),
        Format::Zone => (!made_of("/_+-")).then_some("a time zone like Europe/Zurich"),
    }
}

pub(crate) fn is_mail(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '@' | '<' | '>' | ',' | ';' | '"');
    !local.is_empty() && local.len() <= 64 && local.chars().all(plain) && is_domain(domain)
}

/// A host name of at least one label.
pub(crate) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.chars().count())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_phone(text: &str) -> bool {
    let (number, extension) = text.split_once(";ext=").unwrap_or((text, "0"));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    number.strip_prefix('+').is_some_and(|digits| (6..=15).contains(&digits.len()) && is_digits(digits))
        && (1..=15).contains(&extension.len())
        && is_digits(extension)
}

fn is_date(text: &str) -> bool {
    let number = |part: &str, length: usize| {
        (part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())?
    };
    let mut parts = text.splitn(3, '-');
    let Some(year) = parts.next().and_then(|part| number(part, 4)) else { return false };
    let (month, day) = match (parts.next(), parts.next()) {
        (None, None) => return year > 0,
        (Some(month), Some(day)) => (number(month, 2), number(day, 2)),
        _ => return false,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        Some(4 | 6 | 9 | 11) => 30,
        Some(2) if leap => 29,
        Some(2) => 28,
        Some(1..=12) => 31,
        _ => return false,
    };
    day.is_some_and(|day| (1..=length).contains(&day))
}

pub(crate) fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty()
        && !host.contains('@')
        && text.chars().all(|c| !c.is_whitespace() && !matches!(c, '"' | '<' | '>' | '\\' | '`'))
}

#[cfg(test)]
mod tests;
