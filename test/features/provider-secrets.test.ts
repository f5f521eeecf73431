/** Secrets of upstream providers that are written out: kept encrypted, never shown, and only where a key is configured. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { aesMasterCipher, readMasterKey, type Sealed } from '@authserver/encryption';
import { nothing, refused, traceOf } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { github } from '../support/brokering.ts';
import { masterKey, newMasterKey } from '../support/master-key.ts';

const key = newMasterKey();
const server = await startAuthServer({ admin: true, ...masterKey(key) });
const { admin } = server;
const path = '/admin/broker-providers';
const cipher = aesMasterCipher({ current: readMasterKey(key) ?? assert.fail() });

const { client_secret_ref: reference, ...oauth } = github;
const canary = 'canary-2b7e15';
const pem = String(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
const account = { issuer: 'sa@example.com', token_url: 'https://upstream.example/token' };
const fresh = () => `up-${crypto.randomUUID().slice(0, 8)}`;
const create = (config_data: object, protocol: 'oauth' | 'api_key' | 'service_account' = 'oauth') =>
  admin.provider.create({ body: { slug: fresh(), display_name: 'Up', protocol, config_data } as never });
const patch = (id: string, body: unknown) => server.adminRequest('PATCH', `${path}/${id}`, body);

/** What is kept, opened as the token plane would. */
const keptSecret = async (id: string): Promise<string | undefined> => {
  const [row] = await server.sql<{ blob: Buffer | null; backend: Sealed['backend'] }>(
    'select enc_secret_data as blob, enc_secret_backend as backend from broker_providers where id = $1',
    [id],
  );
  if (!row?.blob) return undefined;
  return String(await cipher.decrypt(`provider:${id}`, { blob: row.blob, backend: row.backend }));
};

test('a secret is kept encrypted for its provider alone, and shown nowhere', async () => {
  let id = '';
  const { audit } = await traceOf(server, async () => {
    const answer = await server.adminRequest('POST', path, {
      ...{ slug: fresh(), display_name: 'Up', protocol: 'oauth' },
      config_data: { ...oauth, client_secret: canary },
    });
    assert.equal(answer.status, 201);
    assert.deepEqual([answer.body.config_data, answer.body.has_client_secret], [oauth, true]);
    id = String(answer.body.id);
  });
  assert.equal(await keptSecret(id), canary);
  const shown = [
    audit,
    await admin.provider.get({ id }),
    await admin.provider.list(),
    await server.sql('select * from audit_events'),
    await server.sql('select * from changes'),
    await server.sql('select config_data from broker_providers'),
  ];
  assert.ok(!JSON.stringify(shown).includes(canary));
  const dump = await server.sql<{ hex: string }>(`select encode(enc_secret_data, 'hex') as hex from broker_providers`);
  assert.ok(dump.every(({ hex }) => !hex.includes(Buffer.from(canary).toString('hex'))));
});

test('the private key of a service account is kept as well', async () => {
  const { id, config_data } = await create({ ...account, client_secret: pem }, 'service_account');
  assert.deepEqual(config_data, account);
  assert.equal(await keptSecret(id), pem);
});

test('a secret stays when it is not mentioned, and is replaced, forgotten or given up for a reference', async () => {
  const { id } = await create({ ...oauth, client_secret: canary });
  await admin.provider.update({ id, body: { display_name: 'Other' } });
  await admin.provider.update({ id, body: { config_data: { ...oauth, response_format: 'form' } } });
  assert.equal(await keptSecret(id), canary);

  const set = await traceOf(server, () => patch(id, { config_data: { ...oauth, client_secret: `${canary}-2` } }));
  assert.equal(set.audit[0]?.details.client_secret, 'set');
  assert.equal(await keptSecret(id), `${canary}-2`);

  const forgotten = await traceOf(server, () => patch(id, { config_data: { ...oauth, client_secret: null } }));
  assert.equal(forgotten.audit[0]?.details.client_secret, 'forgotten');
  assert.equal(await keptSecret(id), undefined);
  assert.equal((await admin.provider.get({ id })).has_client_secret, undefined);

  await admin.provider.update({ id, body: { config_data: { ...oauth, client_secret: canary } } });
  await admin.provider.update({ id, body: { config_data: { ...oauth, client_secret_ref: reference } } });
  assert.equal(await keptSecret(id), undefined);
  assert.ok(!JSON.stringify([set, forgotten]).includes(canary));
});

