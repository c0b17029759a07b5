//! Runs Agama programs for a browser.
//!
//! | module | what |
//! | --- | --- |
//! | [`project`], [`revision`], [`catalog`] | files, their compiled form, what is in service; deployment and hot reload |
//! | [`engine`], `perform`, `run` | the life of a run: start, pause, resume, outcome |
//! | [`routes`] | the pages of runs |
//! | [`ports`], [`owner`] | what the engine asks of others, and who asks for runs |
//! | [`proof`] | what a finished run is worth |
//!
//! To add a kind of owner: a variant of [`owner::OwnerKind`]. To add an effect: a variant of
//! `agama_lang::effect::Effect`, and its arm in `perform.rs`.

pub mod catalog;
pub mod engine;
pub mod owner;
mod perform;
pub mod ports;
pub mod project;
pub mod proof;
mod records;
pub mod revision;
pub mod routes;
mod run;
pub mod settings;
pub mod template_facts;
mod watch;

pub use agama_lang;
pub use engine::{Engine, EngineError, EngineParts, LaunchError};
pub use owner::{Finished, Next, Owner, OwnerKind, Start};
pub use settings::FlowSettings;

use agamid_store::Kind;

/// The kinds of record of this crate.
pub fn records() -> Vec<Kind> {
    vec![
        Kind::of::<records::ProjectRecord>(),
        Kind::of::<records::RevisionRecord>(),
        Kind::of::<records::ReleaseRecord>(),
        Kind::of::<records::DeploymentRecord>(),
        Kind::of::<records::RunRecord>(),
    ]
}

#[cfg(test)]
mod tests;
