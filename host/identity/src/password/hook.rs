//! The hook `password-policy`: an operator's own rules for passwords, on top of the built-in ones.

use agamid_core::ports::{HookPoint, Hooks};
use serde::{Deserialize, Serialize};

use super::policy::Violation;
use crate::person::Person;

/// Violations of one answer that are read; more are dropped.
const MOST: usize = 20;
/// The longest code and message of the hook, in characters.
const MOST_TEXT: usize = 300;

/// What the hook is asked. It holds the password itself, so it has no `Debug`.
#[derive(Serialize)]
struct Request<'a> {
    password: &'a str,
    person: Asked<'a>,
    organisation: &'a str,
    /// `person` or `administrator`.
    actor: &'a str,
}

/// Whose password it is to be.
#[derive(Serialize)]
struct Asked<'a> {
    id: &'a str,
    username: &'a str,
    email: Option<&'a str>,
    name: String,
}

/// What the hook answers: nothing to object to where the list is empty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    violations: Vec<Objection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Objection {
    code: String,
    message: String,
}

/// What the hook objects to. A hook that fails objects.
pub(crate) async fn objections(
    hooks: &dyn Hooks,
    person: &Person,
    password: &str,
    actor: &str,
) -> Vec<Violation> {
    if !hooks.has(HookPoint::PasswordPolicy) {
        return Vec::new();
    }
    let asked = Asked {
        id: person.id.as_str(),
        username: &person.username,
        email: person.email(),
        name: person.display_name(),
    };
    let request = Request { password, person: asked, organisation: person.organisation.as_str(), actor };
    let answer = match serde_json::to_value(&request) {
        Ok(request) => {
            hooks.call(HookPoint::PasswordPolicy, request).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let answer =
        answer.and_then(|answer| serde_json::from_value::<Answer>(answer).map_err(|error| error.to_string()));
    match answer {
        Ok(answer) => {
            let cut = |text: String| text.chars().take(MOST_TEXT).collect();
            let read = |said: Objection| Violation::Hook { code: cut(said.code), message: cut(said.message) };
            answer.violations.into_iter().take(MOST).map(read).collect()
        }
        Err(error) => {
            tracing::error!(event = "password.hook_failed", error);
            vec![Violation::Unchecked]
        }
    }
}
