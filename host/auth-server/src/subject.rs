//! `sub`: the person's id, or one that only clients of the same sector share (OpenID Connect Core section 8).

use agamid_core::Env;
use agamid_core::id::{PersonId, SessionId};
use agamid_core::random::bytes;
use agamid_core::seal::{SealError, Sealer};
use agamid_store::{Batch, Expect, Record, Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::{Client, SubjectType};
use crate::keys::KeyError;

/// What pairwise identifiers are made with; never changes, or everybody would be somebody else.
#[derive(Serialize, Deserialize)]
pub(crate) struct PairwiseKeyRecord {
    sealed: String,
}

const KEY: &str = "pairwise";

impl Record for PairwiseKeyRecord {
    const KIND: &'static str = "pairwise_key";
    fn key(&self) -> String {
        KEY.to_owned()
    }
}

/// Makes subjects.
pub(crate) struct Subjects {
    key: Zeroizing<[u8; 32]>,
}

impl Subjects {
    /// Loads the key; makes it at first start.
    pub(crate) async fn open(env: &Env, store: &Store, sealer: &Sealer) -> Result<Self, KeyError> {
        if let Some(found) = store.get::<PairwiseKeyRecord>(KEY).await? {
            let sealed = STANDARD.decode(&found.record.sealed).map_err(|_| SealError)?;
            let opened = sealer.open("pairwise key", KEY.as_bytes(), &sealed)?;
            let key = opened.as_slice().try_into().map_err(|_| SealError)?;
            return Ok(Self { key: Zeroizing::new(key) });
        }
        let key = Zeroizing::new(bytes::<32>(&*env.rng));
        let sealed = STANDARD.encode(sealer.seal("pairwise key", KEY.as_bytes(), &*key)?);
        match store.commit(Batch::new().put(&PairwiseKeyRecord { sealed }, Expect::Absent)).await {
            Ok(_) => Ok(Self { key }),
            // Another node was faster: theirs counts.
            Err(StoreError::Conflict { .. }) => Box::pin(Self::open(env, store, sealer)).await,
            Err(error) => Err(error.into()),
        }
    }

    /// `sub` of a person at a client.
    pub(crate) fn of(&self, client: &Client, person: &PersonId) -> String {
        match client.subject_type {
            SubjectType::Public => person.to_string(),
            SubjectType::Pairwise => self.in_sector(client, "sub", person.as_str()),
        }
    }

    /// `sid` of a session at a client: clients that must not compare people can't compare sessions either.
    pub(crate) fn session_of(&self, client: &Client, session: &SessionId) -> String {
        match client.subject_type {
            SubjectType::Public => session.to_string(),
            SubjectType::Pairwise => self.in_sector(client, "sid", session.as_str()),
        }
    }

    fn in_sector(&self, client: &Client, what: &str, id: &str) -> String {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &*self.key);
        let mut context = aws_lc_rs::hmac::Context::with_key(&key);
        for part in [what, &sector(client), id] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

/// The host of its sector identifier or of its redirect URIs, which registration makes sure is one; a client without any
/// is a sector of its own.
fn sector(client: &Client) -> String {
    let first = client.sector_identifier_uri.as_ref().or_else(|| client.redirect_uris.first());
    let first = first.and_then(|uri| url::Url::parse(uri).ok());
    let host = first.and_then(|uri| uri.host_str().map(str::to_owned));
    host.unwrap_or_else(|| format!("client:{}", client.client_id))
}
