//! What the engine asks of others: host modules (abilities of the server) and routines (everything a `Call`
//! reaches: host modules and Wasm plugins behind one door, which `plugin-host` implements).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use agama_lang::check::facts::{Proof as Proves, RoutineFacts};
use agama_lang::effect::{Call, CallError};
use agama_lang::value::Value;
use agamid_core::BoxFuture;
use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId, RunId};
use agamid_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An ability of the server, described by WIT. Flows call it by name; plugins import it where granted.
pub trait HostModule: Send + Sync {
    /// The WIT text: one package `agamid:host@0.1.0` with one interface. `agamid.users` is its interface `users`.
    fn wit(&self) -> &str;

    /// Whom a function (by its WIT name) proves to be there, for the checks of flows.
    fn proves(&self, _function: &str) -> Proves {
        Proves::Nobody
    }

    /// Calls a function by its WIT (kebab-case) name. The arguments were checked against the WIT types and
    /// have exactly its arity; records are maps with kebab-case keys turned to camelCase.
    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>>;
}

/// All that a `Call` can reach, as it stands now.
pub trait Routines: Send + Sync {
    /// The set that new revisions are compiled against.
    fn current(&self) -> Arc<dyn RoutineSet>;

    /// The set that a stored revision was compiled against; an error names the digest that is gone.
    fn pinned<'a>(&'a self, pins: &'a Pins) -> BoxFuture<'a, Result<Arc<dyn RoutineSet>, CallError>>;

    /// The kind of record that says what is in service on all nodes; empty where there is none.
    fn record(&self) -> &'static str {
        ""
    }

    /// Puts into service what those records say.
    fn adopt(&self) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What could not be put into service, and why, by file: empty when all is well.
    fn refused(&self) -> BTreeMap<String, String>;

    /// Ticks whenever `current` or `refused` changes.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;
}

/// One immutable set of routines.
pub trait RoutineSet: Send + Sync {
    /// Which plugin versions this set is made of.
    fn pins(&self) -> Pins;

    /// What `package#function` is, for checks.
    fn facts(&self, package: &str, function: &str) -> RoutineFacts;

    /// Whom `package#function` proves to be there, for checks.
    fn proves(&self, _package: &str, _function: &str) -> Proves {
        Proves::Unknown
    }

    /// Makes the call. A failing, missing, refused or trapping routine is an error, never a value.
    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Value, CallError>>;
}

/// Counts attempts to prove that a person is there, for all factors together: whoever checks a factor asks first, and
/// tells a failure. Success is told once, when the whole login is finished.
pub trait Attempts: Send + Sync {
    /// Whether another attempt may be made.
    fn allows<'a>(
        &'a self,
        context: &'a CallContext,
        person: &'a PersonId,
    ) -> BoxFuture<'a, Result<bool, CallError>>;

    /// An attempt failed.
    fn failed<'a>(
        &'a self,
        context: &'a CallContext,
        person: &'a PersonId,
    ) -> BoxFuture<'a, Result<(), CallError>>;
}

/// Plugin digests by plugin name (`extras:otp` → SHA-256 of the component, hex).
pub type Pins = BTreeMap<String, String>;

/// Who calls, and where proofs go. One per call.
pub struct CallContext {
    /// Time and randomness.
    pub env: Env,
    /// The run that calls; absent in tools.
    pub run: Option<RunId>,
    /// Qualified name of the calling flow.
    pub flow: String,
    /// The organisation whose people may be seen.
    pub organisation: Option<OrgId>,
    /// The caller's language preferences, best first.
    pub locales: Vec<String>,
    /// The address of the browser whose request runs the flow.
    pub address: Option<IpAddr>,
    /// SHA-256 of the browser cookie's value.
    pub browser: Option<String>,
    /// Counts attempts to prove something.
    pub attempts: Option<Arc<dyn Attempts>>,
    /// Whom the run has proved so far: what changes a person's credentials asks for it.
    pub ledger: Vec<Proof>,
    proofs: Mutex<Vec<Proof>>,
}

impl CallContext {
    /// A context for a run that has proved nobody yet.
    pub fn new(env: Env, flow: impl Into<String>) -> Self {
        Self {
            env,
            run: None,
            flow: flow.into(),
            organisation: None,
            locales: Vec::new(),
            address: None,
            browser: None,
            attempts: None,
            ledger: Vec::new(),
            proofs: Mutex::default(),
        }
    }

    /// Whether the run, or this call, has proved that `person` is here.
    pub fn has_proved(&self, person: &PersonId) -> bool {
        self.ledger.iter().any(|proof| proof.person == *person)
            || self
                .proofs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .any(|proof| proof.person == *person)
    }

    /// Adds an entry to the run's ledger: `by` has just made sure, by `method` (an `amr` value), that `person` is
    /// here. Only host modules and granted plugin functions get to call this.
    pub fn prove(&self, person: PersonId, method: &str, by: &str) {
        self.proofs.lock().unwrap_or_else(PoisonError::into_inner).push(Proof {
            person,
            method: method.to_owned(),
            at: self.env.now(),
            by: by.to_owned(),
        });
    }

    /// Takes the entries made during the call.
    pub fn take_proofs(&self) -> Vec<Proof> {
        std::mem::take(&mut *self.proofs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One entry of the proof ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Who was proved to be here.
    pub person: PersonId,
    /// How: an RFC 8176 method, `pwd`, `otp`.
    pub method: String,
    /// When.
    pub at: Timestamp,
    /// Which routine says so.
    pub by: String,
}
