//! Groups of persons and of groups.
//!
//! Each membership is a record of its own, so a group can have any number of members and two who change it at once don't
//! undo each other's work. Groups within groups change one after the other in an organisation, which is how a cycle is
//! refused in a race too.

mod members;

use agamid_core::Env;
use agamid_core::id::{GroupId, OrgId, PersonId};
use agamid_core::time::Timestamp;
use agamid_store::{
    AuditEvent, Batch, Expect, Index, IndexEntry, Record, Scan, Store, StoreError, Versioned,
};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::organisation::{OrgScope, Organisation, Organisations};

pub(crate) use members::Nesting;
pub use members::{Effective, MAX_DEPTH, MAX_EFFECTIVE};

/// Records removed in one commit.
const STEP: usize = 100;
/// How often a lost race is run again.
const TRIES: usize = 60;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Where it belongs.
    pub organisation: OrgId,
    /// What people call it; unique in the organisation, letter case aside. Its name in the claim `groups`.
    pub display_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What another system calls it.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last; its members are apart.
    pub updated_at: Timestamp,
}

fn name_key(organisation: &OrgId, name: &str) -> String {
    format!("{organisation}/{}", name.trim().to_lowercase())
}

impl Record for Group {
    const KIND: &'static str = "group";
    const INDEXES: &'static [Index] = &[Index::unique("name"), Index::shared("external")];
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        let mut entries = vec![IndexEntry::new("name", name_key(&self.organisation, &self.display_name))];
        let external = self.external_id.as_ref();
        entries.extend(external.map(|id| IndexEntry::new("external", format!("{}/{id}", self.organisation))));
        entries
    }
}

/// What kind of member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A person.
    Person,
    /// A group.
    Group,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Its id.
    pub id: String,
}

impl Member {
    /// A person.
    pub fn person(id: &PersonId) -> Self {
        Self { kind: MemberKind::Person, id: id.to_string() }
    }

    /// A group.
    pub fn group(id: &GroupId) -> Self {
        Self { kind: MemberKind::Group, id: id.to_string() }
    }
}

/// That somebody is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub member: Member,
    /// Since when.
    pub added_at: Timestamp,
}

pub(crate) fn member_key(kind: MemberKind, id: &str) -> String {
    let kind = match kind {
        MemberKind::Person => "person",
        MemberKind::Group => "group",
    };
    format!("{kind}/{id}")
}

impl Record for Membership {
    const KIND: &'static str = "group_member";
    const INDEXES: &'static [Index] = &[Index::shared("member")];
    fn key(&self) -> String {
        format!("{}/{}", self.group, member_key(self.member.kind, &self.member.id))
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("member", member_key(self.member.kind, &self.member.id))]
    }
}

/// What a new group is made of, or what is to change of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFields {
    /// See [`Group::display_name`].
    pub display_name: Option<String>,
    /// See [`Group::description`]; null takes it away.
    pub description: Option<Option<String>>,
    /// See [`Group::external_id`]; null takes it away.
    pub external_id: Option<Option<String>>,
}

/// Groups.
#[derive(Clone)]
pub struct Groups {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) organisations: Organisations,
}

fn wrong(field: &str, reason: &str) -> IdentityError {
    IdentityError::Definition { field: field.to_owned(), reason: reason.to_owned() }
}

fn changed(mut group: Group, fields: &GroupFields) -> Result<Group, IdentityError> {
    let is_bad = |text: &str, most: usize| text.chars().count() > most || text.chars().any(char::is_control);
    if let Some(name) = &fields.display_name {
        let name = name.trim();
        if name.is_empty() || is_bad(name, 100) {
            return Err(wrong("display_name", "has 1 to 100 characters, no control characters"));
        }
        name.clone_into(&mut group.display_name);
    }
    if let Some(description) = &fields.description {
        if description.as_deref().is_some_and(|text| is_bad(text, 1000)) {
            return Err(wrong("description", "has at most 1000 characters, no control characters"));
        }
        group.description.clone_from(description);
    }
    if let Some(external) = &fields.external_id {
        if external.as_deref().is_some_and(|text| text.is_empty() || text.len() > 256 || is_bad(text, 256)) {
            return Err(wrong("external_id", "has 1 to 256 bytes, no control characters"));
        }
        group.external_id.clone_from(external);
    }
    if group.display_name.is_empty() {
        return Err(wrong("display_name", "is missing"));
    }
    Ok(group)
}

