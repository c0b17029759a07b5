//! Settings: everything an operator changes on a running server. One record a section, owned by the crate whose
//! section it is; the store only keeps the document.

use serde::{Deserialize, Serialize};

use crate::record::Record;

/// The settings of one section, `flows`, `oauth`, `plugins`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The section's name.
    pub section: String,
    /// The section's document, as its crate's settings type writes it.
    pub value: serde_json::Value,
}

impl Record for Setting {
    const KIND: &'static str = "setting";
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.section.clone()
    }
}
