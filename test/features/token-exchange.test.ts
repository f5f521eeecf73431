import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantType } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { denied, ok } from '../support/test-app.ts';

const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const confidential = { authMethod: 'client_secret_basic' } as const;
const assistant = await server.client({ ...confidential, agent: true, grantTypes: ['authorization_code', exchange] });
const gateway = await server.client({ ...confidential, grantTypes: ['client_credentials', exchange], ceiling: [] });
const robot = await server.client({
  ...confidential,
  agent: true,
  grantTypes: ['client_credentials', exchange],
  ceiling: ['tools/read', 'rows/read', 'rows/write'],
});
const front = await server.resource({ runtimeClients: [gateway.clientId, robot.clientId] });
/** Behind the gateway; the user never sees it. */
const hidden = await server.resource({ scopes: ['rows/read', 'rows/write', 'rows/drop'] });
/** Takes tokens of others from the gateway and the robot. */
const side = await server.resource({ exchangeClients: [gateway.clientId, robot.clientId, assistant.clientId] });
const plain = await server.resource();
await server.link(front, hidden, { 'tools/read': ['rows/read'], 'tools/write': ['rows/read', 'rows/write'] });

const held = async (scope = 'tools/read tools/write', resource = front.uri) =>
  (await assistant.authorize({ user, resource, scope })).access_token;
const consentAt = (resource: string, scope = 'tools/read') => assistant.authorize({ user, resource, scope });
const claimsOf = (token: string) => decodeJwt<Record<string, unknown> & { jti: string }>(token);

test('a client exchanges its own token for another resource its user allowed it (impersonation) [R8693-05 R8693-07 R8693-08]', async () => {
  await consentAt(side.uri, 'tools/read');
  const subject = await held();
  const tokens = ok(await assistant.exchange(subject, { resource: side.uri }));
  assert.deepEqual(
    { ...tokens, access_token: '' },
    { access_token: '', issued_token_type: accessToken, token_type: 'Bearer', expires_in: 900, scope: 'tools/read' },
  );
  const claims = claimsOf(tokens.access_token);
  assert.equal(claims.sub, user.id);
  assert.equal(claims.client_id, assistant.clientId);
  assert.deepEqual(claims.aud, [side.uri]);
  assert.equal(claims.act, undefined);
  assert.equal(claims.auth_time, claimsOf(subject).auth_time);
  const [row] = await server.sql(
    `select parent_id, consent_client_id, consent_grant_id is not null as consented, subject_user_id, scopes, act
       from issuances where id = $1`,
    [claims.jti],
  );
  assert.deepEqual(row, {
    parent_id: claimsOf(subject).jti,
    consent_client_id: assistant.clientId,
    consented: true,
    subject_user_id: user.id,
    scopes: ['tools/read'],
    act: null,
  });
  assert.ok((await server.metric('authplane_token_exchange_total', { kind: 'impersonation' })) > 0);
});

test('a gateway stands in front of a resource the user never sees: the link says what scopes become [R8693-07 R8693-10]', async () => {
  const subject = await held('tools/read');
  const tokens = ok(await gateway.exchange(subject, { resource: hidden.uri }));
  assert.equal(tokens.scope, 'rows/read');
  const claims = claimsOf(tokens.access_token);
  assert.equal(claims.sub, user.id);
  assert.equal(claims.client_id, gateway.clientId);
  assert.deepEqual(claims.aud, [hidden.uri]);
  assert.deepEqual(claims.act, {
    sub: gateway.clientId,
    actor_type: 'service',
    act: { sub: assistant.clientId, actor_type: 'agent' },
  });
  assert.equal(claims.agent_id, undefined, 'a gateway is no agent');
  assert.equal(ok(await gateway.exchange(await held(), { resource: hidden.slug })).scope, 'rows/read rows/write');
  assert.equal(
    ok(await gateway.exchange(await held('tools/write'), { audience: hidden.uri, scope: 'rows/read' })).scope,
    'rows/read',
    'any source scope that leads there will do',
  );
  denied(await gateway.exchange(subject, { resource: hidden.uri, scope: 'rows/write' }), 'invalid_scope');
  denied(await gateway.exchange(subject, { resource: hidden.uri, scope: 'rows/drop' }), 'invalid_scope');
});

test('a client on the list of the target exchanges the token of another, as far as the user allowed that one', async () => {
  await consentAt(side.uri, 'tools/read');
  const tokens = ok(await gateway.exchange(await held(), { resource: side.uri }));
  assert.equal(tokens.scope, 'tools/read');
  assert.equal(claimsOf(tokens.access_token).client_id, gateway.clientId);
  const refused = await gateway.exchange(await held(), { resource: side.uri, scope: 'tools/write' });
  denied(refused, 'consent_required');
  assert.equal((refused.body as Record<string, unknown>).cause, 'scope_insufficient');
});

