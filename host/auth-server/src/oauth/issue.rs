//! The one place that issues tokens. Every grant comes through here, and is checked against the client, the person,
//! the session, the consent, the family and the scopes as they are *now*, whatever they were when it was granted.

use std::time::Duration;

use agamid_core::id::{FamilyId, OrgId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_core::time::Timestamp;
use agamid_identity::{OrgScope, Person, Schema};
use agamid_store::{
    AuditEvent, Batch, Consume, Consumption, Expect, OneTime, Purpose, StoreError, Versioned,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::claims_parameter::RequestedClaims;
use crate::client::{Client, GrantType, TokenFormat};
use crate::error::{Code, OauthError};
use crate::scope::{self, OFFLINE_ACCESS, is_administrative};
use crate::token::{AccessToken, TokenFamily, jwt_hash};
use crate::{ADMIN_AUDIENCE, AuthServer};

/// What a person authorized, and how they proved themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) person: PersonId,
    pub(crate) organisation: OrgId,
    pub(crate) session: SessionId,
    pub(crate) scopes: Vec<String>,
    pub(crate) claims: RequestedClaims,
    pub(crate) nonce: Option<String>,
    pub(crate) authenticated_at: Timestamp,
    pub(crate) amr: Vec<String>,
    pub(crate) acr: String,
    pub(crate) code_challenge: Option<String>,
}

impl Grant {
    /// Whether it outlives the browser session (OpenID Connect Core section 11).
    pub(crate) fn is_offline(&self) -> bool {
        self.scopes.iter().any(|scope| scope == OFFLINE_ACCESS)
    }

    /// What the person was asked to allow: scopes, and single claims.
    pub(crate) fn consented(&self, schema: &Schema) -> Vec<String> {
        scope::consent_items(schema, &self.scopes, &self.claims)
    }
}

/// What is ordered from the one issuing place.
pub(crate) struct Order<'a> {
    pub(crate) client: &'a Client,
    pub(crate) grant_type: GrantType,
    /// Whose, for what; absent where a client acts for itself.
    pub(crate) granted: Option<Granted<'a>>,
    /// The scopes wanted now; never more than granted.
    pub(crate) scopes: Vec<String>,
    /// What must be used up in the same commit: the code, the refresh token.
    pub(crate) consume: Option<Consume>,
    /// The refresh token to hand out: one made before, so that its sealed form could be left behind.
    pub(crate) refresh: Refresh,
}

/// The person's side of an order.
pub(crate) struct Granted<'a> {
    pub(crate) grant: &'a Grant,
    pub(crate) family: FamilyId,
    /// Whether this is the first issue: the family is made now, and the ID token has the request's nonce.
    pub(crate) first: bool,
}

/// What becomes of the refresh token.
pub(crate) enum Refresh {
    /// None is handed out.
    None,
    /// A new one, saved with this order.
    New(OpaqueToken),
    /// One that was saved before: the successor inside the grace.
    Known(Secret),
}

/// What the client gets.
pub(crate) struct Issued {
    pub(crate) access_token: Secret,
    pub(crate) expires_in: u64,
    pub(crate) scope: String,
    pub(crate) id_token: Option<String>,
    pub(crate) refresh_token: Option<Secret>,
}

/// What came of an order.
pub(crate) enum Outcome {
    Issued(Issued),
    /// What was to be used up was not to be had; nothing was written.
    NotConsumed(Consumption),
    /// Another request changed the family in the meantime; nothing was written.
    Raced,
}

fn gone(what: &str) -> OauthError {
    OauthError::new(Code::InvalidGrant, format!("the {what} is no longer valid"))
}

