//! Browser sessions: a person, logged in, in a browser.
//!
//! What applications got from a session dies with it: each use of a token looks whether the session is still there.

mod device;

use std::net::IpAddr;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError, Versioned};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::organisation::OrgScope;
use crate::settings::IdentitySettings;

pub use device::Device;

/// A session is marked as seen at most this often.
const TOUCH: Duration = Duration::from_secs(60);
/// Sessions that are ended in one commit.
const STEP: usize = 200;

/// A session. Its cookie's value is stored nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The stored form of the cookie's value.
    pub hash: String,
    /// Its id, for people and logs; of no use as a cookie.
    pub id: SessionId,
    /// Who is logged in.
    pub person: PersonId,
    /// Where they belong.
    pub organisation: OrgId,
    /// The browser: the stored form of its cookie's value; empty where somebody else sits at it now.
    pub browser: String,
    /// When they proved who they are.
    pub authenticated_at: Timestamp,
    /// How.
    pub amr: Vec<String>,
    /// By which flow.
    pub acr: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Where it is.
    #[serde(default)]
    pub device: Device,
}

impl Record for Session {
    const KIND: &'static str = "session";
    const INDEXES: &'static [Index] =
        &[Index::unique("id"), Index::shared("person"), Index::shared("browser")];
    fn key(&self) -> String {
        self.hash.clone()
    }

    fn indexes(&self) -> Vec<IndexEntry> {
        vec![
            IndexEntry::new("id", self.id.as_str()),
            IndexEntry::new("person", self.person.as_str()),
            IndexEntry::new("browser", self.browser.clone()),
        ]
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// What a session is made of.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Who.
    pub person: PersonId,
    /// Where they belong.
    pub organisation: OrgId,
    /// In which browser.
    pub browser: String,
    /// How they proved themselves.
    pub amr: Vec<String>,
    /// By which flow.
    pub acr: String,
    /// Where they are.
    pub device: Device,
}

/// Sessions.
#[derive(Clone)]
pub struct Sessions {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) settings: IdentitySettings,
}

impl Sessions {
    /// Starts a session; answers it and the new cookie's value. Where the same person was signed in in this browser the
    /// session goes on with its id, under a new cookie and with what was proved now: what other applications got from
    /// it stays alive. Unless the browser came with a live session, this is a new sitting at it: sessions of other people
    /// stay for the applications that have them, but can't be chosen here any more. Written with `batch`, by whoever
    /// commits it.
    pub async fn start(
        &self,
        new: NewSession,
        same_sitting: bool,
        mut batch: Batch,
    ) -> Result<(Session, Secret, Batch), IdentityError> {
        let token = OpaqueToken::generate(TokenKind::Session, &self.env);
        let now = self.env.now();
        let mut session = Session {
            hash: token.hash,
            id: SessionId::generate(&self.env),
            person: new.person,
            organisation: new.organisation,
            browser: new.browser,
            authenticated_at: now,
            amr: new.amr,
            acr: new.acr,
            created_at: now,
            last_seen_at: now,
            expires_at: now.plus(Duration::from_secs(self.settings.session_lifetime_seconds)),
            device: new.device,
        };
        for Versioned { record: old, version } in
            self.store.find::<Session>("browser", &session.browser).await?
        {
            if old.person == session.person {
                batch = batch.delete::<Session>(&old.hash, Expect::Any);
                (session.id, session.created_at) = (old.id, old.created_at);
            } else if !same_sitting {
                batch = batch.put(&Session { browser: String::new(), ..old }, Expect::Version(version));
            }
        }
        let audit = AuditEvent::new("session.started", session.person.as_str(), session.id.as_str());
        let batch = batch.put(&session, Expect::Absent).audit(audit);
        Ok((session, token.text, batch))
    }

