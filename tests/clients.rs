//! Client libraries that others wrote: the `openidconnect` crate. (`openid-client` of npm is in `tests/clients/`.)
//!
//! Over TLS, as the crate revokes at no other address. The crate knows neither pushed requests nor `private_key_jwt`: its
//! authorization URL is pushed by hand, and the assertion goes along as an extra parameter of its requests.

use std::pin::Pin;

use openidconnect::core::{
    CoreApplicationType, CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType, CoreIdTokenClaims, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreRegisterErrorResponseType, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::registration::{
    AdditionalClientMetadata, ClientRegistrationRequest, EmptyAdditionalClientRegistrationResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IntrospectionUrl, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError,
    RevocationUrl, Scope, TokenIntrospectionResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::support::assertion::Key;
use crate::support::browser::{Browser, Request, Shown, client, text};
use crate::support::server::Server;

/// Carries the library's requests with ours.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (head, body) = request.into_parts();
        let mut sent = self.0.request(head.method.clone(), head.uri.to_string()).body(body);
        for (name, value) in &head.headers {
            sent = sent.header(name.as_str(), value.as_bytes());
        }
        Box::pin(async {
            let answer = sent.send().await?;
            let mut response = HttpResponse::new(Vec::new());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = answer.bytes().await?.to_vec();
            Ok(response)
        })
    }
}

/// Endpoints that the crate does not look for.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Endpoints {
    end_session_endpoint: EndSessionUrl,
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
    pushed_authorization_request_endpoint: Url,
}
impl AdditionalProviderMetadata for Endpoints {}

/// Client metadata that the crate does not have.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct AfterLogout {
    post_logout_redirect_uris: Vec<PostLogoutRedirectUrl>,
}
impl AdditionalClientMetadata for AfterLogout {}

type Provider = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Registration = ClientRegistrationRequest<
    AfterLogout,
    EmptyAdditionalClientRegistrationResponse,
    CoreApplicationType,
    CoreClientAuthMethod,
    CoreRegisterErrorResponseType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Oidc =
    CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

/// An application that uses the crate, and the browser of its user.
struct Application {
    server: Server,
    http: Http,
    provider: Provider,
    oidc: Oidc,
    browser: Browser,
    secret: Option<ClientSecret>,
    /// Where it authenticates with it.
    key: Option<Key>,
}

/// An authorization request that the crate made, and what it is checked with afterwards.
struct Begun {
    url: Url,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl Application {
    /// Starts a provider; discovers it, and registers there.
    async fn new(key: Option<Key>) -> Self {
        let server = Server::secure();
        let http = Http(client(&server).build().unwrap());
        let issuer = IssuerUrl::new(server.issuer()).unwrap();
        let provider = Provider::discover_async(issuer, &http).await.unwrap();
        let redirect = RedirectUrl::new(format!("{}/cb", server.relying_party())).unwrap();
        let after = PostLogoutRedirectUrl::new(format!("{}/", server.relying_party())).unwrap();
        let after = AfterLogout { post_logout_redirect_uris: vec![after] };
        let mut wanted = Registration::new(vec![redirect.clone()], after)
            .set_grant_types(Some(vec![CoreGrantType::AuthorizationCode, CoreGrantType::RefreshToken]));
        if let Some(key) = &key {
            let jwk: CoreJsonWebKey = serde_json::from_value(key.jwk()).unwrap();
            wanted = wanted
                .set_token_endpoint_auth_method(Some(CoreClientAuthMethod::PrivateKeyJwt))
                .set_jwks(Some(CoreJsonWebKeySet::new(vec![jwk])));
        }
        let endpoint = provider.registration_endpoint().unwrap();
        let registered = wanted.register_async(endpoint, &http).await.unwrap();
        assert_eq!(registered.client_secret().is_some(), key.is_none());
        let more = provider.additional_metadata();
        let oidc = CoreClient::from_provider_metadata(
            provider.clone(),
            ClientId::new(registered.client_id().to_string()),
            registered.client_secret().cloned(),
        )
        .set_redirect_uri(redirect)
        .set_introspection_url(more.introspection_endpoint.clone())
        .set_revocation_url(more.revocation_endpoint.clone());
        let browser = Browser::new(&server);
        let secret = registered.client_secret().cloned();
        Self { server, http, provider, oidc, browser, secret, key }
    }

    /// What authenticates it beside what the crate sends: an assertion made now, if it has a key.
    fn proof(&self) -> Vec<(&'static str, String)> {
        let Some(key) = &self.key else { return Vec::new() };
        let claims = key.claims(self.oidc.client_id(), &self.server.issuer());
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        vec![("client_assertion_type", kind.to_owned()), ("client_assertion", key.sign(&claims))]
    }

    fn begin(&self) -> Begun {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = self.oidc.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) =
            request.add_scope(Scope::new("email".to_owned())).set_pkce_challenge(challenge).url();
        Begun { url, state, nonce, verifier }
    }

