//! Audit events: who did what to whom, chained by hash.

use serde::{Deserialize, Serialize};

/// One event, appended in the same commit as the change it describes. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Dotted name, `session.started`.
    pub event: String,
    /// Who acted: a person, a client, or `server`.
    pub actor: String,
    /// On whom or what.
    pub subject: String,
    /// More, as a JSON object.
    pub detail: serde_json::Value,
}

impl AuditEvent {
    /// An event without details.
    pub fn new(event: impl Into<String>, actor: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            event: event.into(),
            actor: actor.into(),
            subject: subject.into(),
            detail: serde_json::Value::Object(serde_json::Map::new()),
        }
    }
}
