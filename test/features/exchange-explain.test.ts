import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantType } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { runCli } from '../support/command-line.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { denied, type Form, ok, type TestApp } from '../support/test-app.ts';

const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const server = await startAuthServer({ admin: true });
const user = await server.user();
const confidential = { authMethod: 'client_secret_basic' } as const;
const assistant = await server.client({ ...confidential, agent: true, grantTypes: ['authorization_code', exchange] });
const gateway = await server.client({
  ...confidential,
  grantTypes: ['client_credentials', exchange],
  ceiling: ['tools/read', 'tools/write', 'rows/read'],
});
const stranger = await server.client({
  ...confidential,
  grantTypes: ['client_credentials', exchange],
  ceiling: ['tools/read'],
});
const app = await server.client({ grantTypes: ['authorization_code', exchange] });
const unregistered = await server.client({
  ...confidential,
  grantTypes: ['client_credentials'],
  ceiling: ['tools/read'],
});
const front = await server.resource({ runtimeClients: [gateway.clientId] });
const hidden = await server.resource({ scopes: ['rows/read', 'rows/write'] });
const side = await server.resource({ exchangeClients: [gateway.clientId, assistant.clientId] });
await server.link(front, hidden, { 'tools/read': ['rows/read'], 'tools/write': ['rows/write'] });
await assistant.authorize({ user, resource: side.uri, scope: 'tools/read' });
const subject = (await assistant.authorize({ user, resource: front.uri, scope: 'tools/read tools/write' }))
  .access_token;
const narrow = (await assistant.authorize({ user, resource: front.uri, scope: 'tools/read' })).access_token;
const machine = ok(await gateway.clientCredentials({ resource: front.uri, scope: 'tools/read' })).access_token;
const behind = ok(await gateway.exchange(narrow, { resource: hidden.uri })).access_token;
const revoked = (await assistant.authorize({ user, resource: front.uri, scope: 'tools/read' })).access_token;
ok(await assistant.revoke(revoked));
const crowded = (await assistant.authorize({ user, resource: front.uri, scope: 'tools/read' })).access_token;
await server.sql(
  `insert into issuances (id, grant_type, client_id, subject, resource, scopes, issued_at, expires_at, parent_id)
   select overlay(gen_random_uuid()::text placing left(id::text, 13) from 1 for 13)::uuid, grant_type, client_id, subject,
          resource, scopes, issued_at, expires_at, id
     from issuances, generate_series(1, 500) where id = $1`,
  [decodeJwt(crowded).jti],
);
const actorToken = ok(await stranger.clientCredentials({ scope: 'tools/read' })).access_token;

type Case = { app: TestApp; token: string; resource?: readonly string[]; scope?: string; actor?: boolean };
const cases: Record<string, Case> = {
  'through the link': { app: gateway, token: narrow, resource: [hidden.uri] },
  'through the link, by slug': { app: gateway, token: subject, resource: [hidden.slug], scope: 'rows/read' },
  'more than leads there': { app: gateway, token: narrow, resource: [hidden.uri], scope: 'rows/write' },
  'beyond the ceiling': { app: gateway, token: subject, resource: [hidden.uri], scope: 'rows/write' },
  'its own, with consent': { app: assistant, token: subject, resource: [side.uri] },
  'its own, with less consent': { app: assistant, token: subject, resource: [side.uri], scope: 'tools/write' },
  'its own, without consent': { app: assistant, token: subject, resource: [hidden.uri] },
  'another, on the list': { app: gateway, token: subject, resource: [side.uri] },
  'another, on no list': { app: stranger, token: subject, resource: [front.uri] },
  'another, beside a list': { app: stranger, token: subject, resource: [side.uri] },
  'several, one of them forbidden': { app: gateway, token: subject, resource: [side.uri, front.uri] },
  'no target': { app: assistant, token: subject },
  'no target, of another': { app: gateway, token: subject },
  'an unknown target': { app: gateway, token: subject, resource: ['https://unknown.example/mcp'] },
  'a scope of nowhere': { app: gateway, token: subject, resource: [hidden.uri], scope: 'nowhere' },
  'a machine through the link': { app: gateway, token: machine, resource: [hidden.uri] },
  'a machine where a user is asked': { app: gateway, token: machine, resource: [side.uri] },
  'the second hop': { app: gateway, token: behind, resource: [side.uri] },
  'a revoked token': { app: gateway, token: revoked, resource: [hidden.uri] },
  'a token that many came of': { app: gateway, token: crowded, resource: [hidden.uri] },
  'an actor on no list': { app: gateway, token: subject, resource: [hidden.uri], scope: 'rows/read', actor: true },
  'a public client': { app, token: subject, resource: [side.uri] },
  'a client without the grant': { app: unregistered, token: subject, resource: [side.uri] },
};

