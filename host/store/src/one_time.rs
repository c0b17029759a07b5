//! Everything that is used once: one record type, one way to use it up.

use std::fmt;

use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a one-time record is for. Records of different purposes never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An authorization code (RFC 6749 section 4.1.2).
    Code,
    /// The state of an `RFAC` callback.
    FlowCallback,
    /// The outcome of a finished run, fetched once by its owner.
    FlowOutcome,
    /// A refresh token (RFC 6749 section 6), rotated at every use (RFC 9700 section 4.14).
    RefreshToken,
    /// A pushed authorization request (RFC 9126).
    PushedRequest,
    /// The `jti` of an assertion (RFC 7523 section 3): issued when it is seen, never consumed.
    Jti,
}

impl Purpose {
    /// Whether a [`Consumption::Mismatch`] uses the record up. A foreign client must not be able to kill a refresh
    /// token that is not its own; for codes and challenges a mismatch is an attack.
    pub fn burns_on_mismatch(self) -> bool {
        match self {
            Purpose::Code | Purpose::FlowCallback | Purpose::FlowOutcome => true,
            Purpose::RefreshToken | Purpose::PushedRequest | Purpose::Jti => false,
        }
    }

    /// The purpose of this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let purpose: Option<Self> = serde_json::from_value(name.into()).ok();
        purpose.filter(|purpose| purpose.name() == name)
    }

    /// The name under which records of this purpose are kept. Never changes: stored records carry it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Purpose::Code => "code",
            Purpose::FlowCallback => "flow_callback",
            Purpose::FlowOutcome => "flow_outcome",
            Purpose::RefreshToken => "refresh_token",
            Purpose::PushedRequest => "pushed_request",
            Purpose::Jti => "jti",
        }
    }
}

/// A one-time record. `hash` is the SHA-256 of the value people carry, in hex; the value itself is never stored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OneTime {
    /// What it is for.
    pub purpose: Purpose,
    /// SHA-256 of the value, hex.
    pub hash: String,
    /// The client it was made for.
    pub client: Option<String>,
    /// The person it was made for.
    pub person: Option<String>,
    /// The browser session it was made in.
    pub session: Option<String>,
    /// The run of a flow it belongs to.
    pub run: Option<String>,
    /// What else must be presented unchanged: a redirect URI, an address.
    pub address: Option<String>,
    /// The token family that dies when the record is used twice.
    pub family: Option<String>,
    /// What the owner keeps with it.
    pub payload: serde_json::Value,
    /// When it ends, used or not; its tombstone stays as long.
    pub expires_at: Timestamp,
}

impl OneTime {
    /// The first binding that differs from what is presented; see [`Consumption::Mismatch`].
    pub fn mismatch(&self, consume: &Consume) -> Option<&'static str> {
        let bindings = [
            ("client", &consume.client, &self.client),
            ("person", &consume.person, &self.person),
            ("session", &consume.session, &self.session),
            ("run", &consume.run, &self.run),
            ("address", &consume.address, &self.address),
        ];
        bindings
            .into_iter()
            .find(|(_, wanted, bound)| wanted.is_some() && wanted != bound)
            .map(|(field, ..)| field)
    }
}

impl fmt::Debug for OneTime {
    /// Without the payload, which is its owner's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTime")
            .field("purpose", &self.purpose)
            .field("hash", &self.hash)
            .field("client", &self.client)
            .field("family", &self.family)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A request to use up a one-time record. Each expectation that is set must equal the record's binding; what is not
/// set is not compared, so a caller sets every binding that its protocol knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Consume {
    /// What it is for.
    pub purpose: Purpose,
    /// SHA-256 of the presented value, hex.
    pub hash: String,
    /// Who presents it.
    pub client: Option<String>,
    /// For whom.
    pub person: Option<String>,
    /// In which session.
    pub session: Option<String>,
    /// In which run.
    pub run: Option<String>,
    /// With which address or redirect URI.
    pub address: Option<String>,
    /// What to leave in the tombstone if this call uses the record up: a rotated refresh token leaves its sealed
    /// successor and the grace deadline. Never a bare secret.
    pub leave: Option<serde_json::Value>,
}

impl fmt::Debug for Consume {
    /// Without what it leaves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consume")
            .field("purpose", &self.purpose)
            .field("hash", &self.hash)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Consume {
    /// A request with no expectations yet.
    pub fn new(purpose: Purpose, hash: impl Into<String>) -> Self {
        Self {
            purpose,
            hash: hash.into(),
            client: None,
            person: None,
            session: None,
            run: None,
            address: None,
            leave: None,
        }
    }

    /// Expects this client.
    #[must_use]
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// Expects this person.
    #[must_use]
    pub fn person(mut self, person: impl Into<String>) -> Self {
        self.person = Some(person.into());
        self
    }

    /// Expects this browser session.
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Expects this run.
    #[must_use]
    pub fn run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Expects this address or redirect URI.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Leaves this in the tombstone.
    #[must_use]
    pub fn leave(mut self, value: serde_json::Value) -> Self {
        self.leave = Some(value);
        self
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Consumption {
    /// Used up by this very call.
    Consumed(Box<OneTime>),
    /// A binding differs (named: `client`, `person`, `session`, `run` or `address`, the first that does). Used up too where [`Purpose::burns_on_mismatch`].
    Mismatch(&'static str),
    /// Used before. Whoever sees this ends the family.
    Replayed(Tombstone),
    /// Never existed, or expired.
    Absent,
}

/// What [`crate::Store::peek`] sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Peeked {
    /// It can be used.
    Live(Box<OneTime>),
    /// It was used.
    Used(Tombstone),
    /// Never existed, or expired.
    Absent,
}

/// What stays of a used one-time record until its expiry.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The token family of the record.
    pub family: Option<String>,
    /// When it was used.
    pub used_at: Timestamp,
    /// What its user left ([`Consume::leave`]); nothing after a mismatch.
    #[serde(default)]
    pub left: Option<serde_json::Value>,
}

impl fmt::Debug for Tombstone {
    /// Without what was left.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tombstone")
            .field("family", &self.family)
            .field("used_at", &self.used_at)
            .finish_non_exhaustive()
    }
}