    /// Pushes what the crate would have put into the URL; answers what is left of it (RFC 9126 section 4).
    async fn push(&self, url: &Url) -> Url {
        let endpoint = self.provider.additional_metadata().pushed_authorization_request_endpoint.clone();
        let id = self.oidc.client_id().to_string();
        let proof = self.proof();
        let proof = proof.iter().map(|(name, value)| ((*name).into(), value.as_str().into()));
        let fields: Vec<_> = url.query_pairs().chain(proof).collect();
        let mut request = self.http.0.post(endpoint).form(&fields);
        if let Some(secret) = &self.secret {
            request = request.basic_auth(&id, Some(secret.secret()));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let pushed: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(status, 201, "{pushed}");
        let mut left = url.clone();
        let request_uri = text(&pushed, "request_uri");
        left.query_pairs_mut().clear().append_pair("client_id", &id).append_pair("request_uri", &request_uri);
        left
    }

    /// Signs alice in and lets her allow; answers where the browser ends.
    async fn allow(&self, url: &Url) -> Shown {
        let page = self.browser.open(url.as_str()).await;
        let form = page.form().with("login", "alice").with("password", "demo-alice-123");
        let page = self.browser.submit(&form).await;
        self.browser.submit(&page.form().with("decision", "allow")).await
    }

    /// Redeems the code in the callback, and checks all that the crate can check.
    async fn redeem(&self, callback: &Shown, begun: Begun) -> (CoreTokenResponse, CoreIdTokenClaims) {
        let state = callback.parameter("state");
        assert_eq!(state.as_deref(), Some(begun.state.secret().as_str()), "{}", callback.url);
        assert_eq!(callback.parameter("iss"), Some(self.server.issuer()));
        let code = AuthorizationCode::new(callback.parameter("code").unwrap());
        let mut request = self.oidc.exchange_code(code).unwrap().set_pkce_verifier(begun.verifier);
        for (name, value) in self.proof() {
            request = request.add_extra_param(name, value);
        }
        let tokens = request.request_async(&self.http).await.unwrap();
        let id_token = tokens.id_token().unwrap();
        let checks = self.oidc.id_token_verifier();
        let claims = id_token.claims(&checks, &begun.nonce).unwrap().clone();
        let algorithm = id_token.signing_alg().unwrap();
        let key = id_token.signing_key(&checks).unwrap();
        let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
        assert_eq!(claims.access_token_hash(), Some(&hash));
        (tokens, claims)
    }

    async fn refresh(&self, token: &RefreshToken) -> Result<CoreTokenResponse, CoreErrorResponseType> {
        let mut request = self.oidc.exchange_refresh_token(token).unwrap();
        for (name, value) in self.proof() {
            request = request.add_extra_param(name, value);
        }
        request.request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(told) => told.error().clone(),
            other => panic!("{other:?}"),
        })
    }

    /// Introspects a token (of either kind: the crate has a type for one only).
    async fn is_active(&self, token: &str) -> bool {
        let token = AccessToken::new(token.to_owned());
        let mut request = self.oidc.introspect(&token);
        for (name, value) in self.proof() {
            request = request.add_extra_param(name, value);
        }
        let told = request.request_async(&self.http).await.unwrap();
        if told.active() {
            assert_eq!(told.client_id(), Some(self.oidc.client_id()));
            let scopes = told.scopes().unwrap();
            assert!(scopes.iter().any(|scope| scope.as_str() == "email"), "{scopes:?}");
        }
        told.active()
    }

    async fn revoke(&self, token: impl Into<CoreRevocableToken>) {
        let mut request = self.oidc.revoke_token(token.into()).unwrap();
        for (name, value) in self.proof() {
            request = request.add_extra_param(name, value);
        }
        request.request_async(&self.http).await.unwrap();
    }

    /// The e-mail address that userinfo tells, after the crate compared `sub`.
    async fn email(&self, token: &AccessToken, claims: &CoreIdTokenClaims) -> Option<String> {
        let request = self.oidc.user_info(token.clone(), Some(claims.subject().clone())).unwrap();
        let told: Result<CoreUserInfoClaims, _> = request.request_async(&self.http).await;
        Some(told.ok()?.email().unwrap().to_string())
    }

    /// Refreshes, introspects, reads userinfo and revokes, and sees to it that what is revoked is dead.
    async fn use_up(&self, tokens: &CoreTokenResponse, claims: &CoreIdTokenClaims) {
        let alice = Some("alice@example.org".to_owned());
        assert_eq!(self.email(tokens.access_token(), claims).await, alice);
        let first = tokens.refresh_token().unwrap();
        assert!(self.is_active(first.secret()).await);
        let next = self.refresh(first).await.unwrap();
        let renewed =
            next.id_token().unwrap().claims(&self.oidc.id_token_verifier(), |_: Option<&Nonce>| Ok(()));
        assert_eq!(renewed.unwrap().subject(), claims.subject());
        let successor = next.refresh_token().unwrap();
        assert_ne!(successor.secret(), first.secret());

        let access = next.access_token();
        assert!(self.is_active(access.secret()).await);
        assert_eq!(self.email(access, claims).await, alice);
        self.revoke(access.clone()).await;
        assert!(!self.is_active(access.secret()).await);
        assert_eq!(self.email(access, claims).await, None, "it is dead");

        assert!(self.is_active(successor.secret()).await, "alone");
        self.revoke(successor.clone()).await;
        assert!(!self.is_active(successor.secret()).await);
        assert_eq!(self.refresh(successor).await.unwrap_err(), CoreErrorResponseType::InvalidGrant);
        assert_eq!(
            self.email(tokens.access_token(), claims).await,
            None,
            "the first one died with its family"
        );
    }

    /// Follows the crate's logout URL to its end.
    async fn log_out(&self, tokens: &CoreTokenResponse) {
        let state = CsrfToken::new_random();
        let back = PostLogoutRedirectUrl::new(format!("{}/", self.server.relying_party())).unwrap();
        let url = LogoutRequest::from(self.provider.additional_metadata().end_session_endpoint.clone())
            .set_id_token_hint(tokens.id_token().unwrap())
            .set_post_logout_redirect_uri(back.clone())
            .set_state(state.clone())
            .http_get_url();
        let end = self.browser.open(url.as_str()).await;
        assert_eq!(end.url.as_str(), format!("{}?state={}", back.as_str(), state.secret()), "{}", end.body);
        let silent = Request::new(&self.server).with("prompt", "none").url(&self.server);
        let silent = self.browser.open(&silent).await;
        assert_eq!(silent.parameter("error").as_deref(), Some("login_required"), "{}", silent.url);
    }
}