for (const [name, { app: by, token, resource = [], scope, actor }] of Object.entries(cases))
  test(`the explanation is what the token endpoint says: ${name}`, async () => {
    const { jti } = decodeJwt(token);
    const explained = await server.admin.exchange.explain({
      body: {
        client_id: by.clientId,
        subject_jti: jti ?? '',
        resource: [...resource],
        ...(scope === undefined ? {} : { scope }),
        ...(actor ? { actor_client_id: stranger.clientId } : {}),
      },
    });
    const form: Form = { resource, scope };
    const acting = actor
      ? { actor_token: actorToken, actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' }
      : {};
    const answer = await by.exchange(token, { ...form, ...acting });
    const body = answer.body as Record<string, unknown>;
    assert.equal(explained.allowed, answer.status === 200, JSON.stringify({ explained, body }));
    assert.deepEqual([explained.error, explained.cause, explained.scope], [body.error, body.cause, body.scope]);
    if (!explained.allowed) return;
    const claims = decodeJwt(String(body.access_token));
    assert.deepEqual(explained.act, claims.act);
    assert.deepEqual(
      explained.targets?.map(({ uri }) => uri),
      claims.aud,
    );
  });

test('a token is explained before anybody has it, and nothing is issued', async () => {
  const count = async () => (await server.sql('select 1 from issuances')).length;
  const before = await count();
  const about = { client_id: gateway.clientId, user: user.id, subject_client_id: assistant.clientId };
  const explained = await server.admin.exchange.explain({
    body: { ...about, subject_resource: [front.slug], subject_scope: 'tools/read', resource: [hidden.slug] },
  });
  assert.deepEqual([explained.allowed, explained.scope], [true, 'rows/read']);
  assert.deepEqual(explained.targets, [{ name: hidden.slug, uri: hidden.uri, way: 'fronted' }]);
  const direct = await server.admin.exchange.explain({
    body: { ...about, subject_resource: [front.slug], resource: [side.slug] },
  });
  assert.deepEqual([direct.allowed, direct.scope], [true, 'tools/read']);
  const machines = await server.admin.exchange.explain({
    body: { client_id: gateway.clientId, subject_client_id: gateway.clientId, resource: [side.slug] },
  });
  assert.equal(machines.reason, 'subject_not_user');
  assert.equal(await count(), before);
});

test('who wants the new token bound to a key is said, and that the request must prove one', async () => {
  const careful = await server.client({ ...confidential, grantTypes: [exchange], dpopBound: true });
  const bound = await server.resource({ exchangeClients: [careful.clientId, gateway.clientId], dpopRequired: true });
  const key = await DpopKey.create(server);
  await assistant.code({ user, resource: bound.uri, scope: 'tools/read' });
  const held = { subject_resource: [front.slug], subject_scope: 'tools/read' };
  const about = { user: user.id, subject_client_id: assistant.clientId, ...held, resource: [bound.slug] };
  const proofs = async (client_id: string) => {
    const { allowed, gates } = await server.admin.exchange.explain({ body: { client_id, ...about } });
    const of = (name: string) => gates.find(({ gate }) => gate === name)?.detail ?? '';
    return [allowed, of('client_proof'), of('target_proof')];
  };
  const [allowed, client, target] = await proofs(careful.clientId);
  assert.equal(allowed, true);
  assert.match(String(client), /tokens of this client are bound to a key: the request must prove one/);
  assert.match(String(target), /Tokens for this resource are bound to a key: the request must prove one/);
  assert.match(String((await proofs(gateway.clientId))[1]), /need not be bound/);
  for (const by of [careful, gateway]) {
    denied(await by.exchange(narrow, { resource: bound.uri }), 'invalid_dpop_proof');
    ok(await by.exchange(narrow, { resource: bound.uri }, 0, await key.header()));
  }
});

test('a question that is none is refused, and what it names must be there', async () => {
  const ask = (body: object) => server.adminRequest('POST', '/admin/exchange/explain', body);
  const whole = { client_id: gateway.clientId, subject_jti: decodeJwt(subject).jti, resource: [side.slug] };
  for (const body of [
    { ...whole, subject_client_id: assistant.clientId },
    { ...whole, subject_jti: undefined },
    { ...whole, subject_scope: 'tools/read' },
    { ...whole, client_id: '' },
    { ...whole, resource: 'x' },
    { ...whole, more: 1 },
  ])
    assert.equal((await ask(body)).status, 400, JSON.stringify(body));
  for (const body of [
    { ...whole, client_id: 'nobody' },
    { ...whole, subject_jti: '019483f2-9c6e-7abc-8def-0123456789ab' },
    { ...whole, actor_client_id: 'nobody' },
    { ...whole, subject_jti: undefined, subject_client_id: assistant.clientId, user: 'nobody' },
    { ...whole, subject_jti: undefined, subject_client_id: assistant.clientId, subject_resource: ['nowhere'] },
  ])
    assert.equal((await ask(body)).status, 404, JSON.stringify(body));
});

test('on the command line: the verdict, and a line for each gate', async () => {
  const env = { AUTHPLANE_ADMIN_URL: server.adminUrl, AUTHPLANE_ADMIN_API_KEY: server.adminKey };
  const args = [
    'admin',
    'exchange',
    'explain',
    '--subject-jti',
    decodeJwt(narrow).jti ?? '',
    '--resource',
    hidden.slug,
  ];
  const allowed = await runCli([...args, '--client-id', gateway.clientId], { env });
  assert.equal(allowed.code, 0, allowed.stderr);
  const [verdict, ...gates] = allowed.stdout.trimEnd().split('\n');
  assert.equal(verdict, `allowed: scope=rows/read kind=delegation targets=[${hidden.uri}] ways=[fronted]`);
  assert.match(gates.join('\n'), new RegExp(`^gate=link target=${hidden.slug} outcome=pass detail=`, 'm'));
  const denied = await runCli([...args, '--client-id', stranger.clientId, '--scope', 'rows/read'], { env });
  assert.equal(denied.code, 0, denied.stderr);
  assert.match(denied.stdout, /^denied: error=invalid_scope reason=subject_scope_ceiling\n/);
  assert.match(denied.stdout, /^gate=cross_client target=\S+ outcome=deny /m);
});
