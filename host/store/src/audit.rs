//! Audit events: who did what to whom, chained by hash. Each node has its own chain: every link's hash covers the
//! hash before it, so nothing can be changed or taken out of the middle unseen.

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::read::to_hex;
use crate::stored::corrupt;

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

/// An event as it stands in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The node whose chain this is: a ULID made at the store's first start.
    pub node: String,
    /// The place in the chain, from 1.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What happened.
    pub event: AuditEvent,
    /// The hash of the entry before, 64 hex digits; zeros for the first.
    pub previous: String,
    /// SHA-256 over the previous hash, node, sequence, time and event, 64 hex digits.
    pub hash: String,
}

/// An entry as stored. The event stays the bytes that were hashed: reading and writing JSON again could change them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) at: Timestamp,
    pub(crate) event: Vec<u8>,
    pub(crate) previous: [u8; 32],
    pub(crate) hash: [u8; 32],
}

/// How far a chain has come. Kept apart from the links, so that links cut off the end are missed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChainEnd {
    pub(crate) sequence: u64,
    pub(crate) hash: [u8; 32],
}

impl ChainEnd {
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        postcard::to_stdvec(self).map_err(|e| StoreError::Invalid(format!("the audit chain's end: {e}")))
    }

    pub(crate) fn from_bytes(node: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        postcard::from_bytes(bytes).map_err(|e| corrupt("audit", node, format!("the chain's end: {e}")))
    }
}

impl ChainEnd {
    /// Goes on over links that must follow.
    pub(crate) fn check_all(&mut self, node: &str, links: Vec<(u64, Link)>) -> Result<(), StoreError> {
        if links.is_empty() {
            return Err(broken(node, self.sequence + 1, "the entry is missing".to_owned()));
        }
        for (sequence, link) in links {
            *self = link.check(self, node, sequence)?;
        }
        Ok(())
    }

    /// Whether this is the end that was recorded; answers the number of links.
    pub(crate) fn check_is(&self, recorded: &Self, node: &str) -> Result<u64, StoreError> {
        if self != recorded {
            return Err(broken(node, recorded.sequence, "it is not the end that was recorded".to_owned()));
        }
        Ok(self.sequence)
    }
}

impl Link {
    pub(crate) fn after(end: &ChainEnd, node: &str, at: Timestamp, event: Vec<u8>) -> Self {
        let hash = hash(end, node, at, &event);
        Self { at, event, previous: end.hash, hash }
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        postcard::to_stdvec(self).map_err(|e| StoreError::Invalid(format!("an audit event: {e}")))
    }

    pub(crate) fn from_bytes(node: &str, sequence: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        postcard::from_bytes(bytes).map_err(|e| broken(node, sequence, e.to_string()))
    }

    /// Checks that this link follows `end`; answers the new end.
    pub(crate) fn check(&self, end: &ChainEnd, node: &str, sequence: u64) -> Result<ChainEnd, StoreError> {
        let expected = end.sequence + 1;
        if sequence != expected {
            return Err(broken(node, expected, "the entry is missing".to_owned()));
        }
        if self.previous != end.hash {
            return Err(broken(node, sequence, "it does not follow the entry before it".to_owned()));
        }
        if self.hash != hash(end, node, self.at, &self.event) {
            return Err(broken(node, sequence, "its content does not match its hash".to_owned()));
        }
        Ok(ChainEnd { sequence, hash: self.hash })
    }

    pub(crate) fn entry(self, node: &str, sequence: u64) -> Result<AuditEntry, StoreError> {
        let event = serde_json::from_slice(&self.event).map_err(|e| broken(node, sequence, e.to_string()))?;
        Ok(AuditEntry {
            node: node.to_owned(),
            sequence,
            at: self.at,
            event,
            previous: to_hex(&self.previous),
            hash: to_hex(&self.hash),
        })
    }
}

fn hash(end: &ChainEnd, node: &str, at: Timestamp, event: &[u8]) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(b"agamid audit 1\0");
    sha.update(end.hash);
    sha.update(node.as_bytes());
    sha.update([0]);
    sha.update((end.sequence + 1).to_be_bytes());
    sha.update(at.0.to_be_bytes());
    sha.update(event);
    sha.finalize().into()
}

pub(crate) fn broken(node: &str, sequence: u64, cause: String) -> StoreError {
    corrupt("audit", &format!("{node}/{sequence}"), format!("the chain is broken here: {cause}"))
}
