//! Copies of the tokens of a real login, for `cargo xtask scale`: what the server itself wrote, for other people.

use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{FamilyId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, OneTime, Peeked, Purpose, Store, StoreError};
use serde_json::Value;

use crate::token::{AccessToken, TokenFamily, access_token_hash};

/// The records behind the tokens of one login.
#[derive(Clone)]
pub struct Original {
    access: AccessToken,
    family: TokenFamily,
    refresh: OneTime,
}

/// Whose a copy is.
pub struct Owner {
    /// The person.
    pub person: PersonId,
    /// Their session.
    pub session: SessionId,
}

impl Original {
    /// Reads them; `None` where one is not there (any more).
    pub async fn read(store: &Store, access: &Secret, refresh: &Secret) -> Result<Option<Self>, StoreError> {
        let Some(hash) = access_token_hash(access.expose()) else { return Ok(None) };
        let Some(access) = store.get::<AccessToken>(&hash).await? else { return Ok(None) };
        let Some(family) = &access.record.family else { return Ok(None) };
        let Some(family) = store.get::<TokenFamily>(family.as_str()).await? else { return Ok(None) };
        let Ok(hash) = OpaqueToken::parse(TokenKind::RefreshToken, refresh.expose()) else { return Ok(None) };
        let Peeked::Live(refresh) = store.peek(Purpose::RefreshToken, &hash).await? else { return Ok(None) };
        Ok(Some(Self { access: access.record, family: family.record, refresh: *refresh }))
    }

    /// Writes with `batch` a family with a refresh token and an access token; answers the latter.
    pub fn family(&self, env: &Env, batch: Batch, owner: &Owner) -> (Batch, FamilyId, Secret) {
        let id = FamilyId::generate(env);
        let family = TokenFamily {
            id: id.clone(),
            person: Some(owner.person.clone()),
            session: Some(owner.session.clone()),
            ..self.family.clone()
        };
        let mut refresh = OneTime {
            hash: OpaqueToken::generate(TokenKind::RefreshToken, env).hash,
            person: Some(owner.person.to_string()),
            family: Some(id.to_string()),
            ..self.refresh.clone()
        };
        for (name, value) in [("person", owner.person.to_string()), ("session", owner.session.to_string())] {
            if let Some(place) = refresh.payload.get_mut(name) {
                *place = Value::String(value);
            }
        }
        let batch = batch.put(&family, Expect::Absent).issue(refresh);
        let until = env.now().plus(Duration::from_secs(24 * 3600));
        let (batch, text) = self.access_token(env, batch, owner, &id, until);
        (batch, id, text)
    }

    /// Writes with `batch` one more access token of a family.
    pub fn access_token(
        &self,
        env: &Env,
        batch: Batch,
        owner: &Owner,
        family: &FamilyId,
        expires_at: Timestamp,
    ) -> (Batch, Secret) {
        let token = OpaqueToken::generate(TokenKind::AccessToken, env);
        let access = AccessToken {
            hash: token.hash,
            family: Some(family.clone()),
            person: Some(owner.person.clone()),
            subject: owner.person.to_string(),
            issued_at: env.now(),
            expires_at,
            ..self.access.clone()
        };
        let audit = AuditEvent::new("token.issued", owner.person.as_str(), &access.client);
        (batch.put(&access, Expect::Absent).audit(audit), token.text)
    }
}
