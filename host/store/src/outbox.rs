//! The development outbox: messages that would be sent are kept here instead, for an hour, to be read by whoever
//! develops. What they say may open an account, so it is sealed like any other secret.

use std::time::Duration;

use agamid_core::ports::{DeliveryError, Mail, Mailer, SmsSender};
use agamid_core::seal::{SealError, Sealer};
use agamid_core::time::Timestamp;
use agamid_core::{BoxFuture, Env};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{Batch, Expect, Record, Scan, Store, StoreError};

/// How long a message is kept.
const LIFETIME: Duration = Duration::from_secs(3600);
const PURPOSE: &str = "outbox";

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// A mail.
    Mail(Mail),
    /// A text message.
    Sms {
        /// E.164.
        to: String,
        /// What it says.
        text: String,
    },
}

/// A message as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// When it was taken.
    pub sent_at: Timestamp,
    /// What was to be sent.
    #[serde(flatten)]
    pub message: Message,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OutboxRecord {
    id: String,
    sent_at: Timestamp,
    sealed: String,
}

impl Record for OutboxRecord {
    const KIND: &'static str = "outbox";
    fn key(&self) -> String {
        self.id.clone()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.sent_at.plus(LIFETIME))
    }
}

/// Why the outbox can't be read.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A message was altered, or sealed under another key.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// A message is no message.
    #[error("a message can't be read: {0}")]
    Unreadable(String),
}

/// Takes messages instead of sending them. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    env: Env,
    store: Store,
    sealer: Sealer,
}

impl Outbox {
    /// An outbox in this store.
    pub fn new(env: Env, store: Store, sealer: Sealer) -> Self {
        Self { env, store, sealer }
    }

    /// The newest messages first, at most `limit`.
    pub async fn messages(&self, limit: usize) -> Result<Vec<Sent>, OutboxError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.scan::<OutboxRecord>(Scan { after, limit: 500, ..Scan::default() }).await?;
            for record in page.records {
                found.push(self.open(&record.record)?);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_by(|a, b| b.id.cmp(&a.id));
        found.truncate(limit);
        Ok(found)
    }

    fn open(&self, record: &OutboxRecord) -> Result<Sent, OutboxError> {
        let unreadable = |cause: String| OutboxError::Unreadable(cause);
        let sealed = STANDARD.decode(&record.sealed).map_err(|error| unreadable(error.to_string()))?;
        let bytes = self.sealer.open(PURPOSE, record.id.as_bytes(), &sealed)?;
        let message = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        Ok(Sent { id: record.id.clone(), sent_at: record.sent_at, message })
    }

    async fn take(&self, message: Message) -> Result<(), DeliveryError> {
        let failed = |cause: String| DeliveryError(cause);
        let id = agamid_core::id::new_ulid(&self.env);
        let bytes = serde_json::to_vec(&message).map_err(|error| failed(error.to_string()))?;
        let sealed =
            self.sealer.seal(PURPOSE, id.as_bytes(), &bytes).map_err(|error| failed(error.to_string()))?;
        let record = OutboxRecord { id, sent_at: self.env.now(), sealed: STANDARD.encode(sealed) };
        let batch = Batch::new().put(&record, Expect::Absent);
        self.store.commit(batch).await.map_err(|error| failed(error.to_string()))?;
        let kind = match message {
            Message::Mail(_) => "mail",
            Message::Sms { .. } => "sms",
        };
        tracing::info!(event = "outbox.taken", id = record.id, kind, "kept instead of sent");
        Ok(())
    }
}

impl Mailer for Outbox {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), DeliveryError>> {
        Box::pin(self.take(Message::Mail(mail)))
    }
}

impl SmsSender for Outbox {
    fn send(&self, to: String, text: String) -> BoxFuture<'_, Result<(), DeliveryError>> {
        Box::pin(self.take(Message::Sms { to, text }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agamid_core::random::SystemRng;
    use agamid_core::seal::EnvelopeKey;
    use agamid_core::time::ManualClock;

    use super::*;

    #[tokio::test]
    async fn messages_are_kept_for_an_hour_newest_first_and_their_text_is_sealed() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let env = Env { clock: clock.clone(), rng: Arc::new(SystemRng) };
        let store = Store::memory(env.clone()).await.unwrap();
        let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
        let outbox = Outbox::new(env, store.clone(), sealer);
        let mail = Mail {
            to: "a@example.org".into(),
            subject: "Your code".into(),
            text: "the code is 123456".into(),
            html: None,
        };
        Mailer::send(&outbox, mail.clone()).await.unwrap();
        clock.advance(Duration::from_secs(60));
        SmsSender::send(&outbox, "+491234".into(), "654321".into()).await.unwrap();

        let found = outbox.messages(10).await.unwrap();
        assert_eq!(found[0].message, Message::Sms { to: "+491234".into(), text: "654321".into() });
        assert_eq!(found[1].message, Message::Mail(mail));
        assert_eq!(outbox.messages(1).await.unwrap().len(), 1);
        let stored = store.scan::<OutboxRecord>(Scan { limit: 10, ..Scan::default() }).await.unwrap();
        assert!(stored.records.iter().all(|found| !found.record.sealed.contains("123456")));

        clock.advance(Duration::from_secs(3570));
        assert_eq!(outbox.messages(10).await.unwrap().len(), 1);
        clock.advance(Duration::from_secs(3600));
        assert!(outbox.messages(10).await.unwrap().is_empty());
    }
}
