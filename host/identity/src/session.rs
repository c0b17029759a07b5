//! Browser sessions: a person, logged in, in a browser.

use std::time::Duration;

use agamid_core::Env;
use agamid_core::id::{OrgId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_core::time::Timestamp;
use agamid_store::{AuditEvent, Batch, Expect, Index, IndexEntry, Record, Store, StoreError, Versioned};
use serde::{Deserialize, Serialize};

use crate::IdentityError;
use crate::settings::IdentitySettings;

/// A session is marked as seen at most this often.
const TOUCH: Duration = Duration::from_secs(60);

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
        };
        for old in self.of_browser(&session.browser).await? {
            if old.person == session.person {
                batch = batch.delete::<Session>(&old.hash, Expect::Any);
                (session.id, session.created_at) = (old.id, old.created_at);
            } else if !same_sitting {
                batch = batch.put(&Session { browser: String::new(), ..old }, Expect::Any);
            }
        }
        let audit = AuditEvent::new("session.started", session.person.as_str(), session.id.as_str());
        let batch = batch.put(&session, Expect::Absent).audit(audit);
        Ok((session, token.text, batch))
    }

    /// The session of a cookie's value; a malformed value is none.
    pub async fn by_cookie(&self, value: &str) -> Result<Option<Session>, IdentityError> {
        let Ok(hash) = OpaqueToken::parse(TokenKind::Session, value) else { return Ok(None) };
        let Some(Versioned { record: mut session, version }) = self.store.get::<Session>(&hash).await? else {
            return Ok(None);
        };
        let now = self.env.now();
        if now.since(session.last_seen_at) >= TOUCH {
            session.last_seen_at = now;
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

    /// Ends a session.
    pub async fn end(&self, session: &Session) -> Result<(), IdentityError> {
        let audit = AuditEvent::new("session.ended", session.person.as_str(), session.id.as_str());
        self.store.commit(Batch::new().delete::<Session>(&session.hash, Expect::Any).audit(audit)).await?;
        Ok(())
    }

    /// Ends all sessions of a person.
    pub async fn end_all(&self, person: &PersonId, actor: &str) -> Result<(), IdentityError> {
        let mut batch = Batch::new();
        for found in self.store.find::<Session>("person", person.as_str()).await? {
            batch = batch.delete::<Session>(&found.record.hash, Expect::Any);
        }
        self.store.commit(batch.audit(AuditEvent::new("session.all_ended", actor, person.as_str()))).await?;
        Ok(())
    }
}
