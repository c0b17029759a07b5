//! Runs Agama programs for a browser: projects, revisions, runs, pages, hot reload, and the proof ledger.

pub mod owner;
pub mod ports;

pub use agama_lang;