#[tokio::test]
async fn the_openidconnect_crate_goes_all_the_way_from_discovery_to_logout() {
    let app = Application::new(None).await;
    let begun = app.begin();
    let callback = app.allow(&begun.url).await;
    let (tokens, claims) = app.redeem(&callback, begun).await;
    app.use_up(&tokens, &claims).await;
    app.log_out(&tokens).await;
}

#[tokio::test]
async fn logout_by_the_openidconnect_crate_ends_its_tokens() {
    let app = Application::new(None).await;
    let begun = app.begin();
    let callback = app.allow(&begun.url).await;
    let (tokens, claims) = app.redeem(&callback, begun).await;
    assert!(app.is_active(tokens.access_token().secret()).await);
    app.log_out(&tokens).await;
    assert!(!app.is_active(tokens.access_token().secret()).await);
    assert_eq!(app.email(tokens.access_token(), &claims).await, None);
    let refused = app.refresh(tokens.refresh_token().unwrap()).await;
    assert_eq!(refused.unwrap_err(), CoreErrorResponseType::InvalidGrant);
}

#[tokio::test]
async fn a_request_of_the_openidconnect_crate_can_be_pushed_with_a_secret_and_with_a_key() {
    for key in [None, Some(Key::generate())] {
        let app = Application::new(key).await;
        let begun = app.begin();
        let pushed = app.push(&begun.url).await;
        assert!(pushed.as_str().len() < begun.url.as_str().len(), "{pushed}");
        let callback = app.allow(&pushed).await;
        let (tokens, claims) = app.redeem(&callback, begun).await;
        assert_eq!(app.email(tokens.access_token(), &claims).await.as_deref(), Some("alice@example.org"));
        assert_eq!(app.browser.get(pushed.as_str()).await.status, 400, "once");
    }
}

#[tokio::test]
async fn the_openidconnect_crate_goes_all_the_way_with_a_key_instead_of_a_secret() {
    let mut app = Application::new(Some(Key::generate())).await;
    let begun = app.begin();
    let callback = app.allow(&begun.url).await;
    let (tokens, claims) = app.redeem(&callback, begun).await;
    let key = app.key.take();
    let refused = app.refresh(tokens.refresh_token().unwrap()).await;
    assert_eq!(refused.unwrap_err(), CoreErrorResponseType::InvalidClient, "not without its key");
    app.key = key;
    app.use_up(&tokens, &claims).await;
    app.log_out(&tokens).await;
}
