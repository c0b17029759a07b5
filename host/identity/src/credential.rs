//! What people prove themselves with: hashed where we only compare, sealed where we need it back.

use agamid_core::Env;
use agamid_core::id::{CredentialId, OrgId, PersonId};
use agamid_core::seal::Sealer;
use agamid_core::secret::Secret;
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::person::Person;

/// What kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A password, as an argon2id hash.
    Password,
    /// The seed of an authenticator app, sealed.
    Totp,
}

impl CredentialKind {
    /// Its name, as flows and records write it.
    pub fn name(self) -> &'static str {
        match self {
            CredentialKind::Password => "password",
            CredentialKind::Totp => "totp",
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
    /// A PHC string, or the sealed secret in base64.
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
    const INDEXES: &'static [Index] = &[Index::shared("person")];
    fn key(&self) -> String {
        self.id.to_string()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new("person", person_key(&self.person, self.kind))]
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

    /// Writes a credential in place of those of its kind.
    pub(crate) async fn replace(&self, credential: &Credential) -> Result<(), IdentityError> {
        let key = person_key(&credential.person, credential.kind);
        let mut batch = Batch::new();
        for old in self.store.find::<Credential>("person", &key).await? {
            batch = batch.delete::<Credential>(old.record.id.as_str(), Expect::Version(old.version));
        }
        let person = credential.person.as_str();
        let mut audit = AuditEvent::new("credential.added", person, person);
        audit.detail = serde_json::json!({ "credential": credential.id, "kind": credential.kind });
        self.store.commit(batch.put(credential, Expect::Absent).audit(audit)).await?;
        Ok(())
    }

    /// The person's credential of a kind.
    pub async fn find(
        &self,
        person: &PersonId,
        kind: CredentialKind,
    ) -> Result<Option<Credential>, IdentityError> {
        let found = self.store.find::<Credential>("person", &person_key(person, kind)).await?;
        Ok(found.into_iter().next().map(|found| found.record))
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
