//! Recovery codes: for when the telephone is gone. Each is used once.

use agamid_core::id::{CredentialId, PersonId};
use agamid_core::secret::{Secret, sha256_hex};
use agamid_store::{AuditEvent, Batch, Expect, StoreError};
use subtle::ConstantTimeEq as _;

use super::{Credential, CredentialKind, Credentials, TRIES};
use crate::IdentityError;
use crate::person::Person;

/// Codes in a set.
const CODES: usize = 10;
/// Characters of a code: five bits each, so 80 bits, which nobody finds from its hash.
const LENGTH: usize = 16;
/// Crockford's: no character looks like another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new set of codes, shown once.
pub struct RecoveryCodes {
    /// The credential.
    pub credential: Credential,
    /// The codes, `ABCD-EFGH-JKMN-PQRS`.
    pub codes: Vec<Secret>,
}

/// A code without what people vary: blanks, dashes, letter case, characters that look alike.
fn plain(code: &str) -> String {
    let kept = code.chars().filter(|c| !c.is_whitespace() && *c != '-').take(LENGTH + 1);
    kept.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    })
    .collect()
}

fn hashed(person: &PersonId, id: &CredentialId, code: &str) -> String {
    sha256_hex(format!("agamid recovery 1\0{person}\0{id}\0{code}").as_bytes())
}

fn shown(code: &str) -> Secret {
    let groups: Vec<&str> = (0..LENGTH).step_by(4).filter_map(|at| code.get(at..at + 4)).collect();
    Secret::new(groups.join("-"))
}

impl Credentials {
    /// A new set of recovery codes, in place of the old one. This is the only time that they can be seen.
    pub async fn make_recovery_codes(&self, person: &Person) -> Result<RecoveryCodes, IdentityError> {
        let id = CredentialId::generate(&self.env);
        let (mut codes, mut hashes) = (Vec::with_capacity(CODES), Vec::with_capacity(CODES));
        for _ in 0..CODES {
            let random: [u8; LENGTH] = agamid_core::random::bytes(&*self.env.rng);
            let letter = |byte: u8| ALPHABET.get(usize::from(byte & 31)).map_or('0', |c| char::from(*c));
            let code: String = random.into_iter().map(letter).collect();
            hashes.push(hashed(&person.id, &id, &code));
            codes.push(shown(&code));
        }
        let credential = Credential {
            id,
            person: person.id.clone(),
            organisation: person.organisation.clone(),
            kind: CredentialKind::Recovery,
            label: None,
            material: hashes.join(" "),
            last_step: None,
            created_at: self.env.now(),
            last_used_at: None,
        };
        self.replace(&credential).await?;
        Ok(RecoveryCodes { credential, codes })
    }

    /// Codes that a person has left.
    pub async fn recovery_codes_left(&self, person: &PersonId) -> Result<usize, IdentityError> {
        let found = self.find(person, CredentialKind::Recovery).await?;
        Ok(found.map_or(0, |found| found.material.split_whitespace().count()))
    }

    /// Uses a code up: true, once. Whoever calls this counts wrong ones ([`crate::lockout::Lockout`]).
    pub async fn use_recovery_code(&self, person: &PersonId, code: &str) -> Result<bool, IdentityError> {
        let code = plain(code);
        for _ in 0..TRIES {
            let Some(found) = self.versioned(person, CredentialKind::Recovery).await? else {
                return Ok(false);
            };
            let mut credential = found.record;
            let hash = hashed(person, &credential.id, &code);
            // All are looked at, so that the time does not tell which it was.
            let (used, left): (Vec<&str>, Vec<&str>) = credential
                .material
                .split_whitespace()
                .partition(|known| bool::from(known.as_bytes().ct_eq(hash.as_bytes())));
            if used.is_empty() {
                return Ok(false);
            }
            let count = left.len();
            credential.material = left.join(" ");
            credential.last_used_at = Some(self.env.now());
            let mut audit = AuditEvent::new("credential.used", person.as_str(), credential.id.as_str());
            audit.detail = serde_json::json!({ "kind": credential.kind, "left": count });
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