impl AuthServer {
    /// Checks every policy, makes the tokens, and saves them in one commit with what is used up for them.
    pub(crate) async fn issue(&self, order: Order<'_>) -> Result<Outcome, OauthError> {
        let client = order.client;
        check_grant_type(client, order.grant_type)?;
        let mut person = None;
        let mut family = None;
        if let Some(granted) = &order.granted {
            let found = self.check_person(granted.grant).await?;
            self.check_session(granted.grant).await?;
            self.check_consent(client, granted).await?;
            family = Some(self.check_family(client, granted).await?);
            person = Some(found);
        }
        let scopes = allowed_scopes(client, person.as_ref(), &order.scopes);
        if scopes.is_empty() && !order.scopes.is_empty() {
            return Err(OauthError::new(Code::InvalidScope, "none of the scopes is allowed any more"));
        }

        let now = self.env().now();
        let lifetime = self.settings().access_token_lifetime;
        let made =
            self.access_token(&order, scopes, person.as_ref(), now.plus(Duration::from_secs(lifetime)))?;
        let id_token = match (&order.granted, &person) {
            (Some(granted), Some(person)) if made.record.scopes.iter().any(|scope| scope == "openid") => {
                Some(self.id_token(client, person, granted, &made).await?)
            }
            _ => None,
        };
        let mut batch = Batch::new().put(&made.record, Expect::Absent);
        if let (Some(granted), Some((record, expect))) = (&order.granted, family) {
            if let Refresh::New(token) = &order.refresh {
                batch = batch.issue(self.refresh_record(client, granted, token)?);
            }
            let until = record.expires_at;
            let record = self.extended(record, &order.refresh, made.record.expires_at);
            batch = if record.expires_at == until && expect != Expect::Absent {
                batch.require::<TokenFamily>(record.id.as_str(), expect)
            } else {
                batch.put(&record, expect)
            };
        }
        let actor = person.as_ref().map_or(client.client_id.as_str(), |person| person.id.as_str());
        batch = batch.audit(AuditEvent::new("token.issued", actor, &client.client_id));
        if let Some(consume) = order.consume {
            batch = batch.consume(consume);
        }
        let committed = match self.store().commit(batch).await {
            Ok(committed) => committed,
            Err(StoreError::Conflict { .. }) => return Ok(Outcome::Raced),
            Err(error) => return Err(error.into()),
        };
        if let Some(refused) =
            committed.consumptions.into_iter().find(|outcome| !matches!(outcome, Consumption::Consumed(_)))
        {
            return Ok(Outcome::NotConsumed(refused));
        }
        metrics::counter!("oauth_tokens_issued_total", "grant" => order.grant_type.name()).increment(1);
        Ok(Outcome::Issued(Issued {
            access_token: made.text,
            expires_in: lifetime,
            scope: made.record.scopes.join(" "),
            id_token,
            refresh_token: match order.refresh {
                Refresh::None => None,
                Refresh::New(token) => Some(token.text),
                Refresh::Known(text) => Some(text),
            },
        }))
    }

    /// A token for this server's own administration, without a person behind it: for the demo's command line.
    pub async fn issue_admin_token(&self, client_id: &str, lifetime: Duration) -> Result<Secret, OauthError> {
        let client = self.clients().get(client_id).await?;
        let client =
            client.ok_or_else(|| OauthError::new(Code::UnauthorizedClient, "there is no such client"))?;
        let scopes = client.scopes.iter().filter(|scope| is_administrative(scope)).cloned().collect();
        let order = Order {
            client: &client,
            grant_type: GrantType::ClientCredentials,
            granted: None,
            scopes: Vec::new(),
            consume: None,
            refresh: Refresh::None,
        };
        let made = self.access_token(&order, scopes, None, self.env().now().plus(lifetime))?;
        let audit = AuditEvent::new("token.issued", "server", client_id);
        self.store().commit(Batch::new().put(&made.record, Expect::Absent).audit(audit)).await?;
        Ok(made.text)
    }

    /// The person is there and enabled.
    async fn check_person(&self, grant: &Grant) -> Result<Person, OauthError> {
        let scope = OrgScope::One(grant.organisation.clone());
        let person = self.identity().persons.get(&scope, &grant.person).await?;
        person.filter(|person| person.may_log_in(self.env().now())).ok_or_else(|| gone("person"))
    }

    /// The session lives and is this person's; with `offline_access` it may have ended.
    async fn check_session(&self, grant: &Grant) -> Result<(), OauthError> {
        if grant.is_offline() {
            return Ok(());
        }
        let session = self.identity().sessions.get(&grant.session).await?;
        let session = session.filter(|session| session.person == grant.person);
        session.map(drop).ok_or_else(|| gone("session"))
    }