impl Groups {
    /// Makes a group; it needs a name.
    pub async fn create(
        &self,
        organisation: &OrgId,
        fields: &GroupFields,
        actor: &str,
    ) -> Result<Group, IdentityError> {
        let now = self.env.now();
        let bare = Group {
            id: GroupId::generate(&self.env),
            organisation: organisation.clone(),
            display_name: String::new(),
            description: None,
            external_id: None,
            created_at: now,
            updated_at: now,
        };
        let group = changed(bare, fields)?;
        for _ in 0..TRIES {
            let home = self.organisations.open(organisation).await?;
            let batch = Batch::new()
                .require::<Organisation>(organisation.as_str(), Expect::Version(home.version))
                .put(&group, Expect::Absent)
                .audit(AuditEvent::new("group.created", actor, group.id.as_str()));
            match self.store.commit(batch).await {
                Ok(_) => return Ok(group),
                Err(StoreError::Conflict { .. }) => self.check_taken(&group).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// A group by id.
    pub async fn get(&self, scope: &OrgScope, id: &GroupId) -> Result<Option<Group>, IdentityError> {
        Ok(self.versioned(scope, id).await?.map(|found| found.record))
    }

    /// A group by id, with its version.
    pub async fn versioned(
        &self,
        scope: &OrgScope,
        id: &GroupId,
    ) -> Result<Option<Versioned<Group>>, IdentityError> {
        let found = self.store.get::<Group>(id.as_str()).await?;
        Ok(found.filter(|found| scope.covers(&found.record.organisation)))
    }

    /// A group of an organisation by name.
    pub async fn by_name(&self, organisation: &OrgId, name: &str) -> Result<Option<Group>, IdentityError> {
        if name.len() > 400 || name.contains('\0') {
            return Ok(None);
        }
        let found = self.store.find::<Group>("name", &name_key(organisation, name)).await?;
        Ok(found.into_iter().next().map(|found| found.record))
    }

    /// A page of an organisation's groups whose name begins with `prefix`, by name; and where the next one starts.
    pub async fn search(
        &self,
        organisation: &OrgId,
        prefix: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Versioned<Group>>, Option<String>), IdentityError> {
        if prefix.len() > 256 || prefix.contains('\0') {
            return Ok((Vec::new(), None));
        }
        let from = name_key(organisation, prefix);
        let range = Some(from.clone()..=format!("{from}{}", char::MAX));
        let scan = Scan { index: Some("name"), range, after, limit: limit.clamp(1, 1000) };
        let page = self.store.scan::<Group>(scan).await?;
        Ok((page.records, page.next))
    }

    /// Changes a group. Where `expected` is given, only if it has that version still.
    pub async fn update(
        &self,
        scope: &OrgScope,
        id: &GroupId,
        fields: &GroupFields,
        expected: Option<u64>,
        actor: &str,
    ) -> Result<Versioned<Group>, IdentityError> {
        for _ in 0..TRIES {
            let found = self.versioned(scope, id).await?.ok_or(IdentityError::NoGroup)?;
            if expected.is_some_and(|expected| expected != found.version) {
                return Err(IdentityError::VersionChanged);
            }
            let mut group = changed(found.record.clone(), fields)?;
            if group == found.record {
                return Ok(found);
            }
            group.updated_at = self.env.now();
            let audit = AuditEvent::new("group.changed", actor, id.as_str());
            let batch = Batch::new().put(&group, Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(Versioned { record: group, version: found.version + 1 }),
                Err(StoreError::Conflict { .. }) => self.check_taken(&group).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    async fn check_taken(&self, group: &Group) -> Result<(), IdentityError> {
        let key = name_key(&group.organisation, &group.display_name);
        let found = self.store.find::<Group>("name", &key).await?;
        if found.iter().any(|found| found.record.id != group.id) {
            return Err(IdentityError::Taken { attribute: "display_name".to_owned() });
        }
        Ok(())
    }

    /// Deletes a group; its members and the groups that it was in stay. Memberships go first, in steps; what was cut off
    /// goes on with the next try. A membership without its group counts for nothing.
    pub async fn delete(&self, scope: &OrgScope, id: &GroupId, actor: &str) -> Result<(), IdentityError> {
        for _ in 0..TRIES {
            let found = self.versioned(scope, id).await?.ok_or(IdentityError::NoGroup)?;
            self.remove_memberships(id).await?;
            let audit = AuditEvent::new("group.deleted", actor, id.as_str());
            let batch =
                Batch::new().delete::<Group>(id.as_str(), Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                // Who came in while it went.
                Ok(_) => return self.remove_memberships(id).await,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Removes what a group has and where it is.
    async fn remove_memberships(&self, id: &GroupId) -> Result<(), IdentityError> {
        let is_in = member_key(MemberKind::Group, id.as_str());
        for (index, from, to) in
            [(None, format!("{id}/"), format!("{id}/{}", char::MAX)), (Some("member"), is_in.clone(), is_in)]
        {
            loop {
                let scan = Scan { index, range: Some(from.clone()..=to.clone()), after: None, limit: STEP };
                let page = self.store.scan::<Membership>(scan).await?;
                if page.records.is_empty() {
                    break;
                }
                let mut batch = Batch::new();
                for found in &page.records {
                    batch = batch.delete::<Membership>(&found.record.key(), Expect::Any);
                }
                self.store.commit(batch).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