    /// The session of a cookie's value, as somebody at `address` sent it; a malformed value is none.
    pub async fn by_cookie(
        &self,
        value: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Session>, IdentityError> {
        let Ok(hash) = OpaqueToken::parse(TokenKind::Session, value) else { return Ok(None) };
        let Some(Versioned { record: mut session, version }) = self.store.get::<Session>(&hash).await? else {
            return Ok(None);
        };
        let now = self.env.now();
        if now.since(session.last_seen_at) >= TOUCH {
            session.last_seen_at = now;
            session.device.address = address.or(session.device.address);
            match self.store.commit(Batch::new().put(&session, Expect::Version(version))).await {
                // Somebody else touched, or ended, it.
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(session))
    }

    /// A session by id.
    pub async fn get(&self, id: &SessionId) -> Result<Option<Session>, IdentityError> {
        let found = self.store.find::<Session>("id", id.as_str()).await?;
        Ok(found.into_iter().next().map(|found| found.record))
    }

    /// All sessions in a browser.
    pub async fn of_browser(&self, browser: &str) -> Result<Vec<Session>, IdentityError> {
        let found = self.store.find::<Session>("browser", browser).await?;
        Ok(found.into_iter().map(|found| found.record).collect())
    }

    /// Makes another session of the browser the one of its cookie: the value changes, what was proved stays. Written
    /// with `batch`, by whoever commits it.
    pub async fn switch(
        &self,
        id: &SessionId,
        browser: &str,
        batch: Batch,
    ) -> Result<Option<(Session, Secret, Batch)>, IdentityError> {
        let found = self.store.find::<Session>("id", id.as_str()).await?;
        let Some(Versioned { record: old, version }) = found.into_iter().next() else { return Ok(None) };
        if old.browser != browser {
            return Ok(None);
        }
        let token = OpaqueToken::generate(TokenKind::Session, &self.env);
        let session = Session { hash: token.hash, last_seen_at: self.env.now(), ..old.clone() };
        let audit = AuditEvent::new("session.switched", session.person.as_str(), session.id.as_str());
        let batch = batch
            .delete::<Session>(&old.hash, Expect::Version(version))
            .put(&session, Expect::Absent)
            .audit(audit);
        Ok(Some((session, token.text, batch)))
    }

    /// A person's sessions, the one used last first.
    pub async fn of_person(
        &self,
        scope: &OrgScope,
        person: &PersonId,
    ) -> Result<Vec<Session>, IdentityError> {
        let found = self.store.find::<Session>("person", person.as_str()).await?;
        let mut sessions: Vec<Session> = found.into_iter().map(|found| found.record).collect();
        sessions.retain(|session| scope.covers(&session.organisation));
        sessions.sort_by_key(|session| std::cmp::Reverse(session.last_seen_at));
        Ok(sessions)
    }

    /// Ends a session, at its own person's wish.
    pub async fn end(&self, session: &Session) -> Result<(), IdentityError> {
        self.end_by(session, session.person.as_str()).await
    }

    /// Ends a session.
    pub async fn end_by(&self, session: &Session, actor: &str) -> Result<(), IdentityError> {
        let audit = AuditEvent::new("session.ended", actor, session.id.as_str());
        self.store.commit(Batch::new().delete::<Session>(&session.hash, Expect::Any).audit(audit)).await?;
        Ok(())
    }

    /// Ends the session with this id; `false` where the scope has none.
    pub async fn revoke(&self, scope: &OrgScope, id: &SessionId, actor: &str) -> Result<bool, IdentityError> {
        let found = self.store.find::<Session>("id", id.as_str()).await?;
        let Some(found) = found.into_iter().find(|found| scope.covers(&found.record.organisation)) else {
            return Ok(false);
        };
        self.end_by(&found.record, actor).await?;
        // A cookie that changed in this moment has carried the session to another key.
        while let Some(moved) = self.get(id).await? {
            self.end_by(&moved, actor).await?;
        }
        Ok(true)
    }

    /// Ends all sessions of a person; answers how many there were.
    pub async fn end_all(&self, person: &PersonId, actor: &str) -> Result<usize, IdentityError> {
        self.end_but(person, None, actor).await
    }

    /// Ends all sessions of a person but this one.
    pub async fn end_others(
        &self,
        person: &PersonId,
        keep: &SessionId,
        actor: &str,
    ) -> Result<usize, IdentityError> {
        self.end_but(person, Some(keep), actor).await
    }

    async fn end_but(
        &self,
        person: &PersonId,
        keep: Option<&SessionId>,
        actor: &str,
    ) -> Result<usize, IdentityError> {
        let found = self.store.find::<Session>("person", person.as_str()).await?;
        let ending: Vec<Session> =
            found.into_iter().map(|found| found.record).filter(|session| Some(&session.id) != keep).collect();
        let event = if keep.is_some() { "session.others_ended" } else { "session.all_ended" };
        let last = ending.len().saturating_sub(1) / STEP;
        for step in 0..=last {
            let mut batch = Batch::new();
            for session in ending.iter().skip(step * STEP).take(STEP) {
                batch = batch.delete::<Session>(&session.hash, Expect::Any);
            }
            if step == last {
                let mut audit = AuditEvent::new(event, actor, person.as_str());
                audit.detail = serde_json::json!({ "count": ending.len() });
                batch = batch.audit(audit);
            }
            self.store.commit(batch).await?;
        }
        Ok(ending.len())
    }
}

#[cfg(test)]
mod tests;
