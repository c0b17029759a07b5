//! What people prove themselves with: hashed where we only compare, sealed where we need it back.
//!
//! A person has at most one of each kind; a new one takes the old one's place, and of two that are added at once one wins.

mod recovery;

use agamid_core::Env;
use agamid_core::id::{CredentialId, OrgId, PersonId};
use agamid_core::seal::Sealer;
use agamid_core::secret::Secret;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError, Versioned};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::organisation::OrgScope;
use crate::password::hash::{Hash, Shape};
use crate::person::Person;

pub use recovery::RecoveryCodes;

/// What kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A password, as an argon2id hash, or as one that was imported.
    Password,
    /// The seed of an authenticator app, sealed.
    Totp,
    /// Codes for when everything else is lost, each used once, as hashes.
    Recovery,
}

/// All kinds.
const KINDS: [CredentialKind; 3] = [CredentialKind::Password, CredentialKind::Totp, CredentialKind::Recovery];

impl CredentialKind {
    /// Its name, as flows and records write it.
    pub fn name(self) -> &'static str {
        match self {
            CredentialKind::Password => "password",
            CredentialKind::Totp => "totp",
            CredentialKind::Recovery => "recovery",
        }
    }

    /// The kinds whose secret can be had back, by name.
    pub fn sealed(name: &str) -> Option<Self> {
        (name == CredentialKind::Totp.name()).then_some(CredentialKind::Totp)
    }
}

/// A credential of a person.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Whose.
    pub person: PersonId,
    /// Where they belong.
    pub organisation: OrgId,
    /// What kind.
    pub kind: CredentialKind,
    /// What its owner calls it.
    pub label: Option<String>,
    /// A password hash, the sealed secret in base64, or the hashes of recovery codes.
    pub(crate) material: String,
    /// The highest step (counter) accepted so far: what was used once is not accepted again.
    pub last_step: Option<u64>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was used last.
    pub last_used_at: Option<Timestamp>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({} {} of {})", self.kind.name(), self.id, self.person)
    }
}

impl Record for Credential {
    const KIND: &'static str = "credential";
    const INDEXES: &'static [Index] =
        &[Index::shared("person"), Index::unique("single"), Index::shared("imported")];
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        let mut entries = vec![
            IndexEntry::new("person", person_key(&self.person, self.kind)),
            IndexEntry::new("single", person_key(&self.person, self.kind)),
        ];
        entries.extend(self.shape().map(|shape| IndexEntry::new("imported", shape.to_string())));
        entries
    }
}

impl Credential {
    /// What checking it costs, where it is an imported password hash.
    pub(crate) fn shape(&self) -> Option<Shape> {
        let is_password = self.kind == CredentialKind::Password;
        is_password.then(|| Hash::parse(&self.material).ok()?.shape()).flatten()
    }
}

pub(crate) fn person_key(person: &PersonId, kind: CredentialKind) -> String {
    format!("{person}/{}", kind.name())
}

/// Credentials.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) sealer: Sealer,
}

/// How often a lost race is run again.
const TRIES: usize = 20;
/// The longest label, in characters.
const MOST_LABEL: usize = 100;

fn is_label(label: &str) -> bool {
    label.chars().count() <= MOST_LABEL && !label.chars().any(char::is_control)
}

impl Credentials {
    fn aad(person: &PersonId, id: &CredentialId) -> Vec<u8> {
        format!("{person}/{id}").into_bytes()
    }

    /// Adds a credential whose secret is needed back; it replaces one of the same kind.
    pub async fn add_sealed(
        &self,
        person: &Person,
        kind: CredentialKind,
        label: Option<String>,
        secret: &Secret,
    ) -> Result<Credential, IdentityError> {
        let id = CredentialId::generate(&self.env);
        let sealed =
            self.sealer.seal("credential", &Self::aad(&person.id, &id), secret.expose().as_bytes())?;
        let credential = Credential {
            id,
            person: person.id.clone(),
            organisation: person.organisation.clone(),
            kind,
            label,
            material: STANDARD.encode(sealed),
            last_step: None,
            created_at: self.env.now(),
            last_used_at: None,
        };
        self.replace(&credential).await?;
        Ok(credential)
    }

