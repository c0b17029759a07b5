//! Every policy holds at every grant (security item 40): a grant is made, a policy taken away, the grant redeemed.

use std::sync::Arc;

use agamid_core::id::{FamilyId, PersonId, SessionId};
use agamid_core::outgoing::{GuardedHttp, OutgoingSettings, SystemResolver};
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_core::time::Timestamp;
use agamid_core::{BoxFuture, Env};
use agamid_flow_engine::agama_lang::check::facts::RoutineFacts;
use agamid_flow_engine::agama_lang::effect::{Call, CallError};
use agamid_flow_engine::agama_lang::value::Value as FlowValue;
use agamid_flow_engine::ports::{CallContext, Pins, RoutineSet, Routines};
use agamid_flow_engine::{Engine, EngineParts, FlowSettings};
use agamid_identity::session::{Device, NewSession};
use agamid_identity::{AccountStatus, Identity, IdentityParts, IdentitySettings, NewPerson, Person, Session};
use agamid_store::{Batch, Expect, OneTime, Purpose, Store};
use agamid_web::{Web, WebConfig};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::{Client, GrantType, TokenFormat};
use crate::oauth::issue::Grant;
use crate::token::{AccessToken, TokenFamily, access_token_hash};
use crate::{ADMIN_AUDIENCE, AuthServer, AuthServerParts, OauthSettings};

/// No flow calls anything here.
struct Nothing(tokio::sync::watch::Sender<u64>);

impl Routines for Nothing {
    fn current(&self) -> Arc<dyn RoutineSet> {
        Arc::new(Empty)
    }

    fn pinned<'a>(&'a self, _pins: &'a Pins) -> BoxFuture<'a, Result<Arc<dyn RoutineSet>, CallError>> {
        Box::pin(async { Ok(self.current()) })
    }

    fn refused(&self) -> std::collections::BTreeMap<String, String> {
        std::collections::BTreeMap::new()
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.subscribe()
    }
}

struct Empty;

impl RoutineSet for Empty {
    fn pins(&self) -> Pins {
        Pins::new()
    }

    fn facts(&self, _package: &str, _function: &str) -> RoutineFacts {
        RoutineFacts::Unknown { hint: String::new() }
    }

    fn call<'a>(&'a self, _: &'a CallContext, _: &'a Call) -> BoxFuture<'a, Result<FlowValue, CallError>> {
        Box::pin(async { Err(CallError::new("no_such_routine", "none")) })
    }
}

const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";
const REDIRECT: &str = "https://rp.example/cb";

struct House {
    server: AuthServer,
    router: Router,
    store: Store,
    identity: Identity,
    person: Person,
    session: SessionId,
    family: FamilyId,
    env: Env,
}

