//! Who asked for a run, what the run needs to know of them, and what they get back.

use std::net::IpAddr;

use agama_lang::effect::Outcome;
use agama_lang::value::Map;
use agamid_core::id::{OrgId, RunId};
use agamid_store::Batch;
use serde::{Deserialize, Serialize};

use crate::ports::Proof;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// Logging somebody in for an authorization transaction.
    Login,
    /// Asking for consent for an authorization transaction.
    Consent,
    /// Choosing among the accounts of a browser for an authorization transaction.
    AccountSelection,
    /// Asking whether to sign out.
    Logout,
}

/// The owner of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// What for.
    pub kind: OwnerKind,
    /// The owner's record: an authorization transaction.
    pub id: String,
    /// Path and query below the issuer to which the browser goes when the run is over; the engine adds `run=ID`.
    pub return_to: String,
    /// Path and query that starts the journey anew, offered on "this is over" pages.
    pub restart: String,
}

/// A request to start a run.
#[derive(Debug)]
pub struct Start {
    /// What is written together with the run, or not at all: the owner's own record.
    pub batch: Batch,
    /// The id the run gets: known to its owner before it begins, so that no other run can be taken for it.
    pub run: RunId,
    /// Qualified name of the flow.
    pub flow: String,
    /// Inputs that the owner offers, by name; those that the flow does not declare are dropped.
    pub inputs: Map,
    /// Present when a caller from outside chose the flow (`acr_values`): it must be launchable, and these inputs be
    /// among those that its project lets callers set.
    pub launch: Option<Map>,
    /// What templates may show of the owner, as `owner`: `client_name`, `client_uri`.
    pub shown: Map,
    /// Who asks.
    pub owner: Owner,
    /// SHA-256 (hex) of the browser cookie's value: only this browser may see the run.
    pub browser: String,
    /// The browser's address.
    pub address: IpAddr,
    /// The organisation whose people may log in.
    pub organisation: Option<OrgId>,
    /// Language preferences, best first.
    pub locales: Vec<String>,
    /// Origins (besides ours) to which a form of this run may lead: the verified redirect URI's.
    pub form_action: Vec<String>,
}

/// What the browser does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Go to this URL: a page of the run, another site (`RFAC`), or the owner's `return_to`.
    Redirect(String),
    /// Nothing was written: a precondition of the owner's batch failed, or what it uses up was used up.
    Raced,
}

/// A finished run, handed to its owner exactly once by `Engine::take`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The run.
    pub run: RunId,
    /// The started flow's qualified name.
    pub flow: String,
    /// What the flow said.
    pub outcome: Outcome,
    /// What was proved, in order.
    pub proofs: Vec<Proof>,
}
