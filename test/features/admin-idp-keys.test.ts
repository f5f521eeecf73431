/** Where the keys of an identity provider are, and what becomes of one that does not say. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { askAdmin } from '../support/admin-plane.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { keySet, publicKey, startIdentityProviders } from '../support/identity-provider.ts';
import { startMetadataHost } from '../support/metadata-host.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const [here] = server.admins as [(typeof server.admins)[0]];
const { host, newIdp } = await startIdentityProviders();

const isNow = (time: unknown) => Math.abs(Date.parse(String(time)) - server.clock.now().getTime()) < 5000;
const register = (body: Record<string, unknown>) => server.adminRequest('POST', '/admin/idps', body);

for (const at of ['oidc', 'oauth'] as const)
  test(`without jwks_uri the keys are found through metadata (${at}) when it is registered`, async () => {
    const idp = newIdp({ at });
    const { audit, changes } = await traceOf(server, async () => {
      const { status, body } = await register({ issuer: idp.issuer });
      assert.equal(status, 201);
      assert.deepEqual(
        [body.jwks_uri, body.jwks_uri_discovered, body.audience, body.warning],
        [idp.jwks_uri, true, server.issuer, undefined],
      );
      assert.ok(isNow(body.keys_fetched_at));
    });
    assert.deepEqual(
      audit.map(({ action, details }) => [action, (details.after as { issuer: string }).issuer]),
      [['idp.created', idp.issuer]],
    );
    assert.deepEqual(
      changes.map(({ kind, key }) => [kind, key]),
      [['idp', audit[0]?.details.idp]],
    );
  });

const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const troubles: Record<string, [() => { issuer: string }, RegExp]> = {
  'no metadata': [() => ({ issuer: `${host.origin}/nobody` }), /answered 404/],
  'metadata of another issuer': [() => newIdp({ metadata: { issuer: 'https://other.example.com' } }), /another issuer/],
  'metadata without keys': [() => newIdp({ metadata: { jwks_uri: 7 } }), /no metadata/],
  'keys that cannot be reached': [
    () => newIdp({ metadata: { jwks_uri: 'http://localhost:1024/keys' } }),
    /could not be reached/,
  ],
  'keys elsewhere than on the web': [
    () => newIdp({ metadata: { jwks_uri: 'file:///etc/passwd' } }),
    /does not go there/,
  ],
  'something else than keys': [() => newIdp({ keys: ['none'] }), /no JWK Set/],
  'an empty set': [() => newIdp({ keys: { keys: [] } }), /no usable public key/],
  'a private key': [() => newIdp({ keys: { keys: [privateJwk] } }), /no usable public key/],
  'a symmetric key': [() => newIdp({ keys: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }), /no usable public key/],
  'a key for encryption': [() => newIdp({ keys: { keys: [{ ...publicKey('enc'), use: 'enc' }] } }), /no usable/],
  'a set without end': [() => newIdp({ keys: { keys: [], more: 'x'.repeat(300_000) } }), /too large/],
};
for (const [what, [make, said]] of Object.entries(troubles))
  test(`${what}: registered with a warning, and refused by refresh-keys without a trace`, async () => {
    const { issuer } = make();
    const { status, body } = await register({ issuer });
    assert.equal(status, 201);
    assert.match(String(body.warning), said);
    assert.match(String(body.warning), /It is stored/);
    assert.equal(body.jwks_uri, '');
    const path = `/admin/idps/${body.id}`;
    const trace = await traceOf(server, async () => {
      const detail = refused(await server.adminRequest('POST', `${path}/refresh-keys`), 'upstream_failed');
      assert.match(detail, said);
      assert.doesNotMatch(detail, /127\.0\.0\.1|::1|xxxx|root:/);
    });
    assert.deepEqual(trace, nothing);
    assert.equal((await server.adminRequest('GET', path)).body.jwks_uri, '');
  });

test('a redirect of an identity provider is not followed', async () => {
  const { issuer, path } = newIdp();
  host.on(`${path}/keys`, (_request, response) => response.writeHead(302, { location: '/secret' }).end());
  const { body } = await register({ issuer });
  assert.match(String(body.warning), /answered 302/);
  assert.equal(host.count('/secret'), 0);
});

test('refresh-keys finds the keys again, says which, and announces it to every token service', async () => {
  const idp = newIdp();
  const { id } = await admin.idp.create({ body: { issuer: idp.issuer } });
  host.publish(`${idp.path}/elsewhere`, { keys: [publicKey('three'), { kty: 'oct', k: 'c2VjcmV0' }] });
  const moved = `${host.origin}${idp.path}/elsewhere`;
  host.publish(`${idp.path}/.well-known/openid-configuration`, { issuer: idp.issuer, jwks_uri: moved });
  server.clock.advance(60);
  const { audit, changes } = await traceOf(server, async () => {
    const { status, body } = await server.adminRequest('POST', `/admin/idps/${id}/refresh-keys`);
    const { keys_fetched_at, ...found } = body;
    assert.deepEqual([status, found], [200, { status: 'refreshed', jwks_uri: moved, usable_keys: 1, kids: ['three'] }]);
    assert.ok(isNow(keys_fetched_at));
  });
  assert.deepEqual(
    audit.map(({ action }) => action),
    ['idp.keys_refreshed'],
  );
  assert.deepEqual(changes, [{ kind: 'idp', key: id }]);
  const shown = await admin.idp.get({ id });
  assert.equal(shown.jwks_uri, moved);
  assert.ok(isNow(shown.keys_fetched_at));
});

test('a key id of an identity provider cannot write into our log or on a terminal', async () => {
  const { issuer } = newIdp({ keys: { keys: [publicKey('\u001b[2J\nkey')] } });
  const { id } = await admin.idp.create({ body: { issuer } });
  assert.deepEqual((await admin.idp.refreshKeys({ id })).kids, ['?[2J?key']);
});

test('refreshes at the same moment are answered, and few of them ask at once', async () => {
  const idp = newIdp();
  let asking = 0;
  let most = 0;
  const { id } = await admin.idp.create({ body: { issuer: idp.issuer, jwks_uri: idp.jwks_uri } });
  host.on(`${idp.path}/keys`, (_request, response) => {
    asking += 1;
    most = Math.max(most, asking);
    setTimeout(() => {
      asking -= 1;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(keySet));
    }, 100);
  });
  let answered = 0;
  const asked = Array.from({ length: 6 }, () =>
    askAdmin(here, 'POST', `/admin/idps/${id}/refresh-keys`).finally(() => (answered += 1)),
  );
  assert.ok((await askAdmin(here, 'GET', '/admin/users')).status === 200);
  assert.ok(answered < 6, 'others are served meanwhile');
  const answers = await Promise.all(asked);
  for (const answer of answers) {
    if (answer.status === 200) continue;
    refused(answer, 'too_many_requests');
    assert.ok(answer.headers.get('retry-after'));
  }
  assert.ok(answers.some(({ status }) => status === 200));
  assert.ok(most <= 2, String(most));
});

const production = {
  SERVER_ISSUER: 'https://auth.example.com',
  SESSION_SECRET: 'a session secret of this very test, long enough',
  SESSION_SECURE: 'true',
  ADMIN_API_KEY: 'an admin key of this very test, long enough',
};

test('off localhost only https on the public internet is asked, whatever a name leads to [threat G03]', async () => {
  const inside = await startMetadataHost({ https: 'idp.client.example' });
  const issuer = inside.origin;
  inside.publish('/.well-known/openid-configuration', { issuer, jwks_uri: `${issuer}/keys` });
  inside.publish('/keys', keySet);
  const hosts = (name: string) => (name === 'idp.client.example' ? ['127.0.0.1'] : []);
  const guarded = await startAuthServer({ admin: true, env: production, hosts });
  for (const [body, said] of [
    [{ issuer: 'http://idp.example.com' }, /issuer: must use https/],
    [{ issuer: 'https://169.254.169.254/latest' }, /issuer: points to an address/],
    [{ issuer: 'https://localhost:8443' }, /issuer: points to this machine/],
    [{ issuer: 'https://idp.example.com', jwks_uri: 'https://[::1]/keys' }, /jwks_uri: points to an address/],
    [{ issuer: 'https://idp.example.com', jwks_uri: 'https://0x7f000001/keys' }, /jwks_uri: points to an address/],
    [{ issuer: 'https://idp.example.com', jwks_uri: 'http://idp.example.com/keys' }, /jwks_uri: must use https/],
  ] as const)
    assert.match(refused(await guarded.adminRequest('POST', '/admin/idps', body), 'invalid_request'), said);
  const { id, warning } = await guarded.admin.idp.create({ body: { issuer } });
  assert.match(warning ?? '', /does not go there.*xaa\.allow_private_addresses/);
  refused(await guarded.adminRequest('POST', `/admin/idps/${id}/refresh-keys`), 'upstream_failed');
  assert.equal(inside.requests.length, 0, 'nobody went there');

  const allowed = await startAuthServer({
    admin: true,
    env: { ...production, XAA_ALLOW_PRIVATE_ADDRESSES: 'true' },
    hosts,
  });
  assert.equal((await allowed.admin.idp.create({ body: { issuer } })).warning, undefined);
  assert.match(
    refused(await allowed.adminRequest('POST', '/admin/idps', { issuer: 'http://idp.example.com' }), 'invalid_request'),
    /https/,
  );
});