    /// Writes a credential in place of the one of its kind.
    pub(crate) async fn replace(&self, credential: &Credential) -> Result<(), IdentityError> {
        for _ in 0..TRIES {
            let old = self.all_of(&credential.person, credential.kind).await?;
            let actor = credential.person.as_str();
            let batch = self.replacing(credential, &old, actor, Batch::new());
            match self.store.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// Adds to `batch` what puts a credential into the place of `old`.
    pub(crate) fn replacing(
        &self,
        credential: &Credential,
        old: &[Versioned<Credential>],
        actor: &str,
        mut batch: Batch,
    ) -> Batch {
        for old in old {
            batch = batch.delete::<Credential>(old.record.id.as_str(), Expect::Version(old.version));
        }
        let mut audit = AuditEvent::new("credential.added", actor, credential.person.as_str());
        audit.detail = serde_json::json!({ "credential": credential.id, "kind": credential.kind });
        batch.put(credential, Expect::Absent).audit(audit)
    }

    /// The person's credential of a kind, with its version.
    pub(crate) async fn versioned(
        &self,
        person: &PersonId,
        kind: CredentialKind,
    ) -> Result<Option<Versioned<Credential>>, IdentityError> {
        Ok(self.all_of(person, kind).await?.into_iter().next())
    }

    /// More than one only where an older server let two be added at once.
    pub(crate) async fn all_of(
        &self,
        person: &PersonId,
        kind: CredentialKind,
    ) -> Result<Vec<Versioned<Credential>>, IdentityError> {
        Ok(self.store.find::<Credential>("person", &person_key(person, kind)).await?)
    }

    /// The person's credential of a kind.
    pub async fn find(
        &self,
        person: &PersonId,
        kind: CredentialKind,
    ) -> Result<Option<Credential>, IdentityError> {
        Ok(self.versioned(person, kind).await?.map(|found| found.record))
    }

    /// All credentials of a person.
    pub async fn of_person(
        &self,
        scope: &OrgScope,
        person: &PersonId,
    ) -> Result<Vec<Credential>, IdentityError> {
        let mut all = Vec::new();
        for kind in KINDS {
            all.extend(self.find(person, kind).await?);
        }
        all.retain(|credential| scope.covers(&credential.organisation));
        Ok(all)
    }

    /// Changes what its owner calls a credential; `false` where this person has no such.
    pub async fn rename(
        &self,
        scope: &OrgScope,
        person: &PersonId,
        id: &CredentialId,
        label: Option<String>,
        actor: &str,
    ) -> Result<bool, IdentityError> {
        let label = label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
        if label.as_ref().is_some_and(|label| !is_label(label)) {
            return Err(IdentityError::Label { most: MOST_LABEL });
        }
        self.change(scope, person, id, |found, batch| {
            let mut audit = AuditEvent::new("credential.renamed", actor, person.as_str());
            audit.detail = serde_json::json!({ "credential": id });
            let renamed = Credential { label: label.clone(), ..found.record.clone() };
            batch.put(&renamed, Expect::Version(found.version)).audit(audit)
        })
        .await
    }

    /// Takes a credential away; `false` where this person has no such.
    pub async fn remove(
        &self,
        scope: &OrgScope,
        person: &PersonId,
        id: &CredentialId,
        actor: &str,
    ) -> Result<bool, IdentityError> {
        self.change(scope, person, id, |found, batch| {
            let mut audit = AuditEvent::new("credential.removed", actor, person.as_str());
            audit.detail = serde_json::json!({ "credential": id, "kind": found.record.kind });
            batch.delete::<Credential>(id.as_str(), Expect::Version(found.version)).audit(audit)
        })
        .await
    }

    /// Changes a credential of this very person, until nobody else does at the same time.
    async fn change(
        &self,
        scope: &OrgScope,
        person: &PersonId,
        id: &CredentialId,
        change: impl Fn(&Versioned<Credential>, Batch) -> Batch,
    ) -> Result<bool, IdentityError> {
        for _ in 0..TRIES {
            let found =
                self.store.get::<Credential>(id.as_str()).await?.filter(|found| {
                    found.record.person == *person && scope.covers(&found.record.organisation)
                });
            let Some(found) = found else { return Ok(false) };
            match self.store.commit(change(&found, Batch::new())).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(IdentityError::Busy)
    }

    /// A credential by id.
    pub async fn get(&self, id: &CredentialId) -> Result<Option<Credential>, IdentityError> {
        Ok(self.store.get::<Credential>(id.as_str()).await?.map(|found| found.record))
    }

    /// The secret of a sealed credential.
    pub fn open(&self, credential: &Credential) -> Result<Secret, IdentityError> {
        let sealed = STANDARD.decode(&credential.material).map_err(|_| IdentityError::Damaged)?;
        let opened =
            self.sealer.open("credential", &Self::aad(&credential.person, &credential.id), &sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| IdentityError::Damaged)?;
        Ok(Secret::new(text))
    }

    /// Uses a step up: true, once, when it is higher than all before.
    pub async fn advance(&self, id: &CredentialId, step: u64) -> Result<bool, IdentityError> {
        for _ in 0..TRIES {
            let Some(found) = self.store.get::<Credential>(id.as_str()).await? else { return Ok(false) };
            let mut credential = found.record;
            if credential.last_step.is_some_and(|last| step <= last) {
                return Ok(false);
            }
            credential.last_step = Some(step);
            credential.last_used_at = Some(self.env.now());
            let person = credential.person.as_str();
            let audit = AuditEvent::new("credential.used", person, id.as_str());
            let batch = Batch::new().put(&credential, Expect::Version(found.version)).audit(audit);
            match self.store.commit(batch).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
