//! What the engine keeps in the store.

use std::collections::BTreeMap;

use agamid_core::id::{OrgId, RunId};
use agamid_core::time::Timestamp;
use agamid_store::{Index, IndexEntry, Record};
use serde::{Deserialize, Serialize};

use crate::owner::Owner;
use crate::ports::Pins;

/// A project: which revision is in service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProjectRecord {
    pub(crate) name: String,
    pub(crate) revision: String,
    pub(crate) deployed_at: Timestamp,
}

impl Record for ProjectRecord {
    const KIND: &'static str = "project";
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.name.clone()
    }
}

/// The files of a revision, base64, by path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RevisionRecord {
    pub(crate) hash: String,
    pub(crate) files: BTreeMap<String, String>,
}

impl Record for RevisionRecord {
    const KIND: &'static str = "revision";
    fn key(&self) -> String {
        self.hash.clone()
    }
}

/// The last deployment: whoever deploys writes it in the version that was read, so that what two nodes deploy at once is
/// checked one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeploymentRecord {
    pub(crate) release: String,
}

impl DeploymentRecord {
    pub(crate) const KEY: &'static str = "last";
}

impl Record for DeploymentRecord {
    const KIND: &'static str = "deployment";
    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

/// A release: which revisions and plugins belong together. Runs refer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReleaseRecord {
    pub(crate) id: String,
    pub(crate) revisions: BTreeMap<String, String>,
    pub(crate) pins: Pins,
}

impl Record for ReleaseRecord {
    const KIND: &'static str = "program";
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A run between two requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) id: RunId,
    pub(crate) flow: String,
    /// SHA-256 of the cookie of the only browser that may see it.
    pub(crate) browser: String,
    pub(crate) owner: Owner,
    pub(crate) release: String,
    pub(crate) organisation: Option<OrgId>,
    pub(crate) locales: Vec<String>,
    pub(crate) shown: serde_json::Value,
    pub(crate) form_action: Vec<String>,
    pub(crate) step: u64,
    pub(crate) status: Status,
    /// The sealed [`crate::run::Paused`], base64; bound to run, step and release.
    pub(crate) sealed: String,
    pub(crate) started_at: Timestamp,
    /// When the person's time is over.
    pub(crate) deadline: Timestamp,
    /// When the record goes: later, so that people are told why.
    pub(crate) expires_at: Timestamp,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Shows a page; the path below `/flow/{run}/`.
    Page { path: String, callback: bool },
    /// Sent the browser elsewhere.
    Away { url: String },
    /// A request is at work on it. If it does not say so again by then, it died, and the run stands where it stood before.
    Acting {
        until: Timestamp,
        /// Absent at the start of a run, which nobody has seen yet.
        before: Option<Box<Status>>,
    },
    /// It is over; where the browser goes.
    Over { next: String },
}

impl Status {
    /// What it really is at a time.
    pub(crate) fn at(self, now: Timestamp) -> Self {
        match self {
            Status::Acting { until, before: Some(before) } if until <= now => *before,
            other => other,
        }
    }

    pub(crate) fn waits_for_callback(&self) -> bool {
        matches!(self, Status::Page { callback: true, .. } | Status::Away { .. })
    }
}

impl Record for RunRecord {
    const KIND: &'static str = "run";
    const INDEXES: &'static [Index] = &[Index::shared("callback")];
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        if self.status.waits_for_callback() {
            vec![IndexEntry::new("callback", self.browser.clone())]
        } else {
            Vec::new()
        }
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}
