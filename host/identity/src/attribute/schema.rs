//! The core attributes and those an operator defined, as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::definition::{AttributeDefinition, State};
use super::{Attribute, core};

static CORE: LazyLock<Vec<Arc<Attribute>>> =
    LazyLock::new(|| core::table().into_iter().map(Arc::new).collect());

/// Everything that may be known of a person.
#[derive(Debug, Clone)]
pub struct Schema {
    attributes: BTreeMap<String, (Arc<Attribute>, State)>,
    /// The revision it was read at; a person is written only while it stands.
    pub(crate) revision: Option<u64>,
}

impl Schema {
    /// The core attributes alone.
    pub(crate) fn core() -> Self {
        let all =
            CORE.iter().map(|attribute| (attribute.name.clone(), (Arc::clone(attribute), State::Settled)));
        Self { attributes: all.collect(), revision: None }
    }

    pub(crate) fn with(definitions: Vec<AttributeDefinition>, revision: Option<u64>) -> Self {
        let mut schema = Self { revision, ..Self::core() };
        for definition in definitions {
            let AttributeDefinition { attribute, state, .. } = definition;
            // An attribute that has become one of the core since keeps the core's rules.
            schema.attributes.entry(attribute.name.clone()).or_insert_with(|| (Arc::new(attribute), state));
        }
        schema
    }

    /// The attribute of that name.
    pub fn get(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name).map(|(attribute, _)| &**attribute)
    }

    pub(crate) fn state(&self, name: &str) -> Option<State> {
        self.attributes.get(name).map(|(_, state)| *state)
    }

    /// All attributes, by name.
    pub fn all(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.values().map(|(attribute, _)| &**attribute)
    }

    /// The attributes that become claims.
    pub fn released(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        let live = self.attributes.values().filter(|(_, state)| *state != State::Deleting);
        live.filter_map(|(attribute, _)| Some((attribute.claim.as_deref()?, &**attribute)))
    }

    /// The attribute that becomes this claim.
    pub fn claim(&self, claim: &str) -> Option<&Attribute> {
        self.released().find(|(name, _)| *name == claim).map(|(_, attribute)| attribute)
    }

    /// The scopes that release anything about a person.
    pub fn scopes(&self) -> BTreeSet<&str> {
        self.released().flat_map(|(_, attribute)| attribute.scopes.iter().map(String::as_str)).collect()
    }
}
