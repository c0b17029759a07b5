//! Organisations, and the scope that every query for their people takes.

use agamid_core::Env;
use agamid_core::id::OrgId;
use agamid_core::time::Timestamp;
use agamid_store::{
    AuditEvent, Batch, Expect, Index, IndexEntry, Record, Scan, Store, StoreError, Versioned,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::IdentityError;
use crate::attribute::check::{is_domain, is_mail, is_url};
use crate::group::Group;
use crate::person::Person;

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Its id.
    pub id: OrgId,
    /// What people call it; unique, letter case aside.
    pub name: String,
    /// Its mail domain, in small letters; unique.
    pub domain: Option<String>,
    /// How its pages look.
    #[serde(default)]
    pub branding: Branding,
    /// Its rules.
    #[serde(default)]
    pub policy: Policy,
    /// Whether it is being deleted: nobody can be added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closing: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How an organisation's pages look, and where they point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Branding {
    /// The URL of its logo.
    pub logo_uri: Option<String>,
    /// Its colour, `#rrggbb`.
    pub colour: Option<String>,
    /// The URL of its site.
    pub home_uri: Option<String>,
    /// Where help is, as a URL.
    pub support_uri: Option<String>,
    /// Where help is, as a mail address.
    pub support_mail: Option<String>,
    /// The URL of its terms.
    pub tos_uri: Option<String>,
    /// The URL of its privacy statement.
    pub policy_uri: Option<String>,
}

/// What is other in an organisation than the settings say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whether no two persons may have the same primary mail address; the setting `identity.unique_primary_mail` decides
    /// where this is absent.
    pub unique_primary_mail: Option<bool>,
}

/// What is written of an organisation; what is absent stays as it is. The domain is taken away by null.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganisationChanges {
    /// See [`Organisation::name`].
    pub name: Option<String>,
    /// See [`Organisation::domain`].
    #[serde(with = "nullable")]
    pub domain: Option<Option<String>>,
    /// See [`Organisation::branding`]; as a whole.
    pub branding: Option<Branding>,
    /// See [`Organisation::policy`]; as a whole.
    pub policy: Option<Policy>,
}

/// Tells a member that is null from one that is absent.
mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Option<String>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }

    #[expect(clippy::ref_option, reason = "serde hands a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<Option<String>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

impl Record for Organisation {
    const KIND: &'static str = "organisation";
    const INDEXES: &'static [Index] = &[Index::unique("name"), Index::unique("domain")];
    const CACHED: bool = true;
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        let mut entries = vec![IndexEntry::new("name", self.name.to_lowercase())];
        entries.extend(self.domain.as_ref().map(|domain| IndexEntry::new("domain", domain)));
        entries
    }
}

/// Whose people a query may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgScope {
    /// Those of one organisation.
    One(OrgId),
    /// Everybody: for the server's own administration.
    All,
}

impl OrgScope {
    /// Whether people of `organisation` are inside.
    pub fn covers(&self, organisation: &OrgId) -> bool {
        match self {
            OrgScope::One(one) => one == organisation,
            OrgScope::All => true,
        }
    }
}

/// The name of the organisation that is made at the first start.
const DEFAULT: &str = "default";
/// The most organisations.
const MOST: usize = 1000;
/// How often a lost race is run again.
const TRIES: usize = 60;

/// The id of the organisation that always exists, whatever it is called now.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DefaultOrganisation {
    id: OrgId,
}

impl Record for DefaultOrganisation {
    const KIND: &'static str = "default_organisation";
    fn key(&self) -> String {
        DEFAULT.to_owned()
    }
}

/// Organisations.
#[derive(Clone)]
pub struct Organisations {
    pub(crate) env: Env,
    pub(crate) store: Store,
}