impl House {
    async fn new() -> Self {
        let env = Env::system();
        let store = Store::memory(env.clone()).await.unwrap();
        let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
        let config = WebConfig {
            issuer: "https://id.example".parse().unwrap(),
            trusted_proxies: Vec::new(),
            dev: false,
            gathers_hosts: false,
        };
        let web = Web::new(config, env.clone()).unwrap();
        let identity = Identity::new(IdentityParts {
            env: env.clone(),
            store: store.clone(),
            sealer: sealer.clone(),
            settings: IdentitySettings::default(),
        })
        .unwrap();
        let organisation = identity.organisations.ensure_default().await.unwrap().id;
        let engine = Engine::new(EngineParts {
            env: env.clone(),
            store: store.clone(),
            sealer: sealer.clone(),
            web: web.clone(),
            routines: Arc::new(Nothing(tokio::sync::watch::channel(0).0)),
            attempts: None,
            settings: FlowSettings::default(),
        })
        .await
        .unwrap();
        let server = AuthServer::new(AuthServerParts {
            env: env.clone(),
            store: store.clone(),
            sealer,
            web: web.clone(),
            engine,
            identity: identity.clone(),
            organisation: organisation.clone(),
            http: Arc::new(GuardedHttp::new(OutgoingSettings::default(), Arc::new(SystemResolver)).unwrap()),
            settings: OauthSettings::default(),
        })
        .await
        .unwrap();
        let new = NewPerson { username: "alice".into(), ..NewPerson::default() };
        let person = identity.persons.create(&organisation, new, "test").await.unwrap();
        let session = NewSession {
            person: person.id.clone(),
            organisation,
            browser: "b".into(),
            amr: vec!["pwd".into()],
            acr: "agama_x".into(),
            device: Device::default(),
        };
        let (session, _, batch) = identity.sessions.start(session, false, Batch::new()).await.unwrap();
        store.commit(batch).await.unwrap();
        let client: Client = serde_json::from_value(json!({
            "client_id": "shop", "secret_hash": Client::hash_secret("secret"), "redirect_uris": [REDIRECT],
            "scopes": ["openid", "email", "orders"],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        }))
        .unwrap();
        server.clients().ensure(client).await.unwrap();
        for (id, introspects_all) in [("api", true), ("stranger", false)] {
            let client = json!({
                "client_id": id, "secret_hash": Client::hash_secret("secret"), "introspects_all": introspects_all,
            });
            server.clients().ensure(serde_json::from_value(client).unwrap()).await.unwrap();
        }
        let asked = ["openid".to_owned(), "email".to_owned()];
        let batch = identity.consents.grant(&person.id, "shop", &asked, Batch::new()).await.unwrap();
        store.commit(batch).await.unwrap();
        let router = web.layer(server.router());
        let family = FamilyId::generate(&env);
        Self { server, router, store, identity, person, session: session.id, family, env }
    }

    async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn post_as(&self, client: &str, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{client}:secret"));
        let request = Request::post(path)
            .header("host", "id.example")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Basic {basic}"))
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        self.post_as("shop", "/oauth2/token", fields).await
    }

    async fn introspect_as(&self, client: &str, token: &str) -> Value {
        let (status, told) = self.post_as(client, "/oauth2/introspect", &[("token", token)]).await;
        assert_eq!(status, 200, "{told}");
        told
    }

    async fn userinfo(&self, token: &str) -> u16 {
        let request = Request::get("/oauth2/userinfo").header("host", "id.example");
        let request = request.header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await.0
    }

    /// A code as the authorization endpoint issues it.
    async fn code(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        let grant = Grant {
            person: self.person.id.clone(),
            organisation: self.person.organisation.clone(),
            session: self.session.clone(),
            scopes: vec!["openid".into(), "email".into()],
            claims: crate::claims_parameter::RequestedClaims::default(),
            nonce: None,
            authenticated_at: self.env.now(),
            amr: Vec::new(),
            acr: String::new(),
            code_challenge: Some(URL_SAFE_NO_PAD.encode(digest)),
        };
        let code = OpaqueToken::generate(TokenKind::Code, &self.env);
        let record = OneTime {
            purpose: Purpose::Code,
            hash: code.hash,
            client: Some("shop".into()),
            person: Some(self.person.id.to_string()),
            session: Some(self.session.to_string()),
            run: None,
            address: Some(REDIRECT.into()),
            family: Some(self.family.to_string()),
            payload: serde_json::to_value(&grant).unwrap(),
            expires_at: Timestamp(i64::MAX / 2),
        };
        self.store.commit(Batch::new().issue(record)).await.unwrap();
        code.text.expose().to_owned()
    }

    async fn redeem_code(&self, code: &str) -> (u16, Value) {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(&fields).await
    }

    /// Makes what the grant needs; answers how it is redeemed.
    async fn prepare(&self, grant: GrantType) -> Vec<(&'static str, String)> {
        match grant {
            GrantType::AuthorizationCode => vec![
                ("grant_type", "authorization_code".into()),
                ("code", self.code().await),
                ("redirect_uri", REDIRECT.into()),
                ("code_verifier", VERIFIER.into()),
            ],
            GrantType::RefreshToken => {
                let (status, tokens) = self.redeem_code(&self.code().await).await;
                assert_eq!(status, 200, "{tokens}");
                let token = tokens["refresh_token"].as_str().unwrap().to_owned();
                vec![("grant_type", "refresh_token".into()), ("refresh_token", token)]
            }
            GrantType::ClientCredentials => {
                vec![("grant_type", "client_credentials".into()), ("scope", "orders".into())]
            }
        }
    }

