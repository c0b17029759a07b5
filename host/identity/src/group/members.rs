//! Who is in a group.

use std::collections::{BTreeMap, BTreeSet};

use agamid_core::id::{GroupId, OrgId, PersonId};
use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, StoreError, Versioned};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Group, Groups, Member, MemberKind, Membership, TRIES, member_key};
use crate::IdentityError;
use crate::organisation::OrgScope;
use crate::person::{AccountStatus, Person};

/// How many groups may lie one in the other.
pub const MAX_DEPTH: usize = 10;
/// The most groups that a person can be found in, directly or not.
pub const MAX_EFFECTIVE: usize = 1000;

/// Raised with every group that comes into another: of two who do it at once one starts anew, and sees the other's work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Nesting {
    organisation: OrgId,
}

impl Record for Nesting {
    const KIND: &'static str = "group_nesting";
    fn key(&self) -> String {
        self.organisation.to_string()
    }
}

/// The groups that a person is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effective {
    /// They, by id; `true` for those that have the person as a member themselves.
    pub groups: BTreeMap<GroupId, (Group, bool)>,
    /// Whether there are more, which were not looked at.
    pub is_cut: bool,
}

impl Effective {
    /// Their names, in order: the claim `groups`.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.groups.values().map(|(group, _)| group.display_name.clone()).collect();
        names.sort();
        names
    }
}

