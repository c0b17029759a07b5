//! What the checks of flows must know of a template: the fields that it shows, and those that its forms post. Read from
//! the text, so what is computed there counts as unknown and is left alone.

use std::collections::BTreeSet;

use agama_lang::check::facts::{ModelField, PostedField, TemplateFacts};

use crate::run::attributes;

/// What every page has besides its model.
const GIVEN: [&str; 8] = ["step", "owner", "flow", "changes", "csp_nonce", "locale", "labels", "loop"];
/// The form macros that post a field, and whether it is secret.
const MACROS: [(&str, bool); 4] = [("text", false), ("password", true), ("code", true), ("button", false)];
/// Tags that post a field.
const TAGS: [&str; 4] = ["<input", "<select", "<textarea", "<button"];

/// The facts of a Jinja template.
pub fn of(text: &str) -> TemplateFacts {
    let mut facts = TemplateFacts { reads: reads(text), ..TemplateFacts::default() };
    facts.posts_more = text.contains("<script") || leads_elsewhere(text);
    tags(text, &mut facts);
    macros(text, &mut facts);
    facts.launches = launches(text);
    facts
}

fn reads(text: &str) -> Vec<ModelField> {
    let mut environment = minijinja::Environment::new();
    if environment.add_template("it", text).is_err() {
        return Vec::new();
    }
    let Ok(template) = environment.get_template("it") else { return Vec::new() };
    let names: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    let shown = shown_plainly(text);
    names
        .into_iter()
        .filter(|name| !GIVEN.contains(&name.as_str()))
        .map(|name| ModelField { optional: !shown.contains(name.as_str()), name })
        .collect()
}

/// Names that are shown as they are, `{{ name }}` or `{{ name.part }}`, and that no condition asks for.
fn shown_plainly(text: &str) -> BTreeSet<&str> {
    let mut shown = BTreeSet::new();
    for inner in between(text, "{{", "}}") {
        let expression = inner.trim_matches(['-', ' ', '\n', '\t']);
        let end = expression.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(expression.len());
        let (name, rest) = expression.split_at(end);
        if !name.is_empty() && (rest.is_empty() || rest.starts_with('.')) && !rest.contains(['(', '|', ' ']) {
            shown.insert(name);
        }
    }
    for condition in between(text, "{%", "%}") {
        shown.retain(|name| {
            !condition.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == *name)
        });
    }
    shown
}

/// Whether other templates than the server's own take part.
fn leads_elsewhere(text: &str) -> bool {
    between(text, "{%", "%}").any(|tag| {
        let tag = tag.trim_matches(['-', ' ']);
        ["include", "extends", "import", "from"].iter().any(|word| tag.starts_with(word))
            && !tag.contains("\"agamid/")
    })
}

fn tags(text: &str, facts: &mut TemplateFacts) {
    let lower = text.to_ascii_lowercase();
    for tag in TAGS {
        for (at, _) in lower.match_indices(tag) {
            let attributes = attributes(text.get(at + tag.len()..).unwrap_or_default());
            let value = |name: &str| {
                attributes
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.as_str())
            };
            let Some(name) = value("name") else { continue };
            let secret = value("type").is_some_and(|kind| kind.eq_ignore_ascii_case("password"))
                || value("autocomplete")
                    .is_some_and(|hint| hint.to_ascii_lowercase().contains("one-time-code"));
            post(name, secret, facts);
        }
    }
}

fn macros(text: &str, facts: &mut TemplateFacts) {
    for (name, secret) in MACROS {
        for (at, call) in text.match_indices(&format!("forms.{name}(")) {
            let arguments = text.get(at + call.len()..).unwrap_or_default();
            let arguments = arguments.split("}}").next().unwrap_or_default();
            let named = if name == "button" {
                arguments.split_once("name=").map(|(_, rest)| rest)
            } else {
                Some(arguments.trim_start())
            };
            match named.map(|rest| rest.strip_prefix('"').and_then(|rest| rest.split('"').next())) {
                Some(Some(field)) => post(field, secret, facts),
                Some(None) => facts.posts_more = true,
                None => {}
            }
        }
    }
}

fn post(name: &str, secret: bool, facts: &mut TemplateFacts) {
    if name.contains(['{', '}']) {
        facts.posts_more = true;
    } else if name != "_step" && !facts.posts.iter().any(|field| field.name == name) {
        facts.posts.push(PostedField { name: name.to_owned(), secret });
    }
}

fn launches(text: &str) -> Vec<String> {
    let starts = text.match_indices("acr_values=agama_").map(|(at, marker)| at + marker.len());
    let names = starts.filter_map(|at| {
        let rest = text.get(at..)?;
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        rest.get(..end).map(str::to_owned)
    });
    names.filter(|name| !name.is_empty()).collect()
}

fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(inner, _)| inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_shown_and_posted_are_found_and_what_is_computed_is_left_alone() {
        let facts = of(r#"{% extends "agamid/base.html" %}{% import "agamid/forms.html" as forms %}
            <p>{{ greeting }} {{ person.name }} {{ note|default("") }}{% if hint %}{{ hint }}{% endif %}</p>
            {{ forms.error(error) }}{% call forms.form(step) %}
            {{ forms.text("login", "Name", value=login) }}{{ forms.password("password", "Password") }}
            {{ forms.code("digits", "Code") }}{{ forms.button("Go", name="decision", value="go") }}
            <input type=PASSWORD name='pin'><select name="color"></select>{% endcall %}
            <a href="/oauth2/authorize?acr_values=agama_demo.totp&x">other</a>"#);
        let required: Vec<&str> =
            facts.reads.iter().filter(|field| !field.optional).map(|field| field.name.as_str()).collect();
        assert_eq!(required, ["greeting", "person"]);
        let optional: Vec<&str> =
            facts.reads.iter().filter(|field| field.optional).map(|field| field.name.as_str()).collect();
        assert_eq!(optional, ["error", "hint", "login", "note"]);
        let mut posts: Vec<(&str, bool)> =
            facts.posts.iter().map(|field| (field.name.as_str(), field.secret)).collect();
        posts.sort_unstable();
        let expected = [
            ("color", false),
            ("decision", false),
            ("digits", true),
            ("login", false),
            ("password", true),
            ("pin", true),
        ];
        assert_eq!(posts, expected);
        assert!(!facts.posts_more);
        assert_eq!(facts.launches, ["demo.totp"]);
        for unknown in ["<script>x</script>", "{% include \"more.html\" %}", "<input name=\"{{ x }}\">"] {
            assert!(of(unknown).posts_more, "{unknown}");
        }
    }
}