    async fn change_client(&self, change: impl FnOnce(&mut Client)) {
        let mut found = self.server.clients().versioned("shop").await.unwrap().unwrap();
        change(&mut found.record);
        let expect = Expect::Version(found.version);
        self.server.clients().save(&found.record, expect, "test", "test").await.unwrap();
    }

    async fn break_policy(&self, policy: &str, grant: GrantType) {
        match policy {
            "nothing" => {}
            "client disabled" => self.change_client(|client| client.disabled = true).await,
            "client deleted" => self.server.clients().delete("shop", "test").await.unwrap(),
            "client secret changed" => {
                self.change_client(|client| client.secret_hash = Some(Client::hash_secret("other"))).await;
            }
            "grant type removed" => {
                self.change_client(|client| client.grant_types.retain(|known| *known != grant)).await;
            }
            "scopes removed" => self.change_client(|client| client.scopes.clear()).await,
            "person disabled" => {
                let mut person =
                    self.store.get::<Person>(self.person.id.as_str()).await.unwrap().unwrap().record;
                person.status = AccountStatus::disabled();
                self.store.commit(Batch::new().put(&person, Expect::Any)).await.unwrap();
            }
            "person deleted" => {
                let batch = Batch::new().delete::<Person>(self.person.id.as_str(), Expect::Any);
                self.store.commit(batch).await.unwrap();
            }
            "session ended" => {
                let session = self.identity.sessions.get(&self.session).await.unwrap().unwrap();
                self.identity.sessions.end(&session).await.unwrap();
            }
            "session another person's" => {
                let session = self.identity.sessions.get(&self.session).await.unwrap().unwrap();
                let session = Session { person: PersonId::generate(&self.env), ..session };
                self.store.commit(Batch::new().put(&session, Expect::Any)).await.unwrap();
            }
            "consent revoked" => {
                self.identity.consents.revoke(&self.person, "shop", "test").await.unwrap();
            }
            "family revoked" => {
                self.server.revoke_family(self.family.as_str(), "shop", "test").await.unwrap();
            }
            "family another client's" => {
                let record = TokenFamily {
                    id: self.family.clone(),
                    client: "other".into(),
                    person: None,
                    session: None,
                    revoked: false,
                    expires_at: Timestamp(i64::MAX / 2),
                };
                self.store.commit(Batch::new().put(&record, Expect::Any)).await.unwrap();
            }
            other => panic!("{other}"),
        }
    }
}

/// What each grant answers once a policy is broken: code, refresh token, client credentials.
const TABLE: &[(&str, [Option<&str>; 3])] = &[
    ("nothing", [None, None, None]),
    ("client disabled", [Some("invalid_client"); 3]),
    ("client deleted", [Some("invalid_client"); 3]),
    ("client secret changed", [Some("invalid_client"); 3]),
    ("grant type removed", [Some("unauthorized_client"); 3]),
    ("scopes removed", [Some("invalid_scope"); 3]),
    ("person disabled", [Some("invalid_grant"), Some("invalid_grant"), None]),
    ("person deleted", [Some("invalid_grant"), Some("invalid_grant"), None]),
    ("session ended", [Some("invalid_grant"), Some("invalid_grant"), None]),
    ("session another person's", [Some("invalid_grant"), Some("invalid_grant"), None]),
    ("consent revoked", [Some("invalid_grant"), Some("invalid_grant"), None]),
    ("family revoked", [Some("invalid_grant"), Some("invalid_grant"), None]),
    ("family another client's", [Some("invalid_grant"), Some("invalid_grant"), None]),
];

#[tokio::test]
async fn every_policy_holds_at_every_grant() {
    for (policy, expected) in TABLE {
        for (grant, expected) in GrantType::ALL.into_iter().zip(expected) {
            let house = House::new().await;
            let fields = house.prepare(grant).await;
            house.break_policy(policy, grant).await;
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (status, answer) = house.token(&fields).await;
            assert_eq!(answer["error"].as_str(), *expected, "{policy}, {}: {status} {answer}", grant.name());
            assert_eq!(status == 200, expected.is_none(), "{policy}, {}", grant.name());
        }
    }
}

