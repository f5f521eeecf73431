/** Where the keys of `private_key_jwt` clients come from: registered by value, or fetched from the client's `jwks_uri`. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { soon, startAuthServer } from '../support/auth-server.ts';
import {
  type Assertion,
  askWith,
  assertionType,
  type ClientKey,
  machine,
  newClientKey as newKey,
  type PublicKeys,
  registerWithKeys,
  signAssertion,
  trustingLocalProxy,
} from '../support/client-assertion.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { type Answer, denied, type Form, ok, postForm } from '../support/test-app.ts';

const server = await startAuthServer({ env: { ...localFetch, ...trustingLocalProxy }, admin: true, pods: 2 });
const host = await startMetadataHost();
const register = (keys: PublicKeys, more?: object) => registerWithKeys(server, keys, more);
const key = await newKey();
const other = await newKey();
const assertionOf = (id: string, { key: signer = key, ...made }: Assertion & { key?: ClientKey } = {}) =>
  signAssertion(server, id, signer, made);
const ask = (assertion: string, form: Form = {}, path = '/oauth/token', pod = 0): Promise<Answer> =>
  askWith(server, assertion, form, { path, pod });

test('keys behind a jwks_uri are fetched when they are needed, and again when the client has new ones [R7523-11]', async () => {
  let current = await newKey();
  const path = '/keys.json';
  const jwks_uri = host.on(path, (_request, response) =>
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ keys: [current.jwk, { kty: 'unknown' }] })),
  );
  const id = await register({ jwks_uri });
  assert.equal(host.count(path), 0, 'not at registration');
  for (let n = 0; n < 3; n += 1) ok(await ask(await assertionOf(id, { key: current })));
  assert.equal(host.count(path), 1);

  const old = current;
  current = await newKey();
  server.clock.advance(31);
  ok(await ask(await assertionOf(id, { key: current })));
  assert.equal(host.count(path), 2);
  denied(await ask(await assertionOf(id, { key: old })), 'invalid_client');
});

test('made-up key ids cause one fetch in a while, also when the set is empty [threat G08]', async () => {
  const path = '/empty-keys.json';
  const id = await register({ jwks_uri: host.publish(path, { keys: [] }) });
  for (let n = 0; n < 10; n += 1)
    denied(await ask(await assertionOf(id, { key: other, header: { kid: randomUUID() } })), 'invalid_client');
  assert.equal(host.count(path), 1);
});

test('keys that cannot be had are our trouble, not proof against the client', async () => {
  const path = '/lost-keys.json';
  const id = await register({ jwks_uri: host.publish(path, 'down', {}, 500) });
  const answer = await ask(await assertionOf(id));
  denied(answer, 'temporarily_unavailable', 503);
  assert.ok(answer.headers.get('retry-after'));
  denied(await ask(await assertionOf(id)), 'temporarily_unavailable', 503);
  assert.equal(host.count(path), 1, 'and not asked for again at once');
  host.publish(path, { keys: [key.jwk] });
  server.clock.advance(31);
  ok(await ask(await assertionOf(id)));
});

test('a jwks_uri into the network is not followed [CIMD-19 threat G03]', async () => {
  const strict = await startAuthServer({
    admin: true,
    hosts: (name) => (name === 'inside.example' ? ['10.0.0.1'] : []),
  });
  for (const jwks_uri of [`${host.origin}/keys.json`, 'https://169.254.169.254/keys', 'https://inside.example/keys']) {
    const before = host.requests.length;
    const { client_id } = await strict.admin.client.create({
      body: { ...machine, token_endpoint_auth_method: 'private_key_jwt', jwks_uri },
    });
    const answer = await postForm(`${strict.issuer}/oauth/token`, {
      grant_type: 'client_credentials',
      client_assertion_type: assertionType,
      client_assertion: await assertionOf(client_id, { claims: { aud: strict.issuer } }),
    });
    denied(answer, 'temporarily_unavailable', 503);
    assert.equal(host.requests.length, before);
  }
});

test('an operator registers public keys, one way or the other, and replaces them', async () => {
  const refused = (body: object) =>
    assert.rejects(
      server.admin.client.create({
        body: { ...machine, token_endpoint_auth_method: 'private_key_jwt', ...body } as never,
      }),
      /jwks|key/,
    );
  await refused({});
  await refused({ jwks: { keys: [] } });
  await refused({ jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } });
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  await refused({ jwks: { keys: [await exportJWK(privateKey)] } });
  await refused({ jwks: { keys: [key.jwk] }, jwks_uri: 'https://a.example/keys' });
  await refused({ jwks_uri: 'ftp://a.example/keys' });

  const id = await register({ jwks: { keys: [key.jwk] } });
  assert.deepEqual((await server.admin.client.get({ id })).jwks?.keys[0]?.kid, key.kid);
  await assert.rejects(server.admin.client.rotateSecret({ id }), /private_key_jwt client has no secret/);
  await server.admin.client.update({ id, body: { jwks: { keys: [other.jwk] } as never } });
  await soon('the new key works', async () => (await ask(await assertionOf(id, { key: other }))).status === 200);
  denied(await ask(await assertionOf(id)), 'invalid_client');
});
