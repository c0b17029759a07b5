//! Going through all persons for a definition that changes, page by page.

use agamid_store::{Batch, Expect, Scan, StoreError, Versioned};
use serde::Serialize;

use super::Attributes;
use crate::IdentityError;
use crate::attribute::{Attribute, entries};
use crate::person::Person;

/// Persons in one step.
const PAGE: usize = 200;
/// Duplicates named in an error.
const NAMED: usize = 10;

/// A value that several persons have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// The value, as it is compared.
    pub value: String,
    /// The usernames of two of them.
    pub persons: [String; 2],
}

impl Attributes {
    async fn page(
        &self,
        after: Option<String>,
    ) -> Result<(Vec<Versioned<Person>>, Option<String>), IdentityError> {
        let page = self.store.scan::<Person>(Scan { after, limit: PAGE, ..Scan::default() }).await?;
        Ok((page.records, page.next))
    }

    /// Whether any person has a value.
    pub(super) async fn has_values(&self, name: &str) -> Result<bool, IdentityError> {
        let mut after = None;
        loop {
            self.renew(name).await?;
            let (persons, next) = self.page(after).await?;
            if persons.iter().any(|found| found.record.attributes.contains_key(name)) {
                return Ok(true);
            }
            let Some(next) = next else { return Ok(false) };
            after = Some(next);
        }
    }

    /// Writes the entries of all persons as this definition wants them. Refused where values meet that must not.
    pub(super) async fn index(&self, attribute: &Attribute) -> Result<(), IdentityError> {
        let mut duplicates = Vec::new();
        let mut after = None;
        loop {
            self.renew(&attribute.name).await?;
            let (persons, next) = self.page(after).await?;
            for found in persons {
                if found.record.attributes.contains_key(&attribute.name)
                    && let Some(duplicate) = self.index_one(attribute, found).await?
                {
                    duplicates.push(duplicate);
                }
                if duplicates.len() == NAMED {
                    return Err(IdentityError::Duplicates(duplicates));
                }
            }
            let Some(next) = next else { break };
            after = Some(next);
        }
        if duplicates.is_empty() { Ok(()) } else { Err(IdentityError::Duplicates(duplicates)) }
    }

    async fn index_one(
        &self,
        attribute: &Attribute,
        mut found: Versioned<Person>,
    ) -> Result<Option<Duplicate>, IdentityError> {
        loop {
            let mut person = found.record.clone();
            let Some(value) = person.attributes.get(&attribute.name) else { return Ok(None) };
            let wanted = entries::of_attribute(&person.organisation, attribute, value);
            for (list, on) in [
                (&mut person.entries.unique, attribute.unique),
                (&mut person.entries.shared, attribute.unique || attribute.searchable),
            ] {
                list.retain(|entry| entries::attribute_of(entry) != attribute.name);
                list.extend(wanted.iter().filter(|_| on).cloned());
                list.sort();
            }
            if person == found.record {
                return Ok(None);
            }
            let commit = self.store.commit(Batch::new().put(&person, Expect::Version(found.version))).await;
            match commit {
                Ok(_) => return Ok(None),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            for entry in &wanted {
                let holders = self.store.find::<Person>("unique", entry).await?;
                if let Some(other) = holders.into_iter().find(|holder| holder.record.id != person.id) {
                    let value = entry.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
                    let persons = [other.record.username, person.username];
                    return Ok(Some(Duplicate { value, persons }));
                }
            }
            // Somebody changed the person meanwhile.
            let Some(again) = self.store.get::<Person>(person.id.as_str()).await? else { return Ok(None) };
            found = again;
        }
    }

    /// Takes the attribute's values from all persons.
    pub(super) async fn strip(&self, name: &str) -> Result<(), IdentityError> {
        let mut after = None;
        loop {
            let (persons, next) = self.page(after).await?;
            for found in persons {
                self.strip_one(name, found).await?;
            }
            let Some(next) = next else { return Ok(()) };
            after = Some(next);
        }
    }

    async fn strip_one(&self, name: &str, mut found: Versioned<Person>) -> Result<(), IdentityError> {
        loop {
            let mut person = found.record;
            if person.attributes.remove(name).is_none() {
                return Ok(());
            }
            for list in [&mut person.entries.unique, &mut person.entries.shared] {
                list.retain(|entry| entries::attribute_of(entry) != name);
            }
            match self.store.commit(Batch::new().put(&person, Expect::Version(found.version))).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let Some(again) = self.store.get::<Person>(person.id.as_str()).await? else { return Ok(()) };
            found = again;
        }
    }
}
