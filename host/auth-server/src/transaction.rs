//! An authorization transaction: one authorization request, from its arrival to its answer.

use agamid_core::id::{RunId, SessionId, TransactionId};
use agamid_core::time::Timestamp;
use agamid_flow_engine::OwnerKind;
use agamid_store::Record;
use serde::{Deserialize, Serialize};

use crate::oauth::authorize::request::AuthorizationRequest;

/// A transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    /// The browser (SHA-256 of its cookie's value); absent until the browser is seen with its cookie.
    pub(crate) browser: Option<String>,
    pub(crate) request: AuthorizationRequest,
    /// What the person is doing now, and in which run, if one is under way.
    pub(crate) waiting: Option<(OwnerKind, RunId)>,
    /// The session that the answer will speak of, once one is chosen or made.
    pub(crate) session: Option<SessionId>,
    /// A login happened in this transaction: `prompt=login` and `max_age` are satisfied.
    pub(crate) logged_in: bool,
    /// An account was chosen in this transaction.
    pub(crate) selected: bool,
    /// The person wants another account than those of the browser.
    pub(crate) other_account: bool,
    /// The person said yes in this transaction.
    pub(crate) consented: bool,
    pub(crate) expires_at: Timestamp,
}

impl Record for Transaction {
    const KIND: &'static str = "authorization_transaction";
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}
