// npm openid-client against the running demo: what an application's developer does, with no special care.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as client from 'openid-client';
import { signIn, startDemo } from './support.mjs';

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
async function logIn(config, { scope = 'openid profile email', pushed = false } = {}) {
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
  const callback = await signIn(demo, url);
  return client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState, expectedNonce });
}

test('a public client discovers, logs in, refreshes, reads userinfo, revokes and logs out', async () => {
  const config = await discover('demo-rp', undefined, client.None());
  const tokens = await logIn(config);
  const claims = tokens.claims();
  assert.equal(claims.iss, demo.issuer);
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(userinfo.preferred_username, 'alice');
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
  await client.tokenRevocation(config, refreshed.access_token);
  await assert.rejects(client.fetchUserInfo(config, refreshed.access_token, claims.sub));
  const logout = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: `${demo.relyingParty}/`,
  });
  assert.equal(logout.pathname, '/oauth2/end_session');
});

test('a registered client with a secret logs in, also by a pushed request, and each algorithm verifies', async () => {
  for (const algorithm of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
    const metadata = { grant_types: ['authorization_code', 'refresh_token'], id_token_signed_response_alg: algorithm };
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

test('a client authenticates with its key', async () => {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const jwk = { ...(await crypto.subtle.exportKey('jwk', keys.publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
  const authentication = client.PrivateKeyJwt({ key: keys.privateKey, kid: 'key-1' });
  const metadata = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } };
  const config = await register(metadata, authentication);
  assert.equal((await logIn(config)).claims().aud, config.clientMetadata().client_id);
  assert.equal((await logIn(config, { pushed: true })).claims().aud, config.clientMetadata().client_id);
});

test('a mistake is told with the error of its specification', async () => {
  const config = await discover('demo-rp', undefined, client.None());
  await assert.rejects(client.refreshTokenGrant(config, 'nonsense'), { error: 'invalid_grant', status: 400 });
  await assert.rejects(client.clientCredentialsGrant(config), { error: 'unauthorized_client' });
  await assert.rejects(register({ redirect_uris: ['http://rp.example/cb'] }), { error: 'invalid_redirect_uri' });
  const wrong = await discover('demo-service', 'wrong', client.ClientSecretBasic('wrong'));
  await assert.rejects(client.clientCredentialsGrant(wrong), { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE' });
});