    /// The person still allows what they were asked, and did not take it back since.
    async fn check_consent(&self, client: &Client, granted: &Granted<'_>) -> Result<(), OauthError> {
        let (grant, then) = (granted.grant, granted.family.made_at());
        let consents = &self.identity().consents;
        let schema = self.identity().attributes.schema().await?;
        if client.require_consent
            && !consents
                .covers_since(&grant.person, &client.client_id, &grant.consented(&schema), then)
                .await?
        {
            return Err(gone("consent"));
        }
        Ok(())
    }

    /// The family is new, or alive and this client's.
    async fn check_family(
        &self,
        client: &Client,
        granted: &Granted<'_>,
    ) -> Result<(TokenFamily, Expect), OauthError> {
        match self.store().get::<TokenFamily>(granted.family.as_str()).await? {
            Some(Versioned { record, version }) if !record.revoked && record.client == client.client_id => {
                Ok((record, Expect::Version(version)))
            }
            Some(_) => Err(gone("grant")),
            None if !granted.first => Err(gone("grant")),
            None => {
                let grant = granted.grant;
                let record = TokenFamily {
                    id: granted.family.clone(),
                    client: client.client_id.clone(),
                    person: Some(grant.person.clone()),
                    session: (!grant.is_offline()).then(|| grant.session.clone()),
                    revoked: false,
                    expires_at: self.env().now(),
                };
                Ok((record, Expect::Absent))
            }
        }
    }

    /// A family lives as long as its longest-lived token.
    fn extended(&self, mut family: TokenFamily, refresh: &Refresh, access: Timestamp) -> TokenFamily {
        let until = match refresh {
            Refresh::New(_) => self.refresh_expiry().max(access),
            Refresh::None | Refresh::Known(_) => access,
        };
        family.expires_at = family.expires_at.max(until);
        family
    }

    fn refresh_expiry(&self) -> Timestamp {
        self.env().now().plus(Duration::from_secs(self.settings().refresh_token_lifetime))
    }

    fn refresh_record(
        &self,
        client: &Client,
        granted: &Granted<'_>,
        token: &OpaqueToken,
    ) -> Result<OneTime, OauthError> {
        Ok(OneTime {
            purpose: Purpose::RefreshToken,
            hash: token.hash.clone(),
            client: Some(client.client_id.clone()),
            person: Some(granted.grant.person.to_string()),
            session: None,
            run: None,
            address: None,
            family: Some(granted.family.to_string()),
            payload: serde_json::to_value(granted.grant).map_err(OauthError::server)?,
            expires_at: self.refresh_expiry(),
        })
    }

    fn access_token(
        &self,
        order: &Order<'_>,
        scopes: Vec<String>,
        person: Option<&Person>,
        expires_at: Timestamp,
    ) -> Result<Made, OauthError> {
        let client = order.client;
        let now = self.env().now();
        let mut audience = vec![self.web().issuer().to_owned()];
        if scopes.iter().any(|scope| is_administrative(scope)) {
            audience.push(ADMIN_AUDIENCE.to_owned());
        }
        let subject = person.map_or_else(|| client.client_id.clone(), |person| self.subject(client, person));
        let (text, hash) = match client.access_token_format {
            TokenFormat::Opaque => {
                let token = OpaqueToken::generate(TokenKind::AccessToken, self.env());
                (token.text, token.hash)
            }
            TokenFormat::Jwt => {
                let mut claims = json!({
                    "iss": self.web().issuer(),
                    "sub": subject,
                    "aud": audience,
                    "client_id": client.client_id,
                    "scope": scopes.join(" "),
                    "iat": now.seconds(),
                    "exp": expires_at.seconds(),
                    "jti": agamid_core::id::new_ulid(self.env()),
                });
                if let (Some(granted), Some(claims)) = (&order.granted, claims.as_object_mut()) {
                    claims.insert("auth_time".to_owned(), granted.grant.authenticated_at.seconds().into());
                    claims.insert("acr".to_owned(), granted.grant.acr.clone().into());
                    claims.insert("amr".to_owned(), granted.grant.amr.clone().into());
                }
                let algorithm = client.id_token_signed_response_alg;
                let jwt = self.keys().sign(algorithm, "at+jwt", &claims).map_err(OauthError::server)?;
                let hash = jwt_hash(&jwt);
                (Secret::new(jwt), hash)
            }
        };
        let granted = order.granted.as_ref();
        let record = AccessToken {
            hash,
            family: granted.map(|granted| granted.family.clone()),
            client: client.client_id.clone(),
            person: person.map(|person| person.id.clone()),
            subject,
            scopes,
            claims: granted.map(|granted| granted.grant.claims.userinfo.clone()).unwrap_or_default(),
            audience,
            issued_at: now,
            expires_at,
        };
        Ok(Made { text, record })
    }

