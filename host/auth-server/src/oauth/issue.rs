//! The one place that issues tokens. Every grant comes through here.

use std::time::Duration;

use agamid_core::id::{FamilyId, OrgId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_core::time::Timestamp;
use agamid_identity::{OrgScope, Person};
use agamid_store::{AuditEvent, Batch, Expect, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::{Code, OauthError};
use crate::scope::is_administrative;
use crate::token::{AccessToken, TokenFamily};
use crate::{ADMIN_AUDIENCE, AuthServer};

/// What was authorized: by whom, how they proved themselves, for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) person: PersonId,
    pub(crate) organisation: OrgId,
    pub(crate) session: SessionId,
    pub(crate) scopes: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) authenticated_at: Timestamp,
    pub(crate) amr: Vec<String>,
    pub(crate) acr: String,
    pub(crate) code_challenge: String,
}

/// What the client gets.
pub(crate) struct Issued {
    pub(crate) access_token: Secret,
    pub(crate) expires_in: u64,
    pub(crate) scope: String,
    pub(crate) id_token: Option<String>,
}

impl AuthServer {
    /// Tokens for a person's grant. Checks client, person, session and scope as they are now.
    pub(crate) async fn issue(
        &self,
        client: &Client,
        family: FamilyId,
        grant: &Grant,
    ) -> Result<Issued, OauthError> {
        let gone = |what: &str| OauthError::new(Code::InvalidGrant, format!("the {what} is no longer valid"));
        let scope = OrgScope::One(grant.organisation.clone());
        let person =
            self.identity().persons.get(&scope, &grant.person).await?.filter(|person| !person.disabled);
        let person = person.ok_or_else(|| gone("person"))?;
        let session = self.identity().sessions.get(&grant.session).await?;
        session.filter(|session| session.person == person.id).ok_or_else(|| gone("session"))?;
        let consents = &self.identity().consents;
        if client.require_consent && !consents.covers(&person.id, &client.client_id, &grant.scopes).await? {
            return Err(gone("consent"));
        }
        let scopes = allowed_scopes(client, &person, &grant.scopes);
        let now = self.env().now();
        let lifetime = self.settings().access_token_lifetime;
        let record = TokenFamily {
            id: family.clone(),
            client: client.client_id.clone(),
            person: Some(person.id.clone()),
            session: Some(grant.session.clone()),
            revoked: false,
            expires_at: now.plus(Duration::from_secs(lifetime)),
        };
        let token = self.access_token(&record, scopes.clone());
        let id_token = if scopes.iter().any(|scope| scope == "openid") {
            Some(self.id_token(client, &person, grant, token.text.expose(), now)?)
        } else {
            None
        };
        self.save(&record, token.record).await?;
        metrics::counter!("oauth_tokens_issued_total", "grant" => "authorization_code").increment(1);
        Ok(Issued { access_token: token.text, expires_in: lifetime, scope: scopes.join(" "), id_token })
    }

    /// A token for this server's own administration, without a person behind it: for the demo's command line.
    pub async fn issue_admin_token(&self, client_id: &str, lifetime: Duration) -> Result<Secret, OauthError> {
        let client = self.clients().get(client_id).await?;
        let client =
            client.ok_or_else(|| OauthError::new(Code::UnauthorizedClient, "there is no such client"))?;
        let scopes: Vec<String> =
            client.scopes.iter().filter(|scope| is_administrative(scope)).cloned().collect();
        let record = TokenFamily {
            id: FamilyId::generate(self.env()),
            client: client.client_id.clone(),
            person: None,
            session: None,
            revoked: false,
            expires_at: self.env().now().plus(lifetime),
        };
        let token = self.access_token(&record, scopes);
        self.save(&record, token.record).await?;
        Ok(token.text)
    }

    fn access_token(&self, family: &TokenFamily, scopes: Vec<String>) -> Made {
        let token = OpaqueToken::generate(TokenKind::AccessToken, &*self.env().rng);
        let mut audience = vec![self.web().issuer().to_owned()];
        if scopes.iter().any(|scope| is_administrative(scope)) {
            audience.push(ADMIN_AUDIENCE.to_owned());
        }
        let record = AccessToken {
            hash: token.hash,
            family: family.id.clone(),
            client: family.client.clone(),
            person: family.person.clone(),
            scopes,
            audience,
            expires_at: family.expires_at,
        };
        Made { text: token.text, record }
    }

    /// A family that exists already was killed by a replay in the meantime. The first use still gets its answer, as one
    /// use of a code always does, but what it gets is dead: nothing is saved.
    async fn save(&self, family: &TokenFamily, token: AccessToken) -> Result<(), OauthError> {
        let audit = AuditEvent::new("token.issued", &family.client, family.id.as_str());
        let batch = Batch::new().put(family, Expect::Absent).put(&token, Expect::Absent).audit(audit);
        match self.store().commit(batch).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn id_token(
        &self,
        client: &Client,
        person: &Person,
        grant: &Grant,
        access_token: &str,
        now: Timestamp,
    ) -> Result<String, OauthError> {
        let lifetime = Duration::from_secs(self.settings().id_token_lifetime);
        let mut claims = json!({
            "iss": self.web().issuer(),
            "sub": person.id,
            "aud": client.client_id,
            "exp": now.plus(lifetime).seconds(),
            "iat": now.seconds(),
            "auth_time": grant.authenticated_at.seconds(),
            "acr": grant.acr,
            "amr": grant.amr,
            "sid": grant.session,
            "at_hash": half_hash(access_token),
        });
        if let (Some(nonce), Some(claims)) = (&grant.nonce, claims.as_object_mut()) {
            claims.insert("nonce".to_owned(), Value::from(nonce.clone()));
        }
        let algorithm = client.id_token_signed_response_alg;
        self.keys().sign(algorithm, "JWT", &claims).map_err(OauthError::server)
    }

    /// Ends a family: none of its tokens is accepted from now on, and none can be added.
    pub(crate) async fn revoke_family(&self, family: &str, client: &str) -> Result<(), OauthError> {
        let Some(id) = FamilyId::parse(family) else { return Ok(()) };
        let lifetime =
            Duration::from_secs(self.settings().access_token_lifetime.max(self.settings().code_lifetime));
        let record = TokenFamily {
            id,
            client: client.to_owned(),
            person: None,
            session: None,
            revoked: true,
            expires_at: self.env().now().plus(lifetime),
        };
        let audit = AuditEvent::new("token.family_revoked", client, family);
        self.store().commit(Batch::new().put(&record, Expect::Any).audit(audit)).await?;
        tracing::warn!(event = "oauth.code_replayed", client, family);
        Ok(())
    }
}

struct Made {
    text: Secret,
    record: AccessToken,
}

/// What of the granted scopes the client may still have; administrative ones only for administrators.
fn allowed_scopes(client: &Client, person: &Person, scopes: &[String]) -> Vec<String> {
    let allowed = |scope: &&String| {
        client.scopes.contains(scope) && (person.administrator || !is_administrative(scope))
    };
    scopes.iter().filter(allowed).cloned().collect()
}

/// `at_hash`: the left half of the SHA-256, base64url (OpenID Connect Core section 3.1.3.6).
fn half_hash(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let half = digest.as_ref().get(..16).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}
