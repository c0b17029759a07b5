//! What a new password must be like: section `identity.password`, and every rule that one breaks, all at once.

use std::sync::LazyLock;
use std::time::Duration;

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::person::Person;

/// The longest password, in bytes, whatever the settings say.
pub(crate) const MAX_LENGTH: usize = 1024;
/// The longest history.
pub(crate) const MAX_HISTORY: usize = 24;
/// The shortest part of a name that is looked for, in characters.
const LEAST_PART: usize = 4;
/// Characters at the end that don't make a common password an uncommon one.
const TAIL: usize = 4;

/// What a password must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordSettings {
    /// The shortest password, in characters.
    pub min_length: usize,
    /// The longest password, in characters.
    pub max_length: usize,
    /// Kinds of characters that must be there; none by default, because length helps more.
    pub required: Vec<Class>,
    /// Whether passwords that everybody has are refused.
    pub refuse_common: bool,
    /// Whether a password must be long enough without username, mail and name in it.
    pub refuse_personal: bool,
    /// How many of the last passwords may not come back, 0 to 24.
    pub history: usize,
    /// How long a person must keep a new password, in seconds.
    pub min_age_seconds: u64,
    /// After how many seconds a password must be changed; 0 for never.
    pub max_age_seconds: u64,
    /// Whether a failed login does the work of checking each kind of imported hash that is in the store, so that nobody
    /// can tell by the time who was imported. Off, it costs less and tells that.
    pub hide_imported: bool,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            min_length: 8,
            max_length: 256,
            required: Vec::new(),
            refuse_common: true,
            refuse_personal: true,
            history: 0,
            min_age_seconds: 0,
            max_age_seconds: 0,
            hide_imported: true,
        }
    }
}

/// A kind of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A lower-case letter of any script.
    Lower,
    /// An upper-case letter of any script.
    Upper,
    /// A digit.
    Digit,
    /// Anything else.
    Symbol,
}

impl Class {
    fn has(self, c: char) -> bool {
        match self {
            Class::Lower => c.is_lowercase(),
            Class::Upper => c.is_uppercase(),
            Class::Digit => c.is_numeric(),
            Class::Symbol => !c.is_alphanumeric(),
        }
    }

    fn needed(self) -> &'static str {
        match self {
            Class::Lower => "a lower-case letter",
            Class::Upper => "an upper-case letter",
            Class::Digit => "a digit",
            Class::Symbol => "a character that is neither letter nor digit",
        }
    }
}

/// A rule that a password breaks, and what is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Too few characters.
    #[error("it needs at least {0} characters")]
    TooShort(usize),
    /// Too many characters.
    #[error("it may have at most {0} characters")]
    TooLong(usize),
    /// Kinds of characters are missing.
    #[error("it needs {}", .0.iter().map(|class| class.needed()).collect::<Vec<_>>().join(", and "))]
    Classes(Vec<Class>),
    /// Everybody has it.
    #[error("it is among the passwords that are guessed first; choose another")]
    Common,
    /// Too much of it is the person's name.
    #[error("without your {what} it must still have {least} characters")]
    Personal {
        /// `username`.
        what: &'static str,
        /// Characters.
        least: usize,
    },
    /// The person had it.
    #[error("it must not be one of your last {0} passwords")]
    Used(usize),
    /// The one before is too new.
    #[error("your password can be changed again at {0}")]
    TooSoon(Timestamp),
    /// It is not kept here.
    #[error("your password is kept in a directory of your organisation; change it there")]
    Directory,
    /// The hook says no.
    #[error("{message}")]
    Hook {
        /// A name for programs.
        code: String,
        /// For the person.
        message: String,
    },
    /// The hook did not answer, so nothing is allowed.
    #[error("passwords can't be checked now; try again in a moment")]
    Unchecked,
}

impl Violation {
    /// Its stable name.
    pub fn code(&self) -> &str {
        match self {
            Violation::TooShort(_) => "too_short",
            Violation::TooLong(_) => "too_long",
            Violation::Classes(_) => "classes",
            Violation::Common => "common",
            Violation::Personal { .. } => "personal",
            Violation::Used(_) => "used",
            Violation::TooSoon(_) => "too_soon",
            Violation::Directory => "directory",
            Violation::Hook { code, .. } => code,
            Violation::Unchecked => "unchecked",
        }
    }
}

/// The most guessed passwords, folded.
static COMMON: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut common: Vec<String> = include_str!("common.txt").split_whitespace().map(folded).collect();
    common.sort_unstable();
    common
});

/// Letter case and the usual substitutions aside.
fn folded(password: &str) -> String {
    let plain = |c: char| match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    };
    password.to_lowercase().chars().map(plain).collect()
}

fn is_common(password: &str) -> bool {
    let is_listed = |text: &str| COMMON.binary_search(&folded(text)).is_ok();
    let stem = password.trim_end_matches(|c: char| !c.is_alphabetic());
    is_listed(password) || password.chars().count() <= stem.chars().count() + TAIL && is_listed(stem)
}

