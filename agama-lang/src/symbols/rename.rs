//! A new name for a variable: where it must be written, or why it can't be.

use super::{IDX, KEYWORDS, Role, Symbols};
use crate::ast::Span;

/// Why a variable can't have a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// Nothing has the old name.
    #[error("the flow has no variable {0}")]
    NoSuchVariable(String),
    /// The old or the new name is `idx`.
    #[error("idx holds the counters of the loops; it keeps its name, and no other variable can have it")]
    Idx,
    /// The new name is a word of the language.
    #[error("{0} is a word of the language; choose another name")]
    Keyword(String),
    /// The new name can't be a name.
    #[error("{0:?} is no name: a name is a letter, then letters, digits and _, all ASCII")]
    NotAName(String),
    /// Another variable has the new name.
    #[error("the flow already has a variable {0}; the two would become one")]
    Taken(String),
}

impl Symbols {
    /// The places where a variable's name must be replaced to rename it, in the order of the source. Properties and map
    /// keys of the same name are none.
    pub fn rename(&self, from: &str, to: &str) -> Result<Vec<Span>, RenameError> {
        let variable =
            self.variables.get(from).ok_or_else(|| RenameError::NoSuchVariable(from.to_owned()))?;
        if from == IDX || to == IDX {
            return Err(RenameError::Idx);
        }
        if KEYWORDS.contains(&to) {
            return Err(RenameError::Keyword(to.to_owned()));
        }
        if !is_name(to) {
            return Err(RenameError::NotAName(to.to_owned()));
        }
        if from != to && self.variables.contains_key(to) {
            return Err(RenameError::Taken(to.to_owned()));
        }
        let mut places: Vec<Span> = variable.spans().collect();
        places.sort_by_key(|span| span.start);
        Ok(places)
    }

    /// Whether a variable is an input: callers of the flow may know its name (`launchable` in `project.json`).
    pub fn is_input(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|variable| {
            variable.definitions.iter().any(|definition| definition.role == Role::Input)
        })
    }
}

/// Whether a text is written like a name. Keywords are too.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