/// Whether tokens that were issued before are alive once a policy is broken.
const TOKENS: &[(&str, bool)] = &[
    ("nothing", true),
    ("client secret changed", true),
    ("client disabled", false),
    ("client deleted", false),
    ("person disabled", false),
    ("person deleted", false),
    ("session ended", false),
    ("session another person's", false),
    ("consent revoked", false),
    ("family revoked", false),
    ("family another client's", false),
];

#[tokio::test]
async fn what_dies_takes_its_tokens_with_it() {
    let mut wrong = Vec::new();
    for format in [TokenFormat::Opaque, TokenFormat::Jwt] {
        for (policy, alive) in TOKENS {
            let house = House::new().await;
            house.change_client(|client| client.access_token_format = format).await;
            let (_, tokens) = house.redeem_code(&house.code().await).await;
            let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
            let (access, refresh) = (token("access_token"), token("refresh_token"));
            for token in [&access, &refresh] {
                assert_eq!(house.introspect_as("api", token).await["active"], true);
            }
            house.break_policy(policy, GrantType::AuthorizationCode).await;
            let found = [
                ("userinfo", house.userinfo(&access).await == 200),
                ("verifier", house.server.live_token(&access).await.unwrap().is_some()),
                ("access token's introspection", house.introspect_as("api", &access).await["active"] == true),
                (
                    "refresh token's introspection",
                    house.introspect_as("api", &refresh).await["active"] == true,
                ),
            ];
            let found = found.into_iter().filter(|(_, found)| found != alive);
            wrong.extend(found.map(|(place, found)| format!("{policy}, {format:?}, {place}: {found}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_token_for_another_audience_opens_nothing_here_and_is_told_to_nobody_else() {
    let house = House::new().await;
    let (_, tokens) = house.redeem_code(&house.code().await).await;
    let token = tokens["access_token"].as_str().unwrap();
    let issuer = house.server.web().issuer().to_owned();
    let address_to = async |audience: &str| {
        let hash = access_token_hash(token).unwrap();
        let found = house.store.get::<AccessToken>(&hash).await.unwrap().unwrap().record;
        let token = AccessToken { audience: vec![audience.to_owned()], ..found };
        house.store.commit(Batch::new().put(&token, Expect::Any)).await.unwrap();
    };
    let told = async |client: &str| house.introspect_as(client, token).await;

    assert_eq!(house.userinfo(token).await, 200);
    assert!(house.server.check_token(token, ADMIN_AUDIENCE, "openid").await.is_err());
    assert_eq!(told("stranger").await, json!({ "active": false }));

    address_to(ADMIN_AUDIENCE).await;
    assert_eq!(house.userinfo(token).await, 401);
    assert!(house.server.check_token(token, &issuer, "openid").await.is_err());
    assert_eq!(told("stranger").await, json!({ "active": false }));
    for client in ["shop", "api"] {
        assert_eq!(told(client).await["aud"], json!([ADMIN_AUDIENCE]), "{client} reads for whom it is");
    }

    address_to("stranger").await;
    assert_eq!(house.userinfo(token).await, 401);
    assert_eq!(told("stranger").await["active"], true, "it is its token now");
}

#[tokio::test]
async fn a_failed_redemption_uses_the_code_up_and_a_failed_refresh_does_not() {
    let house = House::new().await;
    let code = house.code().await;
    let wrong = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", "another-verifier-of-forty-three-characters-at-least"),
    ];
    assert_eq!(house.token(&wrong).await.0, 400);
    assert_eq!(house.redeem_code(&code).await.1["error"], "invalid_grant");

    let house = House::new().await;
    let (_, tokens) = house.redeem_code(&house.code().await).await;
    let token = tokens["refresh_token"].as_str().unwrap();
    let wide = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "openid orders")];
    assert_eq!(house.token(&wide).await.1["error"], "invalid_scope");
    let right = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(house.token(&right).await.0, 200);
}
