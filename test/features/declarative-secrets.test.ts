/** Secrets of declared clients: made by the server or chosen, kept as hashes, and shown nowhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../support/admin-answers.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const { admin } = server;
const chosen = 'a-secret-of-the-operator-with-enough-characters.1';
const other = 'a-secret-of-the-operator-with-enough-characters.2';
const resource = await server.resource();
const job = (more: Record<string, unknown> = {}) => ({
  client_id: 'job',
  client_name: 'Job',
  grant_types: ['client_credentials'],
  token_endpoint_auth_method: 'client_secret_post',
  scope: 'tools/read',
  ...more,
});
const apply = (client: Record<string, unknown>) =>
  admin.configuration.apply({ body: { configuration: { clients: [client] } } });
const works = async (clientId: string, clientSecret: string): Promise<boolean> => {
  const app = new TestApp([server.issuer], {
    ...{ clientId, clientSecret, authMethod: 'client_secret_post' },
    redirectUris: [],
  });
  const { status } = await app.token({ grant_type: 'client_credentials', resource: resource.uri, scope: 'tools/read' });
  return status === 200;
};

test('a chosen secret works at once, stays while it is declared, and is replaced when another is', async () => {
  assert.deepEqual((await apply(job({ client_secret: chosen }))).secrets, []);
  assert.ok(await works('job', chosen));
  assert.deepEqual((await apply(job({ client_secret: chosen }))).steps, []);
  assert.deepEqual((await apply(job())).steps, [], 'one that is not mentioned is left alone');
  const { steps } = await apply(job({ client_secret: other }));
  assert.deepEqual(steps, [{ action: 'change', kind: 'client', key: 'job', changes: [{ member: 'client_secret' }] }]);
  assert.ok(await works('job', other));
  assert.ok(!(await works('job', chosen)));
  await admin.client.rotateSecret({ id: 'job' });
  assert.deepEqual((await apply(job({ client_secret: other }))).steps.length, 1, 'a rotation by hand is undone');
});

test('a secret that nobody chose is shown once, by apply alone', async () => {
  const client = job({ client_id: 'made' });
  const body = { configuration: { clients: [client] } };
  assert.ok(!JSON.stringify(await admin.configuration.plan({ body })).includes('cs_'));
  const rehearsed = await admin.configuration.apply({ body, query: { dry_run: 'true' } });
  assert.deepEqual(rehearsed.secrets, []);
  const { secrets } = await apply(client);
  assert.deepEqual(
    secrets.map(({ client_id }) => client_id),
    ['made'],
  );
  assert.ok(await works('made', secrets[0]?.client_secret ?? ''));
  assert.deepEqual((await apply(client)).secrets, []);
});

test('no secret is in a plan, an export, a list of owners, the audit trail or a table [threat K06]', async () => {
  const client = job({ client_id: 'canary', client_secret: chosen });
  const body = { configuration: { clients: [client] } };
  const answers: unknown[] = [await admin.configuration.plan({ body }), await apply(client)];
  answers.push(
    await admin.configuration.plan({ body: { configuration: { clients: [{ ...client, client_secret: other }] } } }),
  );
  answers.push(await admin.configuration.export(), await admin.configuration.owners());
  const broken = {
    ...body,
    configuration: { clients: [{ ...client, client_secret: `${chosen} `, redirect_uris: 7 }] },
  };
  const wrong = await server.adminRequest('POST', '/admin/configuration/apply', broken);
  assert.match(refused(wrong, 'invalid_request'), /client_secret: must be 32 to 255 random characters/);
  answers.push(wrong.body);
  for (const table of [
    'audit_events',
    'changes',
    'configuration_owners',
    'clients',
    'client_secrets',
    'repeatable_requests',
  ])
    answers.push(await server.sql(`select row::text from ${table} as row`));
  const everything = JSON.stringify(answers);
  assert.ok(!everything.includes(chosen) && !everything.includes(other));
});

test('a client may be created with an id and a secret of the operator’s choice', async () => {
  const create = (body: unknown) => server.adminRequest('POST', '/admin/clients', body);
  const made = await create(job({ client_id: 'chosen.app~1_x-y', client_secret: chosen }));
  assert.equal(made.status, 201);
  assert.equal(made.body.client_id, 'chosen.app~1_x-y');
  assert.equal(made.body.client_secret, undefined, 'what the caller knows is not repeated');
  assert.ok(await works('chosen.app~1_x-y', chosen));
  assert.match(refused(await create(job({ client_id: 'chosen.app~1_x-y' })), 'conflict'), /id exists already/);
  for (const client_id of [
    ...['', '.', '..', 'a b', 'a/b', 'https://app.example.com/client.json', 'x'.repeat(129), 'ümlaut', 'a\u0000b'],
    '0198c0de-0000-7000-8000-000000000000',
  ])
    assert.match(refused(await create(job({ client_id })), 'invalid_request'), /^client_id: /, client_id);
  for (const client_secret of ['short', `${chosen}:`, 'x'.repeat(256)])
    assert.match(refused(await create(job({ client_secret })), 'invalid_request'), /^client_secret: /);
  const without = { client_name: 'x', redirect_uris: ['https://app.example.com/cb'], client_secret: chosen };
  assert.match(refused(await create(without), 'invalid_request'), /client_secret: none has no secret/);
  const rotated = await server.adminRequest('POST', '/admin/clients/chosen.app~1_x-y/rotate-secret', {
    client_secret: other,
  });
  assert.equal(rotated.body.client_secret, undefined);
  assert.ok((await works('chosen.app~1_x-y', other)) && !(await works('chosen.app~1_x-y', chosen)));
});
