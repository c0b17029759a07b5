// npm openid-client against the running demo: what an application's developer does, with no special care.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { browse, startDemo } from './support.mjs';

let demo;
before(async () => {
  demo = await startDemo();
});
after(() => demo?.stop());

const insecure = { execute: [client.allowInsecureRequests] };
const redirectUri = () => `${demo.relyingParty}/cb`;
const discover = (id, secret, authentication) =>
  client.discovery(new URL(demo.issuer), id, secret, authentication, insecure);

/** Registers a client; answers its configuration. */
const register = (metadata, authentication) =>
  client.dynamicClientRegistration(
    new URL(demo.issuer),
    { redirect_uris: [redirectUri()], post_logout_redirect_uris: [`${demo.relyingParty}/`], ...metadata },
    authentication,
    insecure,
  );

/** Authorization code with PKCE, by URL parameters or pushed; answers tokens. */
async function logIn(config, { scope = 'openid profile email', pushed = false, cookies } = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const parameters = {
    redirect_uri: redirectUri(),
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
  };
  const url = pushed
    ? await client.buildAuthorizationUrlWithPAR(config, parameters)
    : client.buildAuthorizationUrl(config, parameters);
  if (pushed) assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
  const callback = await browse(demo, url, cookies);
  return client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState, expectedNonce });
}

/** Follows the end-session URL of the library to its end, and asks in silence whether somebody is still signed in. */
async function logOut(config, tokens, cookies) {
  const back = `${demo.relyingParty}/`;
  const url = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: back,
    state: 'after logout',
  });
  assert.equal((await browse(demo, url, cookies)).href, `${back}?state=after+logout`);
  const silent = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri(),
    scope: 'openid',
    prompt: 'none',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
    code_challenge_method: 'S256',
  });
  assert.equal((await browse(demo, silent, cookies)).searchParams.get('error'), 'login_required');
}

/** Userinfo, introspection, refresh, and revocation of both tokens, each dead afterwards. */
async function useUp(config, tokens) {
  const { sub } = tokens.claims();
  const email = async (token) => (await client.fetchUserInfo(config, token, sub)).email;
  const isActive = async (token) => (await client.tokenIntrospection(config, token)).active;
  const isDead = (token) => assert.rejects(email(token), { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE' });

  assert.equal(await email(tokens.access_token), 'alice@example.org');
  const told = await client.tokenIntrospection(config, tokens.access_token);
  assert.deepEqual([told.active, told.sub, told.client_id], [true, sub, config.clientMetadata().client_id]);

  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
  assert.equal(refreshed.claims().sub, sub);
  await client.tokenRevocation(config, refreshed.access_token);
  assert.equal(await isActive(refreshed.access_token), false);
  await isDead(refreshed.access_token);
  assert.equal(await isActive(refreshed.refresh_token), true, 'it died alone');

  await client.tokenRevocation(config, refreshed.refresh_token);
  assert.equal(await isActive(refreshed.refresh_token), false);
  await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' });
  await isDead(tokens.access_token);
}

/** Makes a client's key; answers its public part and how the client authenticates with it. */
async function newKey() {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const jwk = { ...(await crypto.subtle.exportKey('jwk', keys.publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
  return { jwk, authentication: client.PrivateKeyJwt({ key: keys.privateKey, kid: 'key-1' }) };
}

const codeAndRefresh = { grant_types: ['authorization_code', 'refresh_token'] };

test('a public client discovers, logs in, reads userinfo, refreshes, revokes and logs out', async () => {
  const config = await discover('demo-rp', undefined, client.None());
  const cookies = new Map();
  const tokens = await logIn(config, { cookies });
  const claims = tokens.claims();
  assert.equal(claims.iss, demo.issuer);
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(userinfo.preferred_username, 'alice');
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
  await client.tokenRevocation(config, refreshed.access_token);
  await assert.rejects(client.fetchUserInfo(config, refreshed.access_token, claims.sub));
  await logOut(config, tokens, cookies);
  await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' });
});

test('a registered client goes all the way, with a secret and with a key, by URL and pushed', async () => {
  for (const pushed of [false, true]) {
    const { jwk, authentication } = await newKey();
    const withKey = { ...codeAndRefresh, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } };
    for (const config of [await register(codeAndRefresh), await register(withKey, authentication)]) {
      const cookies = new Map();
      const tokens = await logIn(config, { pushed, cookies });
      assert.equal(tokens.claims().aud, config.clientMetadata().client_id);
      await useUp(config, tokens);
      await logOut(config, tokens, cookies);
    }
  }
});

test('logout ends the tokens of the session', async () => {
  const config = await register(codeAndRefresh);
  const cookies = new Map();
  const tokens = await logIn(config, { cookies });
  await logOut(config, tokens, cookies);
  for (const token of [tokens.access_token, tokens.refresh_token]) {
    assert.equal((await client.tokenIntrospection(config, token)).active, false);
  }
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' });
});

test('a registered client with a secret logs in, also by a pushed request, and each algorithm verifies', async () => {
  for (const algorithm of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
    const metadata = { ...codeAndRefresh, id_token_signed_response_alg: algorithm };
    const config = await register(metadata, undefined);
    const tokens = await logIn(config, { pushed: algorithm === 'ES256', scope: 'openid email offline_access' });
    assert.ok(tokens.claims().sub, algorithm);
    assert.ok((await client.refreshTokenGrant(config, tokens.refresh_token)).id_token, algorithm);
  }
});

test('both ways to send a secret work', async () => {
  for (const method of [client.ClientSecretBasic, client.ClientSecretPost]) {
    const config = await discover('demo-service', 'demo-service-secret-123', method('demo-service-secret-123'));
    const tokens = await client.clientCredentialsGrant(config, { scope: 'config.projects.read' });
    const told = await client.tokenIntrospection(config, tokens.access_token);
    assert.deepEqual([told.active, told.scope, told.client_id], [true, 'config.projects.read', 'demo-service']);
  }
});

test('a key that is not the registered one opens nothing', async () => {
  const { jwk } = await newKey();
  const { authentication } = await newKey();
  const metadata = { ...codeAndRefresh, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } };
  const config = await register(metadata, authentication);
  await assert.rejects(logIn(config), { error: 'invalid_client' });
  await assert.rejects(logIn(config, { pushed: true }), { error: 'invalid_client' });
});

test('a mistake is told with the error of its specification', async () => {
  const config = await discover('demo-rp', undefined, client.None());
  await assert.rejects(client.refreshTokenGrant(config, 'nonsense'), { error: 'invalid_grant', status: 400 });
  await assert.rejects(client.clientCredentialsGrant(config), { error: 'unauthorized_client' });
  await assert.rejects(register({ redirect_uris: ['http://rp.example/cb'] }), { error: 'invalid_redirect_uri' });
  const wrong = await discover('demo-service', 'wrong', client.ClientSecretBasic('wrong'));
  await assert.rejects(client.clientCredentialsGrant(wrong), { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE' });
});