test('a secret of one protocol is not kept for another', async () => {
  const { id } = await create({ ...oauth, client_secret: canary });
  const toAccount = await patch(id, { protocol: 'service_account', config_data: account });
  assert.match(refused(toAccount, 'invalid_request'), /client_secret_ref: is required/);
  await admin.provider.update({ id, body: { protocol: 'api_key', config_data: {} } });
  assert.equal(await keptSecret(id), undefined);
});

test('a refused secret is not repeated, and a rehearsal keeps none', async () => {
  const trace = await traceOf(server, async () => {
    for (const config_data of [
      { ...github, client_secret: canary },
      { ...oauth, client_secret: { value: canary } },
      { ...oauth, app_secret: canary },
    ]) {
      const answer = await server.adminRequest('POST', path, {
        ...{ slug: fresh(), display_name: 'Up', protocol: 'oauth', config_data },
      });
      refused(answer, 'invalid_request');
      assert.ok(!JSON.stringify(answer.body).includes(canary));
    }
    const body = {
      slug: fresh(),
      display_name: 'Up',
      protocol: 'oauth',
      config_data: { ...oauth, client_secret: canary },
    };
    const rehearsed = await server.adminRequest('POST', `${path}?dry_run=true`, body);
    assert.equal(rehearsed.status, 200);
    assert.ok(!JSON.stringify(rehearsed.body).includes(canary));
  });
  assert.deepEqual(trace, nothing);
});

const declared = (config_data: object, slug = 'declared') => ({
  body: { configuration: { providers: [{ slug, display_name: 'Declared', protocol: 'oauth', config_data }] } },
});

test('a declared secret is set once, replaced when another is declared, and in no plan, export or note', async () => {
  const first = declared({ ...oauth, client_secret: canary });
  const shown: unknown[] = [await admin.configuration.plan(first), await admin.configuration.apply(first)];
  const { id } = await admin.provider.get({ id: 'declared' });
  assert.equal(await keptSecret(id), canary);
  assert.deepEqual((await admin.configuration.plan(first)).steps, []);
  assert.deepEqual((await admin.configuration.apply(declared(oauth))).steps, [], 'one that is not mentioned stays');
  assert.equal(await keptSecret(id), canary);

  const second = declared({ ...oauth, client_secret: `${canary}-2` });
  const { steps } = await admin.configuration.apply(second);
  assert.deepEqual(steps, [
    { action: 'change', kind: 'provider', key: 'declared', changes: [{ member: 'client_secret' }] },
  ]);
  assert.equal(await keptSecret(id), `${canary}-2`);

  const third = declared({ ...oauth, response_format: 'form', client_secret: `${canary}-2` });
  shown.push(await admin.configuration.plan(third), await admin.configuration.apply(third));
  assert.equal(await keptSecret(id), `${canary}-2`);

  const exported = await admin.configuration.export();
  assert.ok(exported.warnings.some((warning) => /provider declared: its client_secret is left out/.test(warning)));
  shown.push(
    steps,
    exported,
    await server.sql('select * from configuration_owners'),
    await server.sql('select * from audit_events'),
  );
  assert.ok(!JSON.stringify(shown).includes(canary));
});

test('a declared secret whose value cannot be opened any more is set anew', async () => {
  const files = declared({ ...oauth, client_secret: canary }, 'lost');
  await admin.configuration.apply(files);
  const { id } = await admin.provider.get({ id: 'lost' });
  await server.sql(`update broker_providers set enc_secret_data = '\\x01' where id = $1`, [id]);
  assert.equal((await admin.configuration.apply(files)).steps.length, 1);
  assert.equal(await keptSecret(id), canary);
});

test('a server without a key refuses a secret by every way in, and says what to do', async () => {
  const plain = await startAuthServer({ admin: true });
  const body = {
    slug: fresh(),
    display_name: 'Up',
    protocol: 'oauth',
    config_data: { ...oauth, client_secret: canary },
  };
  const answers = [
    await plain.adminRequest('POST', path, body),
    await plain.adminRequest('POST', '/admin/configuration/plan', declared(body.config_data).body),
    await plain.adminRequest('POST', '/admin/configuration/apply', declared(body.config_data).body),
  ];
  for (const answer of answers) {
    assert.match(
      refused(answer, 'invalid_request'),
      /config_data\.client_secret: .*does not encrypt it.*client_secret_ref/,
    );
    assert.ok(!JSON.stringify(answer.body).includes(canary));
  }
});