impl Organisations {
    /// The organisation that always exists; made when missing.
    pub async fn ensure_default(&self) -> Result<Organisation, IdentityError> {
        for _ in 0..TRIES {
            if let Some(known) = self.store.get::<DefaultOrganisation>(DEFAULT).await? {
                let found = self.store.get::<Organisation>(known.record.id.as_str()).await?;
                return found.map(|found| found.record).ok_or(IdentityError::NoOrganisation);
            }
            let mut batch = Batch::new();
            // Stores of before had nothing but the name.
            let found = self.store.find::<Organisation>("name", DEFAULT).await?.into_iter().next();
            let organisation = if let Some(found) = found {
                found.record
            } else {
                let made = self.bare(DEFAULT.to_owned());
                let audit = AuditEvent::new("organisation.created", "server", made.id.as_str());
                batch = batch.put(&made, Expect::Absent).audit(audit);
                made
            };
            let known = DefaultOrganisation { id: organisation.id.clone() };
            match self.store.commit(batch.put(&known, Expect::Absent)).await {
                Ok(_) => return Ok(organisation),
                // Another node was faster: theirs counts.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    fn bare(&self, name: String) -> Organisation {
        Organisation {
            id: OrgId::generate(&self.env),
            name,
            domain: None,
            branding: Branding::default(),
            policy: Policy::default(),
            closing: false,
            created_at: self.env.now(),
        }
    }

    /// All organisations, by id.
    pub async fn list(&self) -> Result<Vec<Versioned<Organisation>>, IdentityError> {
        Ok(self.store.scan::<Organisation>(Scan { limit: MOST, ..Scan::default() }).await?.records)
    }

    /// An organisation by id.
    pub async fn get(&self, scope: &OrgScope, id: &OrgId) -> Result<Option<Organisation>, IdentityError> {
        if !scope.covers(id) {
            return Ok(None);
        }
        Ok(self.versioned(id).await?.map(|found| found.record))
    }

    /// An organisation that people can be added to.
    pub(crate) async fn open(&self, id: &OrgId) -> Result<Versioned<Organisation>, IdentityError> {
        let found = self.versioned(id).await?.filter(|found| !found.record.closing);
        found.ok_or(IdentityError::NoOrganisation)
    }

    pub(crate) async fn versioned(
        &self,
        id: &OrgId,
    ) -> Result<Option<Versioned<Organisation>>, IdentityError> {
        Ok(self.store.get::<Organisation>(id.as_str()).await?)
    }

    /// Makes an organisation; it needs a name.
    pub async fn create(
        &self,
        new: &OrganisationChanges,
        actor: &str,
    ) -> Result<Organisation, IdentityError> {
        if new.name.is_none() {
            return Err(wrong("name", "is missing"));
        }
        if self.list().await?.len() >= MOST {
            return Err(wrong("name", "a server has at most 1000 organisations"));
        }
        let organisation = changed(self.bare(String::new()), new)?;
        let audit = AuditEvent::new("organisation.created", actor, organisation.id.as_str());
        match self.store.commit(Batch::new().put(&organisation, Expect::Absent).audit(audit)).await {
            Ok(_) => Ok(organisation),
            Err(StoreError::Conflict { .. }) => Err(self.taken(&organisation).await?),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes an organisation.
    pub async fn update(
        &self,
        id: &OrgId,
        changes: &OrganisationChanges,
        actor: &str,
    ) -> Result<Organisation, IdentityError> {
        for _ in 0..TRIES {
            let found = self.versioned(id).await?.ok_or(IdentityError::NoOrganisation)?;
            let organisation = changed(found.record, changes)?;
            let audit = AuditEvent::new("organisation.changed", actor, id.as_str());
            let batch = Batch::new().put(&organisation, Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(organisation),
                Err(StoreError::Conflict { .. }) => {
                    let again = self.versioned(id).await?;
                    if again.is_some_and(|again| again.version == found.version) {
                        return Err(self.taken(&organisation).await?);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Which of its names somebody else has.
    async fn taken(&self, organisation: &Organisation) -> Result<IdentityError, IdentityError> {
        let by_name = self.store.find::<Organisation>("name", &organisation.name.to_lowercase()).await?;
        let is_name = by_name.iter().any(|found| found.record.id != organisation.id);
        let attribute = if is_name { "name" } else { "domain" };
        Ok(IdentityError::Taken { attribute: attribute.to_owned() })
    }

    /// Deletes an organisation that has neither persons nor groups.
    pub async fn delete(&self, id: &OrgId, actor: &str) -> Result<(), IdentityError> {
        let default = self.store.get::<DefaultOrganisation>(DEFAULT).await?;
        if default.is_some_and(|known| known.record.id == *id) {
            return Err(IdentityError::OrganisationInUse("it is the server's own"));
        }
        for _ in 0..TRIES {
            let found = self.versioned(id).await?.ok_or(IdentityError::NoOrganisation)?;
            // Closed first, so that nobody comes in while people are looked for.
            if !self.set_closing(&found, true).await? {
                continue;
            }
            if let Err(refused) = self.check_empty(id).await {
                if let Some(closed) = self.versioned(id).await? {
                    self.set_closing(&closed, false).await?;
                }
                return Err(refused);
            }
            let audit = AuditEvent::new("organisation.deleted", actor, id.as_str());
            let expect = Expect::Version(found.version + 1);
            match self
                .store
                .commit(Batch::new().delete::<Organisation>(id.as_str(), expect).audit(audit))
                .await
            {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Answers whether nobody was faster.
    async fn set_closing(
        &self,
        found: &Versioned<Organisation>,
        closing: bool,
    ) -> Result<bool, IdentityError> {
        let record = Organisation { closing, ..found.record.clone() };
        match self.store.commit(Batch::new().put(&record, Expect::Version(found.version))).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn check_empty(&self, id: &OrgId) -> Result<(), IdentityError> {
        let scan = |index| Scan {
            index: Some(index),
            range: Some(format!("{id}/")..=format!("{id}/{}", char::MAX)),
            after: None,
            limit: 1,
        };
        if !self.store.scan::<Person>(scan("username")).await?.records.is_empty() {
            return Err(IdentityError::OrganisationInUse("it has people: delete them first"));
        }
        if !self.store.scan::<Group>(scan("name")).await?.records.is_empty() {
            return Err(IdentityError::OrganisationInUse("it has groups: delete them first"));
        }
        Ok(())
    }
}

fn wrong(field: &str, reason: &str) -> IdentityError {
    IdentityError::Definition { field: field.to_owned(), reason: reason.to_owned() }
}

/// An organisation with changes, checked.
fn changed(
    mut organisation: Organisation,
    changes: &OrganisationChanges,
) -> Result<Organisation, IdentityError> {
    if let Some(name) = &changes.name {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(wrong("name", "has 1 to 100 characters, no control characters"));
        }
        name.clone_into(&mut organisation.name);
    }
    if let Some(domain) = &changes.domain {
        let domain = domain.as_ref().map(|domain| domain.trim().to_lowercase());
        if domain.as_deref().is_some_and(|domain| !is_domain(domain)) {
            return Err(wrong("domain", "is a domain like example.org"));
        }
        organisation.domain = domain;
    }
    if let Some(branding) = &changes.branding {
        check_branding(branding)?;
        organisation.branding.clone_from(branding);
    }
    if let Some(policy) = &changes.policy {
        organisation.policy.clone_from(policy);
    }
    // Of a deletion that was cut off nothing is left.
    organisation.closing = false;
    Ok(organisation)
}

fn check_branding(branding: &Branding) -> Result<(), IdentityError> {
    let urls = [
        ("branding.logo_uri", &branding.logo_uri),
        ("branding.home_uri", &branding.home_uri),
        ("branding.support_uri", &branding.support_uri),
        ("branding.tos_uri", &branding.tos_uri),
        ("branding.policy_uri", &branding.policy_uri),
    ];
    for (field, url) in urls {
        if url.as_deref().is_some_and(|url| url.len() > 2048 || !is_url(url)) {
            return Err(wrong(field, "is an http or https URL of at most 2048 bytes"));
        }
    }
    let is_colour = |text: &str| {
        text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if branding.colour.as_deref().is_some_and(|colour| !is_colour(colour)) {
        return Err(wrong("branding.colour", "is a colour like #1a73e8"));
    }
    if branding.support_mail.as_deref().is_some_and(|mail| !is_mail(mail)) {
        return Err(wrong("branding.support_mail", "is a mail address like help@example.org"));
    }
    Ok(())
}

impl OrganisationChanges {
    /// Reads the admin API's JSON.
    pub fn read(json: Value) -> Result<Self, IdentityError> {
        crate::json::read(json)
    }
}

#[cfg(test)]
mod tests;
