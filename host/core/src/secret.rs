//! Secrets, and the opaque tokens people carry.
//!
//! A token is `prefix` + 10 characters (when it was made, in milliseconds, as a ULID begins) + 43 characters (256 random
//! bits, base64url) + 6 characters (CRC-32 of the rest, base64url): it can be told apart by its prefix, found by secret
//! scanners, and a truncated or altered one is refused before any look-up. Stored are the time and the SHA-256 of the
//! whole text: in this order, because what is made together then lies together in the store, which makes writing and
//! sweeping several times cheaper.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Env;
use crate::random::bytes;

/// Text that must not be shown: no `Display`, a `Debug` without content, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Each use is a place where it may leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    /// In constant time for equal lengths.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(•••)")
    }
}

/// What an opaque token is for; tokens of different kinds never pass for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `agat_`: an access token.
    AccessToken,
    /// `agrt_`: a refresh token.
    RefreshToken,
    /// `agac_`: an authorization code.
    Code,
    /// `agpr_`: a pushed authorization request.
    PushedRequest,
    /// `agrg_`: what manages a registered client.
    Registration,
    /// `agcs_`: a client secret.
    ClientSecret,
    /// `agss_`: the value of a session cookie.
    Session,
    /// `agbr_`: the value of a browser cookie.
    Browser,
    /// `agst_`: the state of a flow's callback.
    FlowState,
}

impl TokenKind {
    /// The token's first characters.
    pub fn prefix(self) -> &'static str {
        match self {
            TokenKind::AccessToken => "agat_",
            TokenKind::RefreshToken => "agrt_",
            TokenKind::Code => "agac_",
            TokenKind::PushedRequest => "agpr_",
            TokenKind::Registration => "agrg_",
            TokenKind::ClientSecret => "agcs_",
            TokenKind::Session => "agss_",
            TokenKind::Browser => "agbr_",
            TokenKind::FlowState => "agst_",
        }
    }
}

/// A freshly made token.
#[derive(Debug, Clone)]
pub struct OpaqueToken {
    /// What its holder gets; kept nowhere.
    pub text: Secret,
    /// What is stored: the time, and SHA-256 of the text in hex.
    pub hash: String,
}

/// The text is no token of the expected kind: wrong prefix, length, alphabet or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed token of this kind")]
pub struct MalformedToken;

/// Characters of a time.
const TIME_LENGTH: usize = 10;
/// Characters of 256 bits in base64url.
const SECRET_LENGTH: usize = 43;
/// Characters of a CRC-32 in base64url.
const CHECKSUM_LENGTH: usize = 6;

impl OpaqueToken {
    /// A new token with 256 random bits.
    pub fn generate(kind: TokenKind, env: &Env) -> Self {
        let id = crate::id::new_ulid(env);
        let time = id.get(..TIME_LENGTH).unwrap_or_default();
        let body = format!("{}{time}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes::<32>(&*env.rng)));
        let text = format!("{body}{}", checksum(&body));
        let hash = stored(time, &text);
        Self { text: Secret::new(text), hash }
    }

    /// The stored form of a token that somebody presents.
    pub fn parse(kind: TokenKind, text: &str) -> Result<String, MalformedToken> {
        let expected = kind.prefix().len() + TIME_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;
        if text.len() != expected || !text.is_ascii() || !text.starts_with(kind.prefix()) {
            return Err(MalformedToken);
        }
        let (body, sum) = text.split_at(expected - CHECKSUM_LENGTH);
        if checksum(body) != sum {
            return Err(MalformedToken);
        }
        let time = text.get(kind.prefix().len()..kind.prefix().len() + TIME_LENGTH).unwrap_or_default();
        Ok(stored(time, text))
    }
}

fn stored(time: &str, text: &str) -> String {
    let mut stored = time.to_owned();
    push_hex(&mut stored, text.as_bytes());
    stored
}

fn checksum(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(crc32fast::hash(body.as_bytes()).to_be_bytes())
}

/// SHA-256 in lower-case hex.
pub fn sha256_hex(data: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    push_hex(&mut hex, data);
    hex
}

fn push_hex(hex: &mut String, data: &[u8]) {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data);
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::random::SeededRng;
    use crate::time::{ManualClock, Timestamp};

    fn env() -> Env {
        let clock = ManualClock::new(Timestamp::from_seconds(1_800_000_000));
        Env { clock: Arc::new(clock), rng: Arc::new(SeededRng::new(1)) }
    }

    #[test]
    fn a_token_is_read_back_as_its_hash() {
        let token = OpaqueToken::generate(TokenKind::Code, &env());
        assert_eq!(OpaqueToken::parse(TokenKind::Code, token.text.expose()), Ok(token.hash));
    }

    #[test]
    fn tokens_made_later_are_stored_after_those_made_before() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let env = Env { clock: Arc::clone(&clock) as _, rng: Arc::new(SeededRng::new(1)) };
        let mut stored = Vec::new();
        for _ in 0..50 {
            stored.push(OpaqueToken::generate(TokenKind::Code, &env).hash);
            clock.advance(std::time::Duration::from_millis(1));
        }
        assert!(stored.is_sorted());
    }

    #[test]
    fn truncated_extended_altered_and_foreign_tokens_are_refused() {
        let token = OpaqueToken::generate(TokenKind::Code, &env());
        let text = token.text.expose();
        let swapped: String = text
            .chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        for bad in [&text[..text.len() - 1], &format!("{text}A"), &format!(" {text}"), &swapped, ""] {
            assert_eq!(OpaqueToken::parse(TokenKind::Code, bad), Err(MalformedToken), "{bad}");
        }
        for (at, _) in text.char_indices() {
            let mut altered = text.to_owned();
            altered.replace_range(at..=at, if &text[at..=at] == "x" { "y" } else { "x" });
            assert_eq!(OpaqueToken::parse(TokenKind::Code, &altered), Err(MalformedToken), "{altered}");
        }
        assert_eq!(OpaqueToken::parse(TokenKind::AccessToken, text), Err(MalformedToken));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(•••)");
    }
}
