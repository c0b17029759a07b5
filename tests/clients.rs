//! Client libraries that others wrote: the `openidconnect` crate. (`openid-client` of npm is in `tests/clients/`.)

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientRegistrationRequest, CoreProviderMetadata,
    CoreUserInfoClaims,
};
use openidconnect::registration::EmptyAdditionalClientMetadata;
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};

use crate::support::browser::{Browser, Shown, client};
use crate::support::server::Server;

/// Carries the library's requests with ours.
async fn carry(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let (head, body) = request.into_parts();
    let mut sent = http.request(head.method.clone(), head.uri.to_string()).body(body);
    for (name, value) in &head.headers {
        sent = sent.header(name.as_str(), value.as_bytes());
    }
    let answer = sent.send().await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

async fn allow(browser: &Browser, url: &str) -> Shown {
    let page = browser.open(url).await;
    let form = page.form().with("login", "alice").with("password", "demo-alice-123");
    let page = browser.submit(&form).await;
    browser.submit(&page.form().with("decision", "allow")).await
}

#[tokio::test]
async fn the_openidconnect_crate_discovers_registers_logs_in_verifies_refreshes_and_reads_userinfo() {
    let server = Server::demo();
    let http = client(&server).build().unwrap();
    let send = |request: HttpRequest| carry(http.clone(), request);
    let issuer = IssuerUrl::new(server.issuer()).unwrap();
    let provider = CoreProviderMetadata::discover_async(issuer, &send).await.unwrap();

    let redirect = RedirectUrl::new(format!("{}/cb", server.relying_party())).unwrap();
    let endpoint = provider.registration_endpoint().unwrap();
    let wanted = EmptyAdditionalClientMetadata {};
    let registered = CoreClientRegistrationRequest::new(vec![redirect.clone()], wanted)
        .register_async(endpoint, &send)
        .await
        .unwrap();
    let rp = CoreClient::from_provider_metadata(
        provider,
        ClientId::new(registered.client_id().to_string()),
        registered.client_secret().cloned(),
    )
    .set_redirect_uri(redirect);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = rp
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let end = allow(&Browser::new(&server), url.as_str()).await;
    assert_eq!(end.parameter("state").as_deref(), Some(state.secret().as_str()), "{}", end.url);
    let code = AuthorizationCode::new(end.parameter("code").unwrap());
    let tokens =
        rp.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&send).await.unwrap();

    let id_token = tokens.id_token().unwrap();
    let checks = rp.id_token_verifier();
    let claims = id_token.claims(&checks, &nonce).unwrap();
    let hash = AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&checks).unwrap(),
    );
    assert_eq!(claims.access_token_hash(), Some(&hash.unwrap()));
    let subject = claims.subject().clone();
    let userinfo: CoreUserInfoClaims = rp
        .user_info(tokens.access_token().clone(), Some(subject))
        .unwrap()
        .request_async(&send)
        .await
        .unwrap();
    assert_eq!(userinfo.email().unwrap().as_str(), "alice@example.org");
}