impl Groups {
    /// Puts a person or a group into a group; `false` where they are in it already.
    pub async fn add(
        &self,
        scope: &OrgScope,
        group: &GroupId,
        member: &Member,
        actor: &str,
    ) -> Result<bool, IdentityError> {
        for _ in 0..TRIES {
            let home = self.versioned(scope, group).await?.ok_or(IdentityError::NoGroup)?;
            let membership =
                Membership { group: group.clone(), member: member.clone(), added_at: self.env.now() };
            if self.store.get::<Membership>(&membership.key()).await?.is_some() {
                return Ok(false);
            }
            let batch = Batch::new().require::<Group>(group.as_str(), Expect::Version(home.version));
            let batch = match member.kind {
                MemberKind::Person => self.require_person(&home.record, &member.id, batch).await?,
                MemberKind::Group => self.require_group(&home.record, &member.id, batch).await?,
            };
            let audit = membership_event("group.member_added", actor, &membership);
            let batch = batch.put(&membership, Expect::Absent).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Takes somebody out of a group; `false` where they are not in it.
    pub async fn remove(
        &self,
        scope: &OrgScope,
        group: &GroupId,
        member: &Member,
        actor: &str,
    ) -> Result<bool, IdentityError> {
        self.versioned(scope, group).await?.ok_or(IdentityError::NoGroup)?;
        let known = match member.kind {
            MemberKind::Person => PersonId::parse(&member.id).is_some(),
            MemberKind::Group => GroupId::parse(&member.id).is_some(),
        };
        let membership =
            Membership { group: group.clone(), member: member.clone(), added_at: self.env.now() };
        if !known {
            return Ok(false);
        }
        let key = membership.key();
        let Some(found) = self.store.get::<Membership>(&key).await? else { return Ok(false) };
        let audit = membership_event("group.member_removed", actor, &membership);
        let batch = Batch::new().delete::<Membership>(&key, Expect::Version(found.version)).audit(audit);
        match self.store.commit(batch).await {
            Ok(_) => Ok(true),
            // Somebody else took them out in this moment.
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A page of a group's own members, and where the next one starts.
    pub async fn members(
        &self,
        scope: &OrgScope,
        group: &GroupId,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Member>, Option<String>), IdentityError> {
        self.versioned(scope, group).await?.ok_or(IdentityError::NoGroup)?;
        let range = Some(format!("{group}/")..=format!("{group}/{}", char::MAX));
        let scan = Scan { index: None, range, after, limit: limit.clamp(1, 1000) };
        let page = self.store.scan::<Membership>(scan).await?;
        Ok((page.records.into_iter().map(|found| found.record.member).collect(), page.next))
    }

    /// The groups that a person is in, directly or through other groups.
    pub async fn effective(&self, scope: &OrgScope, person: &PersonId) -> Result<Effective, IdentityError> {
        let mut found = Effective::default();
        let mut wave = vec![member_key(MemberKind::Person, person.as_str())];
        for depth in 0..=MAX_DEPTH {
            let mut next = Vec::new();
            for member in wave {
                for id in self.containing(&member).await? {
                    if let Some((_, direct)) = found.groups.get_mut(&id) {
                        *direct |= depth == 0;
                        continue;
                    }
                    if found.groups.len() >= MAX_EFFECTIVE {
                        found.is_cut = true;
                        return Ok(found);
                    }
                    // A membership without its group is what is left of one that is being deleted.
                    if let Some(group) = self.get(scope, &id).await? {
                        next.push(member_key(MemberKind::Group, id.as_str()));
                        found.groups.insert(id, (group, depth == 0));
                    }
                }
            }
            if next.is_empty() {
                return Ok(found);
            }
            wave = next;
        }
        found.is_cut = true;
        Ok(found)
    }

    /// The groups that have this member themselves.
    async fn containing(&self, member: &str) -> Result<Vec<GroupId>, IdentityError> {
        let range = Some(member.to_owned()..=member.to_owned());
        let scan = Scan { index: Some("member"), range, after: None, limit: MAX_EFFECTIVE };
        let page = self.store.scan::<Membership>(scan).await?;
        Ok(page.records.into_iter().map(|found| found.record.group).collect())
    }

    async fn require_person(&self, home: &Group, id: &str, batch: Batch) -> Result<Batch, IdentityError> {
        let found = match PersonId::parse(id) {
            Some(id) => self.store.get::<Person>(id.as_str()).await?,
            None => None,
        };
        let is_ours = |found: &Versioned<Person>| {
            found.record.organisation == home.organisation && found.record.status != AccountStatus::Deleting
        };
        let found = found.filter(is_ours).ok_or(IdentityError::NoPerson)?;
        Ok(batch.require::<Person>(id, Expect::Version(found.version)))
    }

    /// The inner group is there, and neither it nor what is in it has the outer one. Checked after the nesting was read,
    /// which the commit raises.
    async fn require_group(&self, outer: &Group, id: &str, batch: Batch) -> Result<Batch, IdentityError> {
        let organisation = outer.organisation.as_str();
        let nesting = self.store.get::<Nesting>(organisation).await?;
        let scope = OrgScope::One(outer.organisation.clone());
        let inner = match GroupId::parse(id) {
            Some(id) => self.versioned(&scope, &id).await?,
            None => None,
        };
        let inner = inner.ok_or(IdentityError::NoGroup)?;
        let above = self.height(&outer.id, Some(&inner.record.id), Direction::Up).await?;
        let below = self.height(&inner.record.id, Some(&outer.id), Direction::Down).await?;
        // The groups on the longest way through the new place.
        if above + below + 2 > MAX_DEPTH {
            return Err(IdentityError::TooDeep);
        }
        let expect = nesting.map_or(Expect::Absent, |nesting| Expect::Version(nesting.version));
        let raised = Nesting { organisation: outer.organisation.clone() };
        Ok(batch.require::<Group>(id, Expect::Version(inner.version)).put(&raised, expect))
    }

    /// How many groups lie one in the other from here on; refused where `forbidden` is among them.
    async fn height(
        &self,
        start: &GroupId,
        forbidden: Option<&GroupId>,
        direction: Direction,
    ) -> Result<usize, IdentityError> {
        let mut wave = BTreeSet::from([start.clone()]);
        let mut depth = 0;
        loop {
            if forbidden.is_some_and(|forbidden| wave.contains(forbidden)) {
                return Err(IdentityError::Cycle);
            }
            let mut next = BTreeSet::new();
            for id in &wave {
                match direction {
                    Direction::Up => {
                        next.extend(self.containing(&member_key(MemberKind::Group, id.as_str())).await?);
                    }
                    Direction::Down => next.extend(self.inner_groups(id).await?),
                }
            }
            if next.is_empty() {
                return Ok(depth);
            }
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(IdentityError::TooDeep);
            }
            wave = next;
        }
    }

    /// The groups that are members of this one.
    async fn inner_groups(&self, group: &GroupId) -> Result<Vec<GroupId>, IdentityError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let range = Some(format!("{group}/group/")..=format!("{group}/group/{}", char::MAX));
            let page = self.store.scan::<Membership>(Scan { index: None, range, after, limit: 1000 }).await?;
            found.extend(page.records.iter().filter_map(|found| GroupId::parse(&found.record.member.id)));
            let Some(next) = page.next else { return Ok(found) };
            after = Some(next);
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

fn membership_event(event: &str, actor: &str, membership: &Membership) -> AuditEvent {
    let mut audit = AuditEvent::new(event, actor, membership.group.as_str());
    audit.detail = json!({ "member": membership.member });
    audit
}
