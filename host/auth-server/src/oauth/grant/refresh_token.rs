//! `grant_type=refresh_token` (RFC 6749 section 6), rotated at every use (RFC 9700 section 4.14.2).
//!
//! The successor is left behind in the used token's tombstone, sealed under a key that only the used token's holder
//! can make. Inside the grace the same successor is answered again, so that a lost answer or two tabs don't end the
//! login; after it a second use ends the whole family.

use std::time::Duration;

use agamid_core::id::FamilyId;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_core::time::Timestamp;
use agamid_store::{Consume, Consumption, OneTime, Peeked, Purpose, Tombstone};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::AuthServer;
use crate::client::{Client, GrantType};
use crate::error::{Code, OauthError};
use crate::oauth::form::Parameters;
use crate::oauth::issue::{Grant, Granted, Issued, Order, Outcome, Refresh};

/// How often a race for the same token is tried again.
const TRIES: usize = 60;
const PURPOSE: &str = "refresh successor";

/// What a used refresh token leaves.
#[derive(Serialize, Deserialize)]
struct Left {
    /// The successor's text, sealed under the used token.
    sealed: String,
    /// Until when the successor is answered again.
    until: Timestamp,
}

fn refused(reason: &str) -> OauthError {
    OauthError::new(Code::InvalidGrant, reason)
}

/// Redeems a refresh token.
pub(crate) async fn redeem(
    server: &AuthServer,
    client: &Client,
    form: &Parameters,
) -> Result<Issued, OauthError> {
    let text = form.require("refresh_token")?;
    let hash = OpaqueToken::parse(TokenKind::RefreshToken, text)
        .map_err(|_| refused("the refresh token is not valid"))?;
    let narrowed = form.scopes()?;
    for _ in 0..TRIES {
        let outcome = match server.store().peek(Purpose::RefreshToken, &hash).await? {
            Peeked::Live(found) => rotate(server, client, text, &hash, *found, narrowed.as_deref()).await?,
            Peeked::Used(tombstone) => {
                again(server, client, text, &hash, &tombstone, narrowed.as_deref()).await?
            }
            Peeked::Absent => return Err(refused("the refresh token is not valid")),
        };
        match outcome {
            Outcome::Issued(issued) => return Ok(issued),
            Outcome::NotConsumed(Consumption::Absent) => break,
            // Somebody was faster: look again.
            Outcome::NotConsumed(_) | Outcome::Raced => {}
        }
    }
    Err(OauthError::new(Code::TemporarilyUnavailable, "too many refreshes of one token at a time; try again"))
}

/// The first use: the token is used up, its successor saved, in one commit.
async fn rotate(
    server: &AuthServer,
    client: &Client,
    text: &str,
    hash: &str,
    found: OneTime,
    narrowed: Option<&[String]>,
) -> Result<Outcome, OauthError> {
    let successor = OpaqueToken::generate(TokenKind::RefreshToken, server.env());
    let sealed = holder_of(server, text)
        .seal(PURPOSE, hash.as_bytes(), successor.text.expose().as_bytes())
        .map_err(OauthError::server)?;
    let grace = Duration::from_secs(server.settings().refresh_grace);
    let left = Left { sealed: STANDARD.encode(sealed), until: server.env().now().plus(grace) };
    let left = serde_json::to_value(left).map_err(OauthError::server)?;
    let consume = Consume::new(Purpose::RefreshToken, hash).client(client.client_id.clone()).leave(left);
    order(server, client, &found, narrowed, Some(consume), Refresh::New(successor)).await
}

/// A later use: inside the grace the same successor again, else the end of the family.
async fn again(
    server: &AuthServer,
    client: &Client,
    text: &str,
    hash: &str,
    tombstone: &Tombstone,
    narrowed: Option<&[String]>,
) -> Result<Outcome, OauthError> {
    let left = tombstone.left.clone().and_then(|left| serde_json::from_value::<Left>(left).ok());
    let sealed = left.filter(|left| server.env().now() < left.until);
    let sealed = sealed.and_then(|left| STANDARD.decode(left.sealed).ok());
    let Some(sealed) = sealed else { return replayed(server, client, tombstone).await };
    let opened =
        holder_of(server, text).open(PURPOSE, hash.as_bytes(), &sealed).map_err(OauthError::server)?;
    let successor = Secret::new(String::from_utf8_lossy(&opened).into_owned());
    let next = OpaqueToken::parse(TokenKind::RefreshToken, successor.expose()).map_err(OauthError::server)?;
    match server.store().peek(Purpose::RefreshToken, &next).await? {
        Peeked::Live(found) => order(server, client, &found, narrowed, None, Refresh::Known(successor)).await,
        // The successor was used already: whoever still comes with its predecessor is not its holder.
        Peeked::Used(_) => replayed(server, client, tombstone).await,
        Peeked::Absent => Err(refused("the refresh token is not valid")),
    }
}

async fn replayed(
    server: &AuthServer,
    client: &Client,
    tombstone: &Tombstone,
) -> Result<Outcome, OauthError> {
    if let Some(family) = &tombstone.family {
        server.revoke_family(family, &client.client_id, "a refresh token was used twice").await?;
    }
    Err(refused("the refresh token was used already"))
}

async fn order(
    server: &AuthServer,
    client: &Client,
    found: &OneTime,
    narrowed: Option<&[String]>,
    consume: Option<Consume>,
    refresh: Refresh,
) -> Result<Outcome, OauthError> {
    if found.client.as_deref() != Some(client.client_id.as_str()) {
        tracing::warn!(event = "oauth.refresh_foreign", client = client.client_id);
        return Err(refused("the refresh token is not valid"));
    }
    let grant: Grant = serde_json::from_value(found.payload.clone()).map_err(OauthError::server)?;
    let scopes = match narrowed {
        None => grant.scopes.clone(),
        Some(asked) if asked.iter().all(|scope| grant.scopes.contains(scope)) => asked.to_vec(),
        Some(_) => {
            let reason = "scope has more than was granted";
            return Err(OauthError::new(Code::InvalidScope, reason));
        }
    };
    let family = found.family.as_deref().and_then(FamilyId::parse);
    let family = family.ok_or_else(|| OauthError::server("a refresh token without a family"))?;
    server
        .issue(Order {
            client,
            grant_type: GrantType::RefreshToken,
            granted: Some(Granted { grant: &grant, family, first: false }),
            scopes,
            consume,
            refresh,
        })
        .await
}

/// Seals for whoever holds the token, and for nobody else.
fn holder_of(server: &AuthServer, token: &str) -> Sealer {
    Sealer::new(EnvelopeKey::of_secret(token), server.env().clone())
}
