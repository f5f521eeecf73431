/** Client authentication by a signed assertion (RFC 7523, draft-ietf-oauth-rfc7523bis). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { auth } from '@modelcontextprotocol/sdk/client/auth.js';
import { PrivateKeyJwtProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { decodeJwt, exportJWK, exportPKCS8, importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { soon, startAuthServer } from '../support/auth-server.ts';
import {
  type Assertion,
  askWith,
  assertionType,
  type ClientKey,
  fromElsewhere,
  newClientKey as newKey,
  type PublicKeys,
  registerWithKeys,
  signAssertion,
  trustingLocalProxy,
} from '../support/client-assertion.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { type Answer, denied, type Form, ok, pkce, postForm, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ env: { ...localFetch, ...trustingLocalProxy }, admin: true, pods: 2 });
const host = await startMetadataHost();
const user = await server.user();
const { uri: resource } = await server.resource();
const register = (keys: PublicKeys, more?: object) => registerWithKeys(server, keys, more);
const key = await newKey();
const other = await newKey();
const assertionOf = (id: string, { key: signer = key, ...made }: Assertion & { key?: ClientKey } = {}) =>
  signAssertion(server, id, signer, made);
const ask = (assertion: string, form: Form = {}, path = '/oauth/token', pod = 0): Promise<Answer> =>
  askWith(server, assertion, form, { path, pod });
const clientId = await register({ jwks: { keys: [key.jwk] } });
const tryWith = async (made: Assertion & { key?: ClientKey }, form: Form = {}) =>
  ask(await assertionOf(clientId, made), form);

test('a client signs in with its key, and needs no client_id beside it [MCC-03 R7523-02 CIMD-16]', async () => {
  const tokens = ok(await tryWith({}));
  assert.equal(decodeJwt(String(tokens.access_token)).sub, clientId);
  ok(await tryWith({}, { client_id: clientId }));
  ok(await tryWith({ claims: { aud: [server.issuer] as never } }));
});

for (const alg of ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'])
  test(`${alg} is accepted [R7523-05 R8414-06]`, async () => {
    const signer = await newKey(alg);
    const id = await register({ jwks: { keys: [key.jwk, signer.jwk] } });
    ok(await ask(await assertionOf(id, { key: signer })));
    ok(await ask(await assertionOf(id, { key: signer, header: { kid: undefined } })));
  });

test('the metadata says how [MCC-01 MCC-02 R8414-06]', async () => {
  const metadata = (await (await fetch(`${server.issuer}/.well-known/oauth-authorization-server`)).json()) as Record<
    string,
    string[]
  >;
  for (const endpoint of ['token', 'introspection', 'revocation']) {
    assert.ok(metadata[`${endpoint}_endpoint_auth_methods_supported`]?.includes('private_key_jwt'), endpoint);
    assert.deepEqual(metadata[`${endpoint}_endpoint_auth_signing_alg_values_supported`], [
      'ES256',
      'ES384',
      'RS256',
      'PS256',
      'EdDSA',
    ]);
  }
});

const claims: Record<string, [change: JWTPayload & Record<string, unknown>, told: RegExp]> = {
  'another iss [R7523-02 threat I14]': [{ iss: 'client_other' }, /iss and sub/],
  'no iss': [{ iss: undefined as never }, /iss/],
  'the token endpoint as aud [R7523-20 O21-17 threat I14]': [
    { aud: `${server.issuer}/oauth/token` },
    /must be the issuer/,
  ],
  'another server as aud [threat I14]': [{ aud: 'https://other.example' }, /must be the issuer/],
  'two audiences [R7523-20 threat I14]': [{ aud: [server.issuer, 'https://other.example'] }, /must be the issuer/],
  'no aud': [{ aud: undefined as never }, /aud/],
  'no exp [R7523-03]': [{ exp: undefined as never }, /exp/],
  'an exp in the past [R7523-03]': [{ exp: 1_000_000 }, /expired/],
  'an exp in a day [R7523-03]': [{ exp: Math.floor(Date.now() / 1000) + 86_400 }, /600 seconds/],
  'nbf in the future [R7523-04]': [{ nbf: Math.floor(Date.now() / 1000) + 300 }, /not valid yet/],
  'no jti [threat I14]': [{ jti: undefined as never }, /jti/],
};
for (const [name, [change, told]] of Object.entries(claims))
  test(`an assertion with ${name} is refused, and the client told why [R7523-08] [threat I14]`, async () => {
    const answer = await tryWith({ claims: change });
    denied(answer, 'invalid_client');
    assert.match(String(answer.body.error_description), told);
  });

const forgeries: Record<string, () => Promise<string>> = {
  'another key': () => assertionOf(clientId, { key: { ...other, kid: key.kid } }),
  'an unknown kid': () => assertionOf(clientId, { key: other }),
  'no signature': async () => {
    const now = Math.floor(Date.now() / 1000);
    return new UnsecuredJWT({
      iss: clientId,
      sub: clientId,
      aud: server.issuer,
      exp: now + 60,
      jti: randomUUID(),
    }).encode();
  },
  'the public key as a shared secret': async () => {
    const secret = new TextEncoder().encode(JSON.stringify(key.jwk));
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: clientId, sub: clientId, aud: server.issuer, exp: now + 60, jti: randomUUID() })
      .setProtectedHeader({ alg: 'HS256', kid: key.kid })
      .sign(secret);
  },
  'a key it brings itself': () =>
    assertionOf(clientId, { key: { ...other, kid: key.kid }, header: { jwk: other.jwk, jku: `${host.origin}/evil` } }),
  'the type of another token': () => assertionOf(clientId, { header: { typ: 'at+jwt' } }),
  'the type of a proof': () => assertionOf(clientId, { header: { typ: 'dpop+jwt' } }),
  'a changed payload': async () => {
    const [head, , signature] = (await assertionOf(clientId)).split('.');
    const [, payload] = (await assertionOf(clientId)).split('.');
    return [head, payload, signature].join('.');
  },
  'a critical header nobody knows': () => assertionOf(clientId, { header: { crit: ['x'], x: 1 } }).catch(() => 'a.b.c'),
  'no JWT': async () => 'not-a-jwt',
  'an encrypted JWT': async () => 'a.b.c.d.e',
  'endless text': async () => 'x'.repeat(40_000),
};
test('a key that is registered for one algorithm proves nothing with another [R7523-05 threat I14]', async () => {
  const signer = await newKey('PS256');
  const id = await register({ jwks: { keys: [{ ...signer.jwk, alg: 'PS256' }] } });
  ok(await ask(await assertionOf(id, { key: signer })));
  const same = await importJWK({ ...(await exportJWK(signer.privateKey)), alg: 'RS256' }, 'RS256');
  const otherwise = { ...signer, alg: 'RS256', privateKey: same as CryptoKey };
  denied(await ask(await assertionOf(id, { key: otherwise })), 'invalid_client');
});

for (const [name, make] of Object.entries(forgeries))
  test(`an assertion with ${name} is refused without a word [R7523-05 threat I14]`, async () => {
    const answer = await ask(await make());
    denied(answer, 'invalid_client');
    assert.equal(answer.body.error_description, 'Client authentication failed.');
    assert.equal(host.count('/evil'), 0);
  });

test('typ is what the drafts and the SDKs send, or nothing [R7523-21]', async () => {
  for (const typ of [undefined, 'JWT', 'client-authentication+jwt']) ok(await tryWith({ header: { typ } }));
});

test('client_id, when it is sent, is the sub [R7523-07 threat I14]', async () => {
  denied(await tryWith({}, { client_id: 'client_other' }), 'invalid_client');
});

test('one way of authenticating at a time, and the registered one [threat C03 C04]', async () => {
  denied(await tryWith({}, { client_secret: 'x' }), 'invalid_request');
  const url = `${server.issuer}/oauth/token`;
  const basic = { authorization: `Basic ${btoa(`${clientId}:x`)}` };
  const form = {
    grant_type: 'client_credentials',
    client_assertion_type: assertionType,
    client_assertion: await assertionOf(clientId),
  };
  denied(await postForm(url, form, { ...basic, ...fromElsewhere() }), 'invalid_request');
  denied(await postForm(url, { grant_type: 'client_credentials' }, { ...basic, ...fromElsewhere() }), 'invalid_client');
  denied(
    await postForm(url, { grant_type: 'client_credentials', client_id: clientId, client_secret: 'x' }, fromElsewhere()),
    'invalid_client',
  );
  denied(
    await postForm(url, { grant_type: 'client_credentials', client_id: clientId }, fromElsewhere()),
    'invalid_client',
  );
  const secretive = await server.client({ authMethod: 'client_secret_post', grantTypes: ['client_credentials'] });
  denied(await ask(await assertionOf(secretive.clientId)), 'invalid_client');
});

test('the assertion type is named and known [R7523-01]', async () => {
  const client_assertion = await assertionOf(clientId);
  const url = `${server.issuer}/oauth/token`;
  for (const form of [
    { client_assertion },
    { client_assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
    { client_assertion_type: assertionType },
  ]) {
    const answer = await postForm(url, { grant_type: 'client_credentials', ...form }, fromElsewhere());
    denied(answer, 'invalid_client');
    assert.match(String(answer.body.error_description), /jwt-bearer/);
  }
});

test('an assertion is good once, on all pods together [R7523-06 threat I14]', async () => {
  const assertion = await assertionOf(clientId);
  ok(await ask(assertion));
  denied(await ask(assertion), 'invalid_client');
  denied(await ask(assertion, {}, '/oauth/token', 1), 'invalid_client');
  const raced = await assertionOf(clientId);
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(raced, {}, '/oauth/token', n % 2)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});

test('nobody can use up the jti of somebody else', async () => {
  const jti = randomUUID();
  denied(
    await ask(await assertionOf(clientId, { claims: { jti }, key: { ...other, kid: key.kid } })),
    'invalid_client',
  );
  denied(await tryWith({ claims: { jti, aud: 'https://other.example' } }), 'invalid_client');
  ok(await tryWith({ claims: { jti } }));
  const second = await register({ jwks: { keys: [other.jwk] } });
  ok(await ask(await assertionOf(second, { claims: { jti }, key: other })));
});

test('a suspended client is refused, and its assertion not used up', async () => {
  const id = await register({ jwks: { keys: [key.jwk] } });
  ok(await ask(await assertionOf(id)));
  await server.admin.client.suspend({ id });
  await soon('it is suspended', async () => (await ask(await assertionOf(id))).status === 401);
  const assertion = await assertionOf(id);
  denied(await ask(assertion), 'invalid_client');
  await server.admin.client.reactivate({ id });
  await soon('it is back', async () => (await ask(await assertionOf(id))).status === 200);
  ok(await ask(assertion));
});

test('introspection, revocation and pushed requests take it as well [R7523-22]', async () => {
  const token = String(ok(await tryWith({})).access_token);
  assert.equal(ok(await ask(await assertionOf(clientId), { token }, '/oauth/introspect')).active, true);
  assert.equal((await ask(await assertionOf(clientId), { token }, '/oauth/revoke')).status, 200);
  assert.equal(ok(await ask(await assertionOf(clientId), { token }, '/oauth/introspect')).active, false);
  const web = await register(
    { jwks: { keys: [key.jwk] } },
    { client_name: 'Web', redirect_uris: ['https://app.example.com/cb'] },
  );
  const { challenge } = pkce();
  const request = {
    grant_type: undefined,
    response_type: 'code',
    redirect_uri: 'https://app.example.com/cb',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    resource,
  };
  const pushed = await ask(await assertionOf(web), request, '/oauth/par');
  assert.equal(pushed.status, 201, JSON.stringify(pushed.body));
  denied(
    await ask(await assertionOf(web, { claims: { aud: `${server.issuer}/oauth/par` } }), request, '/oauth/par'),
    'invalid_client',
  );
});

test('a code belongs to the client whose key redeems it [CIMD-16]', async () => {
  const id = host.publish('/signing.json', (url) => ({
    client_id: url,
    client_name: 'Signing App',
    redirect_uris: ['https://app.example.com/cb'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
  }));
  const app = new TestApp(
    server.pods.map(({ url }) => url),
    {
      clientId: id,
      clientSecret: undefined,
      authMethod: 'private_key_jwt',
      redirectUris: ['https://app.example.com/cb'],
    },
  );
  const grant = await app.code({ user, resource });
  denied(await app.redeem(grant), 'invalid_client');
  denied(
    await app.redeem(grant, {
      client_assertion_type: assertionType,
      client_assertion: await assertionOf(id, { key: other }),
    }),
    'invalid_client',
  );
  const tokens = ok(
    await app.redeem(grant, { client_assertion_type: assertionType, client_assertion: await assertionOf(id) }),
  );
  denied(await app.refresh(tokens.refresh_token), 'invalid_client');
  ok(
    await app.refresh(tokens.refresh_token, {
      client_assertion_type: assertionType,
      client_assertion: await assertionOf(id),
    }),
  );
});

test('the MCP SDK signs in as a machine with its key [MCC-03 MCC-05]', async () => {
  const provider = new PrivateKeyJwtProvider({
    clientId,
    privateKey: await exportPKCS8(key.privateKey),
    algorithm: 'ES256',
    expectedIssuer: server.issuer,
    scope: 'tools/read',
  });
  const mcp = 'http://localhost:1/mcp';
  const fetchFn = async (input: string | URL, init?: RequestInit) => {
    const url = new URL(input);
    if (url.origin !== 'http://localhost:1') return fetch(input, init);
    return url.pathname.startsWith('/.well-known/oauth-protected-resource')
      ? Response.json({ resource: mcp, authorization_servers: [server.issuer] })
      : new Response(null, { status: 404 });
  };
  await server.resource({ uri: mcp });
  assert.equal(await auth(provider, { serverUrl: mcp, fetchFn }), 'AUTHORIZED');
  const claims = decodeJwt(String(provider.tokens()?.access_token));
  assert.deepEqual([claims.sub, [claims.aud].flat()], [clientId, [mcp]]);
});

test('a strict client library does as well', async () => {
  const issuer = new URL(server.issuer);
  const insecure = { [oauth.allowInsecureRequests]: true };
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }),
  );
  const client = { client_id: clientId };
  const answer = await oauth.clientCredentialsGrantRequest(
    as,
    client,
    oauth.PrivateKeyJwt({ key: key.privateKey, kid: key.kid }),
    new URLSearchParams({ scope: 'tools/read' }),
    insecure,
  );
  const tokens = await oauth.processClientCredentialsResponse(as, client, answer);
  assert.ok(tokens.access_token);
});
