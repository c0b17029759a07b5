//! `grant_type=authorization_code` (RFC 6749 section 4.1.3) with PKCE (RFC 7636).

use agamid_core::id::FamilyId;
use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_store::{Consume, Consumption, Peeked, Purpose, Tombstone};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::AuthServer;
use crate::client::{Client, GrantType};
use crate::error::{Code, OauthError};
use crate::oauth::form::Parameters;
use crate::oauth::issue::{Grant, Granted, Issued, Order, Outcome, Refresh};

fn refused(reason: &str) -> OauthError {
    OauthError::new(Code::InvalidGrant, reason)
}

/// Redeems a code. Whatever is wrong with the attempt, the code is used up by it.
pub(crate) async fn redeem(
    server: &AuthServer,
    client: &Client,
    form: &Parameters,
) -> Result<Issued, OauthError> {
    let code = form.require("code")?;
    let redirect_uri = form.require("redirect_uri")?;
    let verifier = form.get("code_verifier");
    let hash = OpaqueToken::parse(TokenKind::Code, code).map_err(|_| refused("the code is not valid"))?;
    let consume = Consume::new(Purpose::Code, hash).client(client.client_id.clone()).address(redirect_uri);
    let found = match server.store().peek(Purpose::Code, &consume.hash).await? {
        Peeked::Live(found) => found,
        Peeked::Used(tombstone) => return Err(replayed(server, client, &tombstone).await?),
        Peeked::Absent => return Err(refused("the code is not valid")),
    };
    let attempt = async {
        if let Some(field) = found.mismatch(&consume) {
            tracing::warn!(event = "oauth.code_mismatch", client = client.client_id, field);
            return Err(refused("the code belongs to another client or redirect_uri"));
        }
        let grant: Grant = serde_json::from_value(found.payload.clone()).map_err(OauthError::server)?;
        check_verifier(grant.code_challenge.as_deref(), verifier)?;
        let family = found.family.as_deref().and_then(FamilyId::parse);
        let family = family.ok_or_else(|| OauthError::server("a code without a family"))?;
        let refresh = client.may_use(GrantType::RefreshToken);
        server
            .issue(Order {
                client,
                grant_type: GrantType::AuthorizationCode,
                granted: Some(Granted { grant: &grant, family, first: true }),
                scopes: grant.scopes.clone(),
                consume: Some(consume.clone()),
                refresh: if refresh {
                    Refresh::New(OpaqueToken::generate(TokenKind::RefreshToken, server.env()))
                } else {
                    Refresh::None
                },
            })
            .await
    };
    match attempt.await {
        Ok(Outcome::Issued(issued)) => Ok(issued),
        Ok(Outcome::NotConsumed(Consumption::Replayed(tombstone))) => {
            Err(replayed(server, client, &tombstone).await?)
        }
        // The family exists although the code was not used: a replay was faster.
        Ok(Outcome::NotConsumed(_) | Outcome::Raced) => Err(refused("the code was used already")),
        Err(error) => {
            if error.code != Code::TemporarilyUnavailable {
                // A mismatch burns it too; what came of it does not matter any more.
                let spent = Consume::new(Purpose::Code, consume.hash);
                server.store().consume(spent).await?;
            }
            Err(error)
        }
    }
}

/// A second use: all that came of the first dies (RFC 6749 section 4.1.2).
async fn replayed(
    server: &AuthServer,
    client: &Client,
    tombstone: &Tombstone,
) -> Result<OauthError, OauthError> {
    if let Some(family) = &tombstone.family {
        server.revoke_family(family, &client.client_id, "a code was used twice").await?;
    }
    Ok(refused("the code was used already"))
}

/// PKCE with S256 (RFC 7636 section 4.6): a challenge without a verifier is refused, and a verifier without a challenge
/// too, for somebody may have cut the challenge out (RFC 9700 section 4.8.2).
fn check_verifier(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OauthError> {
    let (challenge, verifier) = match (challenge, verifier) {
        (None, None) => return Ok(()),
        (Some(challenge), Some(verifier)) => (challenge, verifier),
        (Some(_), None) => return Err(refused("code_verifier is missing")),
        (None, Some(_)) => return Err(refused("code_verifier without a code_challenge in the request")),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(plain) {
        return Err(refused("code_verifier must have 43 to 128 unreserved characters"));
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let equal: bool = URL_SAFE_NO_PAD.encode(digest).as_bytes().ct_eq(challenge.as_bytes()).into();
    if equal { Ok(()) } else { Err(refused("code_verifier does not fit the code_challenge")) }
}