    /// OpenID Connect Core section 2.
    async fn id_token(
        &self,
        client: &Client,
        person: &Person,
        granted: &Granted<'_>,
        access_token: &Made,
    ) -> Result<String, OauthError> {
        let grant = granted.grant;
        let lifetime = Duration::from_secs(self.settings().id_token_lifetime);
        let now = self.env().now();
        let mut claims = self.claims(person, client, &[], &grant.claims.id_token).await?;
        let fixed = json!({
            "iss": self.web().issuer(),
            "sub": access_token.record.subject,
            "aud": client.client_id,
            "exp": now.plus(lifetime).seconds(),
            "iat": now.seconds(),
            "auth_time": grant.authenticated_at.seconds(),
            "acr": grant.acr,
            "amr": grant.amr,
            "sid": self.subjects().session_of(client, &grant.session),
            "at_hash": half_hash(access_token.text.expose()),
        });
        if let Value::Object(fixed) = fixed {
            claims.extend(fixed);
        }
        if let (true, Some(nonce)) = (granted.first, &grant.nonce) {
            claims.insert("nonce".to_owned(), nonce.clone().into());
        }
        let algorithm = client.id_token_signed_response_alg;
        self.keys().sign(algorithm, "JWT", &Value::Object(claims)).map_err(OauthError::server)
    }

    /// `sub` of a person at a client.
    pub(crate) fn subject(&self, client: &Client, person: &Person) -> String {
        self.subjects().of(client, &person.id)
    }

    /// Ends a family: none of its tokens is accepted from now on, and none can be added.
    pub(crate) async fn revoke_family(
        &self,
        family: &str,
        client: &str,
        why: &'static str,
    ) -> Result<(), OauthError> {
        let Some(id) = FamilyId::parse(family) else { return Ok(()) };
        let settings = self.settings();
        let longest =
            settings.access_token_lifetime.max(settings.code_lifetime).max(settings.refresh_token_lifetime);
        let record = TokenFamily {
            id,
            client: client.to_owned(),
            person: None,
            session: None,
            revoked: true,
            expires_at: self.env().now().plus(Duration::from_secs(longest)),
        };
        let audit = AuditEvent::new("token.family_revoked", client, family);
        self.store().commit(Batch::new().put(&record, Expect::Any).audit(audit)).await?;
        tracing::warn!(event = "oauth.family_revoked", client, family, why);
        Ok(())
    }
}

/// An access token, before it is saved.
struct Made {
    text: Secret,
    record: AccessToken,
}

/// The client is registered for the grant.
fn check_grant_type(client: &Client, grant_type: GrantType) -> Result<(), OauthError> {
    if client.may_use(grant_type) {
        return Ok(());
    }
    let reason = format!("this client is not registered for {}", grant_type.name());
    Err(OauthError::new(Code::UnauthorizedClient, reason))
}

/// What of the wanted scopes the client may still have; administrative ones only for administrators, or for clients
/// that an operator gave them.
fn allowed_scopes(client: &Client, person: Option<&Person>, scopes: &[String]) -> Vec<String> {
    let allowed = |scope: &&String| {
        client.scopes.contains(scope)
            && (person.is_none_or(|person| person.administrator) || !is_administrative(scope))
    };
    scopes.iter().filter(allowed).cloned().collect()
}

/// `at_hash`: the left half of the SHA-256, base64url (OpenID Connect Core section 3.1.3.6).
fn half_hash(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let half = digest.as_ref().get(..16).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}
