//! The doors to the outside world. Implementations are chosen in the binary's `compose.rs`.

use crate::BoxFuture;

/// A mail to send.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mail {
    /// Recipient address.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// Plain text body.
    pub text: String,
    /// HTML body, where there is one.
    pub html: Option<String>,
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Answers when the mail is accepted for delivery.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), DeliveryError>>;
}

/// Sends text messages.
pub trait SmsSender: Send + Sync {
    /// `to` in E.164.
    fn send(&self, to: String, text: String) -> BoxFuture<'_, Result<(), DeliveryError>>;
}

/// A message was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("the message was not accepted: {0}")]
pub struct DeliveryError(pub String);

/// What a token check needs to know of a request, so that a sender-constrained token is never taken as a bare bearer.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Upper-case method.
    pub method: String,
    /// Absolute URI as the client used it.
    pub uri: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `DPoP` header.
    pub dpop: Option<String>,
    /// The DER client certificate, where there is one.
    pub client_certificate: Option<Vec<u8>>,
}

/// Who calls an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client the token was issued to.
    pub client_id: String,
    /// The person, where one stands behind the token.
    pub person: Option<crate::id::PersonId>,
    /// Granted scopes.
    pub scopes: Vec<String>,
}

/// Why a call was refused (RFC 6750 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// No token at all: 401 without an error code.
    #[error("an access token is needed")]
    Missing,
    /// Malformed request: 400 `invalid_request`.
    #[error("{0}")]
    InvalidRequest(String),
    /// Unknown, expired, revoked or meant for somebody else: 401 `invalid_token`.
    #[error("the access token is unknown, expired, revoked or not meant for this service")]
    InvalidToken,
    /// 403 `insufficient_scope`.
    #[error("scope {0} is needed")]
    InsufficientScope(String),
    /// The store did not answer: 503.
    #[error("the token could not be checked now")]
    Unavailable,
}

/// Checks access tokens.
pub trait TokenVerifier: Send + Sync {
    /// `audience` is the API's own identifier; `scope` must have been granted.
    fn verify<'a>(
        &'a self,
        request: &'a RequestFacts,
        audience: &'a str,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<Caller, TokenRefusal>>;
}

/// A place where an operator's own code is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookPoint {
    /// Whether a new password may be set.
    PasswordPolicy,
}

impl HookPoint {
    /// Its name in settings and in plugins.
    pub fn name(self) -> &'static str {
        match self {
            HookPoint::PasswordPolicy => "password-policy",
        }
    }
}

/// Asks an operator's own code. What goes in and comes out is typed where the call is made.
pub trait Hooks: Send + Sync {
    /// Whether anybody is asked here. Where nobody is, the call is left out.
    fn has(&self, point: HookPoint) -> bool;

    /// The answer. A caller that gets none refuses what it asked about.
    fn call(
        &self,
        point: HookPoint,
        request: serde_json::Value,
    ) -> BoxFuture<'_, Result<serde_json::Value, HookError>>;
}

/// A hook gave no answer; the reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hook {point} failed: {reason}")]
pub struct HookError {
    /// Which.
    pub point: &'static str,
    /// Why.
    pub reason: String,
}
