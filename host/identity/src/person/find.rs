//! Finding persons.

use std::collections::BTreeSet;

use agamid_core::id::{OrgId, PersonId};
use agamid_store::{Scan, Versioned};

use super::{AccountStatus, MAX_LOGIN, Person, Persons, fold};
use crate::IdentityError;
use crate::attribute::{AttributeError, Reason, check, entries};
use crate::organisation::OrgScope;

/// Who is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonQuery {
    /// Everybody, by username.
    Everybody,
    /// Those with this value of an attribute.
    Equal {
        /// The attribute's name.
        attribute: String,
        /// The value.
        value: String,
    },
    /// Those with a value that begins so. Who has several such values is found once a page.
    StartsWith {
        /// The attribute's name.
        attribute: String,
        /// How the value begins.
        value: String,
    },
}

/// Some of those who were found.
#[derive(Debug, Clone)]
pub struct PersonPage {
    /// They.
    pub persons: Vec<Versioned<Person>>,
    /// Where the next page starts; absent at the end.
    pub next: Option<String>,
}

/// The last text that begins with another.
const END: char = char::MAX;

impl Persons {
    /// A person by id.
    pub async fn get(&self, scope: &OrgScope, id: &PersonId) -> Result<Option<Person>, IdentityError> {
        Ok(self.versioned(scope, id).await?.map(|found| found.record))
    }

    /// A person by id, with their version. Somebody who is being deleted is not there any more.
    pub async fn versioned(
        &self,
        scope: &OrgScope,
        id: &PersonId,
    ) -> Result<Option<Versioned<Person>>, IdentityError> {
        let found = self.store.get::<Person>(id.as_str()).await?;
        Ok(found.filter(|found| scope.covers(&found.record.organisation) && is_there(&found.record)))
    }

    /// A person by username, else by their primary mail address; nobody when several have the address.
    pub async fn by_login(&self, organisation: &OrgId, login: &str) -> Result<Option<Person>, IdentityError> {
        if login.len() > MAX_LOGIN || login.contains('\0') {
            return Ok(None);
        }
        let key = Person::login_key(organisation, login);
        let named = self.store.find::<Person>("username", &key).await?;
        // Looked up in any case: whether the name is somebody's must not show in the time.
        let mut found = self.store.find::<Person>("email", &key).await?;
        if let Some(named) = named.into_iter().next() {
            return Ok(Some(named.record).filter(is_there));
        }
        Ok(if found.len() == 1 { found.pop().map(|found| found.record).filter(is_there) } else { None })
    }

    /// A page of persons: those of `query`, in order, after the page that ended with `after`.
    pub async fn search(
        &self,
        scope: &OrgScope,
        query: &PersonQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PersonPage, IdentityError> {
        let (index, from, to) = self.range(query).await?;
        let mut homes = self.homes(scope).await?;
        let mut cursor = None;
        if let Some((home, inner)) = after.and_then(|after| after.split_once('.')) {
            homes.retain(|known| known.as_str() >= home);
            cursor = (!inner.is_empty() && homes.first().is_some_and(|first| first.as_str() == home))
                .then(|| inner.to_owned());
        }
        let limit = limit.clamp(1, 1000);
        let (mut persons, mut seen) = (Vec::new(), BTreeSet::new());
        for (at, home) in homes.iter().enumerate() {
            let range = Some(format!("{home}/{from}")..=format!("{home}/{to}"));
            let scan = Scan { index: Some(index), range, after: cursor.take(), limit: limit - persons.len() };
            let page = self.store.scan::<Person>(scan).await?;
            persons.extend(
                page.records.into_iter().filter(|f| is_there(&f.record) && seen.insert(f.record.id.clone())),
            );
            if let Some(next) = page.next {
                return Ok(PersonPage { persons, next: Some(format!("{home}.{next}")) });
            }
            if persons.len() >= limit
                && let Some(next) = homes.get(at + 1)
            {
                return Ok(PersonPage { persons, next: Some(format!("{next}.")) });
            }
        }
        Ok(PersonPage { persons, next: None })
    }

    /// The organisations of a scope, in order.
    async fn homes(&self, scope: &OrgScope) -> Result<Vec<OrgId>, IdentityError> {
        match scope {
            OrgScope::One(one) => Ok(vec![one.clone()]),
            OrgScope::All => {
                let all = self.organisations.list().await?;
                Ok(all.into_iter().map(|found| found.record.id).collect())
            }
        }
    }

    /// The index of a query, and the bounds of what comes after the organisation.
    async fn range(&self, query: &PersonQuery) -> Result<(&'static str, String, String), IdentityError> {
        let (name, value, is_prefix) = match query {
            PersonQuery::Everybody => return Ok(("username", String::new(), END.to_string())),
            PersonQuery::Equal { attribute, value } => (attribute, value, false),
            PersonQuery::StartsWith { attribute, value } => (attribute, value, true),
        };
        let refuse = |reason| IdentityError::from(AttributeError { attribute: name.clone(), reason });
        if value.chars().any(char::is_control) {
            return Err(refuse(Reason::Control));
        }
        if value.len() > MAX_LOGIN && (is_prefix || name == "username") {
            return Err(refuse(Reason::TooLong { found: value.chars().count(), most: MAX_LOGIN }));
        }
        let end = |from: &str| if is_prefix { format!("{from}{END}") } else { from.to_owned() };
        if name == "username" {
            let from = fold(value);
            let to = end(&from);
            return Ok(("username", from, to));
        }
        let schema = self.attributes.schema().await?;
        let attribute = schema.get(name).filter(|known| known.searchable || known.unique);
        let Some(attribute) = attribute else {
            return Err(refuse(Reason::Format("an attribute that is searchable")));
        };
        let from = entries::suffix(name, &check::folded(value, attribute.case_exact));
        let to = end(&from);
        Ok(("attribute", from, to))
    }
}

fn is_there(person: &Person) -> bool {
    person.status != AccountStatus::Deleting
}
