//! What a template posts, as far as its text shows it.

/// Elements whose `name` is posted.
const FIELDS: [&str; 4] = ["<input", "<select", "<textarea", "<button"];
/// Macros of `agamid/forms.html` whose first argument is the name of a field.
const MACROS: [&str; 3] = ["text", "password", "code"];

/// The names of the fields that a template posts, in the order of its text. Names that the template computes are left
/// out, and so are those that begin with `_`: they are the engine's.
pub(crate) fn fields(template: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let lower = template.to_ascii_lowercase();
    for tag in FIELDS {
        for (at, _) in lower.match_indices(tag) {
            let element = template.get(at..).unwrap_or_default();
            let end = element.find('>').unwrap_or(element.len());
            found.extend(attribute(element.get(..end).unwrap_or_default(), "name").map(|name| (at, name)));
        }
    }
    for name in MACROS {
        for (at, call) in template.match_indices(&format!(".{name}(")) {
            let rest = template.get(at + call.len()..).unwrap_or_default().trim_start();
            found.extend(quoted(rest).map(|name| (at, name)));
        }
    }
    found.sort();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in found {
        let plain = !name.is_empty() && !name.starts_with('_') && !name.contains(['{', '$', '<']);
        if plain && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The templates that a template takes in: `{% include "x" %}`, `{% extends "x" %}`, `<#include "x">`.
pub(crate) fn includes(template: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in ["{% include ", "{% extends ", "{%- include ", "<#include "] {
        for (at, _) in template.match_indices(word) {
            let rest = template.get(at + word.len()..).unwrap_or_default().trim_start();
            found.extend(quoted(rest).filter(|path| !found.contains(path)));
        }
    }
    found
}

/// The value of an attribute: `name="x"`, `name='x'`, `name=x`.
fn attribute(element: &str, name: &str) -> Option<String> {
    let wanted = format!("{name}=");
    let lower = element.to_ascii_lowercase();
    let (at, _) = lower.match_indices(&wanted).find(|(at, _)| {
        element.get(..*at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_whitespace()))
    })?;
    let value = element.get(at + wanted.len()..)?;
    quoted(value).or_else(|| {
        let end = value.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(value.len());
        value.get(..end).map(str::to_owned)
    })
}

fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = text.get(1..)?;
    inside.get(..inside.find(quote)?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{fields, includes};

    #[test]
    fn templates_that_are_taken_in_are_named_once() {
        let template = "{% extends 'a/base.html' %}{% include \"p.html\" %}<#include \"q.ftl\">{%- include \"p.html\" %}";
        assert_eq!(includes(template), ["p.html", "a/base.html", "q.ftl"]);
    }

    #[test]
    fn fields_come_from_elements_and_form_macros_in_order() {
        let template = r#"
            {{ forms.text("login", "Name", value=login) }} {{ forms.password('password', "P") }}
            <INPUT type=hidden name=plain><input data-name="no" type="radio" name='kind' value="a">
            <input type="radio" name="kind" value="b"><input name="_step" value="x">
            <select class="x"
                name="country"></select><textarea name="note"></textarea>
            <button name="go" value="">Go</button><input name="{{ computed }}"><input name="${ftl}">
            {{ forms.code( "code", "C") }} <a name="anchor">
        "#;
        assert_eq!(fields(template), ["login", "password", "plain", "kind", "country", "note", "go", "code"]);
    }
}
