//! Checking access tokens, for our own APIs.

use agamid_core::BoxFuture;
use agamid_core::id::{FamilyId, PersonId, SessionId};
use agamid_core::ports::{Caller, RequestFacts, TokenRefusal, TokenVerifier};
use agamid_identity::{OrgScope, Person};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::AuthServer;
use crate::client::Client;
use crate::error::{Code, OauthError};
use crate::scope::is_administrative;
use crate::token::{AccessToken, TokenFamily, access_token_hash};

/// The token of an `Authorization` header (RFC 6750 section 2.1).
pub(crate) fn bearer_of(header: &str) -> Result<String, TokenRefusal> {
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(token.to_owned())
        }
        _ => Err(TokenRefusal::InvalidRequest("the Authorization header is no Bearer token".to_owned())),
    }
}

/// An access token that is alive, with who stands behind it.
pub(crate) struct LiveToken {
    pub(crate) token: AccessToken,
    pub(crate) client: Client,
    pub(crate) person: Option<Person>,
}

impl AuthServer {
    /// An access token, if it is alive: its client, family, person, session, consent and scopes are checked as they are
    /// now.
    pub(crate) async fn live_token(&self, text: &str) -> Result<Option<LiveToken>, OauthError> {
        let Some(hash) = access_token_hash(text) else { return Ok(None) };
        let Some(found) = self.store().get::<AccessToken>(&hash).await? else { return Ok(None) };
        let mut token = found.record;
        let Some(client) = self.clients().get(&token.client).await? else { return Ok(None) };
        if let Some(family) = &token.family {
            let family = self.store().get::<TokenFamily>(family.as_str()).await?;
            let stands = |family: &TokenFamily| !family.revoked && family.client == token.client;
            let Some(family) = family.filter(|family| stands(&family.record)) else { return Ok(None) };
            if let Some(session) = &family.record.session {
                let session = self.identity().sessions.get(session).await?;
                if session.is_none_or(|session| Some(session.person) != token.person) {
                    return Ok(None);
                }
            }
        }
        let mut person = None;
        if let Some(id) = &token.person {
            let found = self.identity().persons.get(&OrgScope::All, id).await?;
            let Some(found) = found.filter(|person| person.may_log_in(self.env().now())) else {
                return Ok(None);
            };
            let then = token.family.as_ref().map_or(token.issued_at, FamilyId::made_at);
            if client.require_consent
                && !self.identity().consents.covers_since(id, &token.client, &token.scopes, then).await?
            {
                return Ok(None);
            }
            person = Some(found);
        }
        let administrator = person.as_ref().is_none_or(|person| person.administrator);
        token
            .scopes
            .retain(|scope| client.scopes.contains(scope) && (administrator || !is_administrative(scope)));
        Ok(Some(LiveToken { token, client, person }))
    }

    /// Whether a person is enabled, and a session (where one is needed) alive.
    pub(crate) async fn is_standing(
        &self,
        person: &PersonId,
        session: Option<&SessionId>,
    ) -> Result<bool, OauthError> {
        let found = self.identity().persons.get(&OrgScope::All, person).await?;
        let alive = match session {
            Some(session) => {
                let session = self.identity().sessions.get(session).await?;
                session.is_some_and(|session| session.person == *person)
            }
            None => true,
        };
        Ok(alive && found.is_some_and(|person| person.may_log_in(self.env().now())))
    }

    /// Who holds a token, if it is alive, meant for `audience` and has `scope`.
    pub(crate) async fn check_token(
        &self,
        text: &str,
        audience: &str,
        scope: &str,
    ) -> Result<LiveToken, TokenRefusal> {
        let live = self.live_token(text).await.map_err(|_| TokenRefusal::Unavailable)?;
        let live = live.ok_or(TokenRefusal::InvalidToken)?;
        if !live.token.audience.iter().any(|known| known == audience) {
            return Err(TokenRefusal::InvalidToken);
        }
        if !live.token.scopes.iter().any(|known| known == scope) {
            return Err(TokenRefusal::InsufficientScope(scope.to_owned()));
        }
        Ok(live)
    }
}

impl TokenVerifier for AuthServer {
    fn verify<'a>(
        &'a self,
        request: &'a RequestFacts,
        audience: &'a str,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<Caller, TokenRefusal>> {
        Box::pin(async move {
            let header = request.authorization.as_deref().ok_or(TokenRefusal::Missing)?;
            let token = self.check_token(&bearer_of(header)?, audience, scope).await?.token;
            Ok(Caller { client_id: token.client, person: token.person, scopes: token.scopes })
        })
    }
}

/// A refusal as RFC 6750 section 3 has it.
pub fn refusal(refused: &TokenRefusal) -> Response {
    let (status, challenge) = match refused {
        TokenRefusal::Missing => (StatusCode::UNAUTHORIZED, "Bearer".to_owned()),
        TokenRefusal::InvalidRequest(_) => {
            (StatusCode::BAD_REQUEST, "Bearer error=\"invalid_request\"".to_owned())
        }
        TokenRefusal::InvalidToken => (StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\"".to_owned()),
        TokenRefusal::InsufficientScope(scope) => {
            (StatusCode::FORBIDDEN, format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
        }
        TokenRefusal::Unavailable => {
            let reason = "the token can't be checked now; try again";
            return OauthError::new(Code::TemporarilyUnavailable, reason).into_response();
        }
    };
    let challenge = HeaderValue::from_str(&challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    let headers = [
        (header::WWW_AUTHENTICATE, challenge),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, refused.to_string()).into_response()
}
