//! Checking access tokens, for our own APIs.

use agamid_core::BoxFuture;
use agamid_core::ports::{Caller, RequestFacts, TokenRefusal, TokenVerifier};
use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_identity::OrgScope;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::AuthServer;
use crate::token::{AccessToken, TokenFamily};

/// The token of an `Authorization` header (RFC 6750 section 2.1).
pub(crate) fn bearer_of(header: &str) -> Result<String, TokenRefusal> {
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(token.to_owned())
        }
        _ => Err(TokenRefusal::InvalidRequest("the Authorization header is no Bearer token".to_owned())),
    }
}

impl AuthServer {
    /// Who holds a token, if it is alive, meant for `audience` and has `scope`. Its family, client, person and session
    /// are checked as they are now.
    pub(crate) async fn check_token(
        &self,
        token: &str,
        audience: &str,
        scope: &str,
    ) -> Result<Caller, TokenRefusal> {
        let hash =
            OpaqueToken::parse(TokenKind::AccessToken, token).map_err(|_| TokenRefusal::InvalidToken)?;
        let down = |_| TokenRefusal::Unavailable;
        let found = self.store().get::<AccessToken>(&hash).await.map_err(down)?;
        let found = found.ok_or(TokenRefusal::InvalidToken)?.record;
        let family = self.store().get::<TokenFamily>(found.family.as_str()).await.map_err(down)?;
        let family = family.filter(|family| !family.record.revoked).ok_or(TokenRefusal::InvalidToken)?.record;
        self.clients().get(&found.client).await.map_err(down)?.ok_or(TokenRefusal::InvalidToken)?;
        if let Some(person) = &found.person {
            let found = self.identity().persons.get(&OrgScope::All, person).await;
            found
                .map_err(|_| TokenRefusal::Unavailable)?
                .filter(|p| !p.disabled)
                .ok_or(TokenRefusal::InvalidToken)?;
        }
        if let Some(session) = &family.session {
            let found = self.identity().sessions.get(session).await.map_err(|_| TokenRefusal::Unavailable)?;
            found.ok_or(TokenRefusal::InvalidToken)?;
        }
        if !found.audience.iter().any(|known| known == audience) {
            return Err(TokenRefusal::InvalidToken);
        }
        if !found.scopes.iter().any(|known| known == scope) {
            return Err(TokenRefusal::InsufficientScope(scope.to_owned()));
        }
        Ok(Caller { client_id: found.client, person: found.person, scopes: found.scopes })
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
            self.check_token(&bearer_of(header)?, audience, scope).await
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
        TokenRefusal::Unavailable => return (StatusCode::SERVICE_UNAVAILABLE, "try again").into_response(),
    };
    let challenge = HeaderValue::from_str(&challenge).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    let headers = [
        (header::WWW_AUTHENTICATE, challenge),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, refused.to_string()).into_response()
}
