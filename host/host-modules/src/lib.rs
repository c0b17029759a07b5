//! What flows and plugins can ask of the server, one file a module. Each is described by WIT in `sdk/wit/host/`.
//!
//! To add a module: its `.wit`, a file here that implements [`HostModule`], a line in [`all`] and in [`WITS`],
//! a row in `docs/flows.md`.

mod attempts;
mod clock;
mod credentials;
mod ldap;
mod mail;
mod password;
mod random;
mod sms;
mod users;

use std::sync::Arc;

use agamid_core::ports::{Mailer, SmsSender};
use agamid_flow_engine::agama_lang::check::facts::Proof;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::{Map, Value};
use agamid_flow_engine::ports::HostModule;
use agamid_identity::{Identity, IdentityError, Person};

pub use attempts::AccountAttempts;

/// Every module. Without a mailer or sender, flows are told that nothing can be sent.
pub fn all(
    identity: &Identity,
    mailer: Option<Arc<dyn Mailer>>,
    sms: Option<Arc<dyn SmsSender>>,
) -> Vec<Arc<dyn HostModule>> {
    vec![
        Arc::new(users::Users(identity.clone())),
        Arc::new(password::Password(identity.clone())),
        Arc::new(credentials::Credentials(identity.clone())),
        Arc::new(clock::Clock),
        Arc::new(random::Random),
        Arc::new(mail::Mail(mailer)),
        Arc::new(sms::Sms(sms)),
        Arc::new(ldap::Ldap(identity.clone())),
    ]
}

/// Whom a function of a module (by its WIT name) proves to be there.
pub fn proves(module: &str, function: &str) -> Proof {
    match (module, function) {
        ("agamid.password", "verify") | ("agamid.ldap", "authenticate") => Proof::Result,
        _ => Proof::Nobody,
    }
}

/// The WIT texts of all modules, for whoever checks flows without a server.
pub const WITS: &[&str] = &[
    include_str!("../../../sdk/wit/host/users.wit"),
    include_str!("../../../sdk/wit/host/password.wit"),
    include_str!("../../../sdk/wit/host/credentials.wit"),
    include_str!("../../../sdk/wit/host/clock.wit"),
    include_str!("../../../sdk/wit/host/random.wit"),
    include_str!("../../../sdk/wit/host/mail.wit"),
    include_str!("../../../sdk/wit/host/sms.wit"),
    include_str!("../../../sdk/wit/host/ldap.wit"),
];

/// A person as `record user`.
fn user(person: &Person) -> Value {
    Value::Map(Map::from([
        ("id".to_owned(), person.id.as_str().into()),
        ("username".to_owned(), person.username.as_str().into()),
        ("name".to_owned(), person.display_name().into()),
        ("email".to_owned(), person.email().map(str::to_owned).into()),
        ("locale".to_owned(), person.text("locale").map(str::to_owned).into()),
    ]))
}

/// A failure of the server, told to the flow without its cause.
fn unavailable(error: IdentityError) -> CallError {
    match error {
        IdentityError::Busy => CallError::new("unavailable", error.to_string()),
        error => {
            tracing::error!(event = "host_module.failed", %error);
            CallError::new("unavailable", "the server could not do this now")
        }
    }
}

/// A message that could not be sent; the cause, which may name servers, stays in the log.
fn not_sent(cause: impl std::fmt::Display) -> CallError {
    tracing::error!(event = "host_module.not_sent", %cause);
    CallError::new("unavailable", "the message can't be sent now")
}

/// The text of an argument; the types were checked before.
fn text(args: &[Value], at: usize) -> &str {
    args.get(at).and_then(Value::as_str).unwrap_or_default()
}

/// The number of an argument; the types were checked before.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the WIT type is u64: integral and not negative"
)]
fn number(args: &[Value], at: usize) -> u64 {
    match args.get(at) {
        Some(Value::Number(n)) => *n as u64,
        _ => 0,
    }
}

fn no_such(function: &str) -> CallError {
    CallError::new("no_such_routine", format!("there is no function {function}"))
}

#[cfg(test)]
mod tests;