test('an actor token names who acts, and an agent that asks is told of in agent_id and agent_chain [R8693-10]', async () => {
  const robots = ok(await robot.clientCredentials({ scope: 'tools/read' })).access_token;
  const actor = { actor_token: robots, actor_token_type: accessToken };
  const subject = await held('tools/read');
  denied(await gateway.exchange(subject, { resource: hidden.uri, ...actor }), 'access_denied', 403); // on no list there
  const delegated = ok(await gateway.exchange(subject, { resource: side.uri, scope: 'tools/read', ...actor }));
  assert.deepEqual(claimsOf(delegated.access_token).act, { sub: robot.clientId, actor_type: 'agent' });
  assert.ok((await server.metric('authplane_token_exchange_total', { kind: 'delegation' })) > 0);

  const own = ok(await robot.exchange(subject, { resource: hidden.uri, ...actor }));
  const claims = claimsOf(own.access_token);
  assert.deepEqual(claims.act, {
    sub: robot.clientId,
    actor_type: 'agent',
    act: { sub: assistant.clientId, actor_type: 'agent' },
  });
  assert.equal(claims.agent_id, robot.clientId);
  assert.deepEqual(claims.agent_chain, [assistant.clientId, robot.clientId], 'who acted first stands first');
  const [row] = await server.sql('select act, agent_chain from issuances where id = $1', [claims.jti]);
  assert.deepEqual(row, { act: claims.act, agent_chain: claims.agent_chain });
  const seen = ok(await robot.introspect(own.access_token, 1));
  assert.deepEqual(seen.act, claims.act);
  assert.deepEqual(seen.agent_chain, claims.agent_chain);
  assert.ok((await server.metric('authplane_agent_tokens_issued_total')) > 0);
});

test('several resources and audiences are checked alike, and one token is for all of them [R8693-09]', async () => {
  await consentAt(side.uri, 'tools/read tools/write');
  await consentAt(plain.uri, 'tools/read');
  const tokens = ok(await assistant.exchange(await held(), { resource: [side.uri, side.slug], audience: plain.slug }));
  assert.deepEqual(claimsOf(tokens.access_token).aud, [side.uri, plain.uri]);
  assert.equal(tokens.scope, 'tools/read', 'a scope counts only where it is allowed everywhere it is offered');
  for (const form of [{ audience: 'https://unknown.example/mcp' }, { audience: [side.uri, 'nowhere'] }])
    denied(await assistant.exchange(await held(), { resource: side.uri, ...form }), 'invalid_target');
});

test('a scope that was narrowed is told, and more than the subject token has is refused [R8693-06 R8693-16]', async () => {
  await consentAt(side.uri, 'tools/read tools/write');
  const subject = await held('tools/read');
  assert.equal(ok(await assistant.exchange(subject, { resource: side.uri })).scope, 'tools/read');
  denied(await assistant.exchange(subject, { resource: side.uri, scope: 'tools/read tools/write' }), 'invalid_scope');
});

test('the new token does not outlive the one it comes of [R8693-16]', async () => {
  const subject = await held('tools/read');
  server.clock.advance(890);
  const tokens = ok(await gateway.exchange(subject, { resource: hidden.uri }));
  assert.ok(tokens.expires_in <= 10, `${tokens.expires_in}`);
  assert.equal(claimsOf(tokens.access_token).exp, claimsOf(subject).exp);
  server.clock.advance(10);
  denied(await gateway.exchange(subject, { resource: hidden.uri }), 'invalid_request');
});

test('a bound subject token is exchanged by whoever proves its key, for a token bound to the same key', async () => {
  const key = await DpopKey.create(server);
  const other = await DpopKey.create(server);
  await consentAt(side.uri);
  const bound = ok(
    await assistant.redeem(
      await assistant.code({ user, resource: front.uri, scope: 'tools/read' }),
      {},
      0,
      await key.header(),
    ),
  ).access_token;
  const form = { resource: side.uri };
  denied(await assistant.exchange(bound, form), 'invalid_request');
  denied(await assistant.exchange(bound, form, 0, await other.header()), 'invalid_request');
  const tokens = ok(await assistant.exchange(bound, form, 0, await key.header()));
  assert.equal(tokens.token_type, 'DPoP');
  assert.deepEqual(claimsOf(tokens.access_token).cnf, { jkt: key.jkt });
  const rebound = ok(await assistant.exchange(await held('tools/read'), form, 0, await other.header()));
  assert.deepEqual(claimsOf(rebound.access_token).cnf, { jkt: other.jkt }, 'a bearer token may become a bound one');
});

test('a machine exchanges its own token where a link leads, and nowhere for a consent nobody gave', async () => {
  const subject = ok(await robot.clientCredentials({ resource: front.uri, scope: 'tools/read' })).access_token;
  const tokens = ok(await robot.exchange(subject, { resource: hidden.uri }));
  const claims = claimsOf(tokens.access_token);
  assert.equal(claims.sub, robot.clientId);
  denied(await robot.exchange(subject, { resource: side.uri }), 'access_denied', 403);
});

test('links and lists apply on every pod as soon as an operator changes them', async () => {
  const late = await server.resource({ scopes: ['rows/read'] });
  const subject = await held('tools/read');
  for (const pod of [0, 1]) denied(await gateway.exchange(subject, { resource: late.uri }, pod), 'access_denied', 403);
  await server.link(front, late, { 'tools/read': ['rows/read'] });
  for (const pod of [0, 1]) ok(await gateway.exchange(subject, { resource: late.uri }, pod));
  await server.change('fronting_link', `${front.slug}/${late.slug}`, (tx) =>
    tx.frontingLinks.delete({ sourceId: front.id, targetId: late.id }),
  );
  for (const pod of [0, 1]) denied(await gateway.exchange(subject, { resource: late.uri }, pod), 'access_denied', 403);
});