/// The person's names that are too much of the password.
fn personal(settings: &PasswordSettings, person: &Person, password: &str) -> Option<Violation> {
    let mail = person.email().and_then(|mail| mail.split('@').next());
    let names = ["name", "given_name", "family_name"].into_iter().filter_map(|name| person.text(name));
    let names = names.flat_map(|name| name.split(|c: char| !c.is_alphanumeric())).map(|name| ("name", name));
    let parts =
        [("username", person.username.as_str())].into_iter().chain(mail.map(|mail| ("mail address", mail)));
    let password = password.to_lowercase();
    for (what, part) in parts.chain(names) {
        let part = part.to_lowercase();
        if part.chars().count() < LEAST_PART && part != password || part.is_empty() {
            continue;
        }
        let rest = password.replace(&part, "");
        if rest.len() < password.len() && rest.chars().count() < settings.min_length {
            return Some(Violation::Personal { what, least: settings.min_length });
        }
    }
    None
}

/// The rules that `password` breaks by itself.
pub(crate) fn violations(settings: &PasswordSettings, person: &Person, password: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let length = password.chars().count();
    if length < settings.min_length.max(1) {
        found.push(Violation::TooShort(settings.min_length.max(1)));
    }
    if length > settings.max_length || password.len() > MAX_LENGTH {
        // Nothing else is looked for in what may be huge.
        return vec![Violation::TooLong(settings.max_length.min(MAX_LENGTH))];
    }
    let missing = settings.required.iter().filter(|class| !password.chars().any(|c| class.has(c)));
    let missing: Vec<Class> = missing.copied().collect();
    if !missing.is_empty() {
        found.push(Violation::Classes(missing));
    }
    if settings.refuse_common && is_common(password) {
        found.push(Violation::Common);
    }
    if settings.refuse_personal {
        found.extend(personal(settings, person, password));
    }
    found
}

/// Whether the password of `since` may not be changed by its owner yet.
pub(crate) fn too_soon(settings: &PasswordSettings, since: Timestamp, now: Timestamp) -> Option<Violation> {
    let until = since.plus(Duration::from_secs(settings.min_age_seconds));
    (now < until).then_some(Violation::TooSoon(until))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::NewPerson;

    async fn alice() -> Person {
        let (identity, _, organisation) = crate::tests::identity().await;
        let new = NewPerson {
            username: "alice".into(),
            email: Some("liddell42@example.org".into()),
            given_name: Some("Alice Pleasance".into()),
            ..NewPerson::default()
        };
        identity.persons.create(&organisation.id, new, "test").await.unwrap()
    }

    #[tokio::test]
    async fn every_rule_that_is_broken_is_named_at_once_with_what_is_needed() {
        let settings = PasswordSettings {
            min_length: 12,
            required: vec![Class::Upper, Class::Digit, Class::Symbol],
            ..PasswordSettings::default()
        };
        let found = violations(&settings, &alice().await, "password");
        let codes: Vec<&str> = found.iter().map(Violation::code).collect();
        assert_eq!(codes, ["too_short", "classes", "common"]);
        let said: Vec<String> = found.iter().map(Violation::to_string).collect();
        assert_eq!(said[0], "it needs at least 12 characters");
        assert!(said[1].contains("an upper-case letter, and a digit, and a character"), "{}", said[1]);
        assert!(violations(&settings, &alice().await, "Grün ist 1 Wiese!").is_empty());
    }

    #[tokio::test]
    async fn common_passwords_are_known_by_any_spelling_and_tail() {
        let (settings, alice) = (PasswordSettings::default(), alice().await);
        for common in
            ["password", "PassW0rd", "p@$$w0rd", "password2024", "Qwertyuiop!", "12345678", "iloveyou1"]
        {
            assert_eq!(violations(&settings, &alice, common), [Violation::Common], "{common}");
        }
        for good in ["correct horse", "password of my aunt", "qwertz und mehr"] {
            assert!(violations(&settings, &alice, good).is_empty(), "{good}");
        }
        assert!(COMMON.len() >= 300, "{}", COMMON.len());
    }

    #[tokio::test]
    async fn names_do_not_count_towards_the_length() {
        let (settings, alice) = (PasswordSettings::default(), alice().await);
        for (password, what) in
            [("alice1234", "username"), ("xLIDDELL42x", "mail address"), ("pleasance!!", "name")]
        {
            let found = violations(&settings, &alice, password);
            assert_eq!(found, [Violation::Personal { what, least: 8 }], "{password}");
        }
        assert!(violations(&settings, &alice, "alice in wonderland").is_empty());
    }

    #[tokio::test]
    async fn what_is_too_long_is_looked_at_no_further() {
        let (settings, alice) = (PasswordSettings::default(), alice().await);
        assert_eq!(violations(&settings, &alice, &"ä".repeat(256)), []);
        assert_eq!(violations(&settings, &alice, &"ä".repeat(257)), [Violation::TooLong(256)]);
        let generous = PasswordSettings { max_length: usize::MAX, ..settings };
        assert_eq!(violations(&generous, &alice, &"x".repeat(1 << 20)), [Violation::TooLong(1024)]);
    }
}
