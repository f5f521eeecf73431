import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantType } from '@authserver/oauth';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, type Form, ok, postForm } from '../support/test-app.ts';

const exchange: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const type = (name: string) => `urn:ietf:params:oauth:token-type:${name}`;

const server = await startAuthServer({ pods: 2, env: { TOKEN_EXCHANGE_MAX_CHAIN_DEPTH: '3' } });
const lenient = await startAuthServer({
  env: { TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true', AGENTS_ENABLE_JWKS_LISTING: 'true' },
});
const user = await server.user();
const confidential = { authMethod: 'client_secret_basic' } as const;
const assistant = await server.client({
  ...confidential,
  grantTypes: ['authorization_code', 'refresh_token', exchange],
});
const gateway = await server.client({
  ...confidential,
  grantTypes: ['client_credentials', exchange],
  ceiling: ['rows/read', 'tools/read', 'rows/loop'],
});
const stranger = await server.client({
  ...confidential,
  grantTypes: ['client_credentials', exchange],
  ceiling: ['tools/read'],
});
const app = await server.client({ grantTypes: ['authorization_code', exchange] });
const front = await server.resource({ runtimeClients: [gateway.clientId] });
const hidden = await server.resource({ scopes: ['rows/read', 'rows/write'], runtimeClients: [gateway.clientId] });
const guarded = await server.resource({ exchangeClients: [gateway.clientId] });
const open = await server.resource();
await server.link(front, hidden, { 'tools/read': ['rows/read', 'rows/write'] });

const grant = (resource: string, scope = 'tools/read', person = user) =>
  assistant.authorize({ user: person, resource, scope });
const subject = (await grant(front.uri)).access_token;
const machine = ok(await stranger.clientCredentials({ scope: 'tools/read' })).access_token;
const expired = (await grant(front.uri)).access_token;
const tampered = `${subject.slice(0, -8)}AAAAAAAA`;
const rowsBefore = async () => (await server.sql('select 1 from issuances where grant_type = $1', [exchange])).length;

const rows: [name: string, form: Form, code: string, status?: number][] = [
  ['no subject_token [R8693-01]', { subject_token: undefined }, 'invalid_request'],
  ['no subject_token_type [R8693-01]', { subject_token_type: undefined }, 'invalid_request'],
  ['an actor_token without its type [R8693-02]', { actor_token: machine }, 'invalid_request'],
  ['an actor_token_type without a token [R8693-02]', { actor_token_type: type('access_token') }, 'invalid_request'],
  ['a tampered subject token [R8693-03]', { subject_token: tampered }, 'invalid_request'],
  ['a subject token of no shape [R8693-03]', { subject_token: 'x' }, 'invalid_request'],
  [
    'the type of another kind of token [R8693-15 threat I09]',
    { subject_token_type: type('id_token') },
    'invalid_request',
  ],
  ['a type nobody knows [R8693-15]', { subject_token_type: 'access_token' }, 'invalid_request'],
  ['a token type that is not issued here [R8693-14]', { requested_token_type: type('saml2') }, 'invalid_request'],
  ['a refresh token [R8693-14]', { requested_token_type: type('refresh_token') }, 'invalid_request'],
  ['a tampered actor token [R8693-03]', { actor_token: tampered, actor_token_type: type('jwt') }, 'invalid_request'],
  ['a user as the actor', { actor_token: subject, actor_token_type: type('access_token') }, 'invalid_request'],
  ['an actor no list names', { actor_token: machine, actor_token_type: type('jwt') }, 'access_denied', 403],
  ['an unknown resource [R8693-04]', { resource: 'https://unknown.example/mcp' }, 'invalid_target'],
  ['an unknown audience [R8693-04 threat I07]', { audience: 'https://unknown.example/mcp' }, 'invalid_target'],
  ['a resource with a fragment [R8693-09]', { resource: `${hidden.uri}#x` }, 'invalid_target'],
  ['an allowed resource beside a forbidden audience [threat I07]', { audience: open.uri }, 'access_denied', 403],
  ['neither resource nor audience [threat I07]', { resource: undefined }, 'access_denied', 403],
  ['eleven targets', { audience: Array.from({ length: 10 }, (_, n) => `t${n}`) }, 'invalid_target'],
  ['a scope the target does not have [threat I06]', { scope: 'rows/read tools/read' }, 'invalid_scope'],
  ['a target that no link and no list leads to [threat I07]', { resource: open.uri }, 'access_denied', 403],
  ['two resources, one of them forbidden [threat I07]', { resource: [hidden.uri, open.uri] }, 'access_denied', 403],
  ['a scope beyond the ceiling of who asks [threat I06]', { scope: 'rows/write' }, 'invalid_scope'],
  ['two actor tokens', { actor_token: [machine, machine], actor_token_type: type('jwt') }, 'invalid_request'],
];

for (const [name, form, code, status] of rows)
  test(`refused: ${name}`, async () => {
    const before = await rowsBefore();
    denied(await gateway.exchange(subject, { resource: hidden.uri, ...form }), code, status);
    assert.equal(await rowsBefore(), before);
  });

test('what was refused is possible, so each of the above was refused for what it says', async () => {
  ok(
    await gateway.exchange(subject, {
      resource: hidden.uri,
      requested_token_type: type('jwt'),
      subject_token_type: type('jwt'),
    }),
  );
});

test('a client without credentials gets nothing, whatever token it holds [R8693-13]', async () => {
  denied(await app.exchange(subject, { resource: open.uri }), 'unauthorized_client');
  denied(
    await postForm(app.url('/oauth/token'), {
      grant_type: exchange,
      subject_token: subject,
      subject_token_type: type('jwt'),
    }),
    'invalid_client',
  );
});

test('a token for the server itself leads nowhere that was not allowed for it [threat I07]', async () => {
  const person = await server.user();
  const free = await assistant.authorize({ user: person, scope: 'tools/read' });
  for (const form of [{ resource: hidden.uri }, { audience: hidden.uri }])
    denied(await gateway.exchange(free.access_token, form), 'consent_required');
  denied(await gateway.exchange(free.access_token, { audience: open.slug }), 'access_denied', 403);
  denied(await gateway.exchange(free.access_token), 'access_denied', 403);
  denied(await assistant.exchange(free.access_token, { resource: open.uri }), 'consent_required');
});

test('what is no access token is no subject, whatever it is called [R8693-15 threat I09]', async () => {
  const { refresh_token } = await grant(front.uri);
  for (const name of ['access_token', 'jwt'])
    denied(
      await assistant.exchange(refresh_token, { resource: open.uri, subject_token_type: type(name) }),
      'invalid_request',
    );
  denied(
    await assistant.exchange(refresh_token, { resource: open.uri, subject_token_type: type('refresh_token') }),
    'invalid_request',
  );
});

test('where nothing of the scope can be reached there is no token, with or without a wish [threat I06]', async () => {
  const writing = (await grant(front.uri, 'tools/write')).access_token;
  for (const scope of [undefined, '', ' ', 'rows/read'])
    denied(await gateway.exchange(writing, { resource: hidden.uri, scope }), 'invalid_scope');
});

test('two agents that hand a token to and fro come to an end, with a token that stays small [threat I11]', async () => {
  const agents = await Promise.all(
    [0, 1].map(() => server.client({ ...confidential, agent: true, grantTypes: [exchange] })),
  );
  const [ping, pong] = await Promise.all(agents.map(({ clientId }) => server.resource({ runtimeClients: [clientId] })));
  assert.ok(ping && pong);
  await server.link(ping, pong, { 'tools/read': ['tools/read'] });
  await server.link(pong, ping, { 'tools/read': ['tools/read'] });
  let { access_token } = await grant(ping.uri);
  const first = access_token.length;
  const statuses: number[] = [];
  for (let hop = 0; hop < 50; hop += 1) {
    const [by, target] = hop % 2 === 0 ? [agents[0], pong] : [agents[1], ping];
    const answer = await by?.exchange(access_token, { resource: target.uri }, hop % 2);
    statuses.push(answer?.status ?? 0);
    if (answer?.status === 200) access_token = answer.body.access_token;
    else hop -= 1; // the same once more, until all fifty are spent
    if (statuses.length === 50) break;
  }
  // Three actors are the most here (max_chain_depth), and the client of the user's token is one of them.
  assert.deepEqual([...new Set(statuses.slice(2))], [400]);
  assert.ok(access_token.length < 2 * first, `${access_token.length} characters`);
});

test('the token of somebody else is worth nothing to a client that nobody named [threat I08]', async () => {
  await grant(open.uri);
  denied(await stranger.exchange(subject, { resource: open.uri }), 'access_denied', 403);
  denied(await stranger.exchange(subject, { resource: hidden.uri }), 'access_denied', 403);
  denied(await stranger.exchange(subject), 'access_denied', 403);
  const reasons = await server.sql<{ reason: string }>(
    `select distinct details->>'reason' as reason from audit_events where action = 'token.exchange_denied' and client_id = $1`,
    [stranger.clientId],
  );
  assert.deepEqual(reasons.map(({ reason }) => reason).sort(), ['cross_client_not_authorized', 'self_exchange_denied']);
  assert.ok(
    (await server.metric('authplane_token_exchange_denied_total', { reason: 'cross_client_not_authorized' })) >= 2,
  );
});

test('a client on a list still needs the consent of this user for the client of the token [threat I08]', async () => {
  const bob = await server.user();
  const bobs = (await grant(front.uri, 'tools/read', bob)).access_token;
  await grant(guarded.uri); // alice's consent is not bob's
  const refused = await gateway.exchange(bobs, { resource: guarded.uri });
  denied(refused, 'consent_required');
  assert.equal((refused.body as Record<string, unknown>).cause, 'consent_missing');
  ok(await gateway.exchange(subject, { resource: guarded.uri }));
});

test('the list of a target binds the client of the token as well', async () => {
  denied(await assistant.exchange(subject, { resource: guarded.uri }), 'access_denied', 403);
});

test('scopes only shrink from hop to hop: a ceiling is no source [threat I06]', async () => {
  await grant(open.uri, 'tools/read tools/write');
  const wide = (await grant(front.uri, 'tools/read tools/write')).access_token;
  const narrow = ok(await assistant.exchange(wide, { resource: open.uri, scope: 'tools/read' })).access_token;
  await grant(front.uri, 'tools/read tools/write');
  denied(await assistant.exchange(narrow, { resource: front.uri, scope: 'tools/read tools/write' }), 'invalid_scope');
  assert.equal(ok(await assistant.exchange(narrow, { resource: front.uri })).scope, 'tools/read');
  assert.equal(ok(await assistant.exchange(narrow, { resource: front.uri, scope: ' ' })).scope, 'tools/read');
});

test('a chain ends at the depth the operator set, refused and not shortened [threat I11]', async () => {
  await grant(open.uri);
  let token = subject;
  for (let hop = 0; hop < 3; hop += 1)
    token = ok(await assistant.exchange(token, { resource: hop % 2 === 0 ? open.uri : front.uri })).access_token;
  denied(await assistant.exchange(token, { resource: front.uri }), 'invalid_request');
  const behind = ok(await gateway.exchange(subject, { resource: hidden.uri })).access_token;
  assert.equal((decodeJwt(behind).act as { act: object }).act !== undefined, true);
  const loop = await server.resource({ scopes: ['rows/loop'] });
  const further = await server.resource({ scopes: ['rows/loop'], runtimeClients: [gateway.clientId] });
  await server.link(hidden, further, { 'rows/read': ['rows/loop'] });
  await server.link(further, loop, { 'rows/loop': ['rows/loop'] });
  const third = ok(await gateway.exchange(behind, { resource: further.uri })).access_token;
  denied(
    await gateway.exchange(third, {
      resource: further.uri,
    }),
    'consent_required',
  );
  const last = await server.resource({ scopes: ['rows/loop'], exchangeClients: [gateway.clientId] });
  await server.link(further, last, { 'rows/loop': ['rows/loop'] });
  denied(await gateway.exchange(third, { resource: last.uri }), 'invalid_request');
});

test('a dead subject or actor token is refused at once on every pod [R8693-03 threat I09]', async () => {
  const carol = await server.user();
  const tokens = await grant(front.uri, 'tools/read', carol);
  const actor = ok(await gateway.clientCredentials({ scope: 'tools/read' })).access_token;
  const form = { resource: hidden.uri, scope: 'rows/read' };
  const acting = { ...form, actor_token: actor, actor_token_type: type('access_token') };
  ok(await gateway.exchange(tokens.access_token, acting));
  ok(await gateway.revoke(actor));
  denied(await gateway.exchange(tokens.access_token, acting, 1), 'invalid_request');
  ok(await gateway.exchange(tokens.access_token, form));
  await server.sql("update users set status = 'disabled' where id = $1", [carol.id]);
  for (const pod of [0, 1]) denied(await gateway.exchange(tokens.access_token, form, pod), 'invalid_request');
  await server.sql("update users set status = 'active' where id = $1", [carol.id]);
  ok(await assistant.revoke(tokens.refresh_token));
  for (const pod of [0, 1]) denied(await gateway.exchange(tokens.access_token, form, pod), 'invalid_request');
  const foreign = ok(
    await lenient
      .client({ ...confidential, grantTypes: ['client_credentials'], ceiling: ['a'] })
      .then((other) => other.clientCredentials()),
  ).access_token;
  denied(await gateway.exchange(foreign, form), 'invalid_request');
  server.clock.advance(901);
  denied(await gateway.exchange(expired, form), 'invalid_request');
  server.clock.advance(-901);
});

test('where the operator lets clients exchange their own tokens, the audience stays and nothing is added', async () => {
  const person = await lenient.user();
  const own = await lenient.client({ ...confidential, grantTypes: ['authorization_code', exchange] });
  const other = await lenient.client({
    ...confidential,
    grantTypes: ['client_credentials', exchange],
    ceiling: ['tools/read'],
  });
  const resource = await lenient.resource();
  const next = await lenient.resource({ scopes: ['tools/read', 'files/read'] });
  const { access_token } = await own.authorize({
    user: person,
    resource: resource.uri,
    scope: 'tools/read tools/write',
  });
  const narrowed = ok(await own.exchange(access_token, { scope: 'tools/read' }));
  assert.deepEqual([decodeJwt(narrowed.access_token).aud, narrowed.scope], [[resource.uri], 'tools/read']);
  denied(await own.exchange(narrowed.access_token, { scope: 'tools/write' }), 'invalid_scope');
  denied(await other.exchange(access_token), 'access_denied', 403);
  assert.equal(ok(await own.exchange(access_token, { resource: next.uri })).scope, 'tools/read');
  const ofServer = (await own.authorize({ user: person, scope: 'tools/read' })).access_token;
  assert.deepEqual(decodeJwt(ok(await own.exchange(ofServer)).access_token).aud, [lenient.issuer]);
});

test('the key set lists the agents of operators where it is told to, as long as they are active', async () => {
  const keySet = async (at: string) =>
    (await (await fetch(`${at}/.well-known/jwks.json`)).json()) as { keys: object[]; agents?: { agent_id: string }[] };
  assert.deepEqual((await keySet(lenient.issuer)).agents, []);
  const agent = await lenient.client({ agent: true, name: 'Planner' });
  await lenient.client({ agent: true, source: 'dcr' }); // what a client says of itself is not published in our name
  await lenient.client({});
  const { keys, agents } = await keySet(lenient.issuer);
  assert.deepEqual(agents, [{ agent_id: agent.clientId, name: 'Planner' }]);
  assert.equal(keys.length > 0, true);
  await lenient.change('client', agent.clientId, (tx) => tx.clients.setStatus(agent.clientId, ['active'], 'suspended'));
  assert.deepEqual((await keySet(lenient.issuer)).agents, []);
  assert.equal((await keySet(server.issuer)).agents, undefined, 'off unless it is told to');
});

test('switched off, the grant is not there and says which setting does it', async () => {
  const off = await startAuthServer({ env: { TOKEN_EXCHANGE_ENABLED: 'false' } });
  const client = await off.client({ ...confidential, grantTypes: ['client_credentials'], ceiling: ['a'] });
  const answer = await client.exchange('x');
  denied(answer, 'unsupported_grant_type');
  assert.match(String((answer.body as Record<string, unknown>).error_description), /token_exchange\.enabled/);
});
