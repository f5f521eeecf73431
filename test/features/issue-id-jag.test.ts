/** Assertions (ID-JAG) that this server makes about its own users, by token exchange. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { assertingClient, jwtBearerType, trade } from '../support/id-jag.ts';
import { type Answer, denied, type Form, ok, type RequestHeaders, type TestApp } from '../support/test-app.ts';

const audience = 'https://chat.example.com';
const resource = 'https://mcp.chat.example.com/mcp';
const tokenType = (name: string) => `urn:ietf:params:oauth:token-type:${name}`;
const exchangeType = 'urn:ietf:params:oauth:grant-type:token-exchange' as const;

const grantTypes = ['authorization_code' as const, 'refresh_token' as const, exchangeType, jwtBearerType as never];
const ids = { desktop: 'client_desktop', other: 'client_other' };
const server = await startAuthServer({
  pods: 2,
  admin: true,
  settings: {
    xaa: {
      vouch_for: [
        {
          ...{ client_id: ids.desktop, audience, audience_client_id: 'desktop-at-chat' },
          ...{ resources: [resource, 'https://mcp.chat.example.com/other'], scopes: ['chat/read', 'chat/write'] },
        },
        { client_id: ids.other, audience },
        { client_id: ids.desktop, audience: 'http://localhost:1/self' },
      ],
    },
  },
});
const newApp = (clientId: string) => server.client({ clientId, authMethod: 'client_secret_basic', grantTypes });
const app = await newApp(ids.desktop);
const other = await newApp(ids.other);
const user = await server.user();
const here = await server.resource();

type Vouched = {
  access_token: string;
  issued_token_type: string;
  token_type: string;
  expires_in: number;
  scope?: string;
};
const ask = (by: TestApp, subject: string, form: Form = {}, headers: RequestHeaders = {}, pod = 0) =>
  by.token(
    {
      grant_type: exchangeType,
      requested_token_type: tokenType('id-jag'),
      subject_token: subject,
      subject_token_type: tokenType('refresh_token'),
      audience,
      ...form,
    },
    pod,
    headers,
  ) as unknown as Promise<Answer<Vouched>>;
const session = (by = app) => by.authorize({ user, resource: here.uri });

test('a refresh token becomes an assertion for one client elsewhere, and is not spent [JAG-19 JAG-20 CHN-02]', async () => {
  const { refresh_token } = await session();
  const answer = ok(await ask(app, refresh_token, { resource, scope: 'chat/read mail/read' }));
  const { access_token, ...said } = answer;
  assert.deepEqual(said, {
    ...{ issued_token_type: tokenType('id-jag'), token_type: 'N_A', expires_in: 300, scope: 'chat/read' },
  });
  const keys = createRemoteJWKSet(new URL(`${server.pods[0]?.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(access_token, keys, { typ: 'oauth-id-jag+jwt', issuer: server.issuer, audience });
  const { jti, iat = 0, exp, auth_time, ...claims } = payload;
  assert.deepEqual(claims, {
    ...{ iss: server.issuer, sub: user.id, aud: audience, client_id: 'desktop-at-chat', resource, scope: 'chat/read' },
  });
  assert.ok(auth_time);
  assert.equal(exp, iat + 300);
  const row = await server.admin.issuance.get({ id: String(jti) });
  assert.deepEqual(
    [row.resource, row.subject_user_id, row.client_id, row.status],
    [audience, user.id, ids.desktop, 'active'],
  );
  ok(await ask(app, refresh_token, {}, {}, 1));
  assert.equal(await server.metric('authplane_xaa_assertions_issued_total'), 2);
  ok(await app.refresh(refresh_token));
});

test('an access token does as well; without a wish the assertion has all that is allowed', async () => {
  const { access_token } = await session();
  const answer = ok(await ask(app, access_token, { subject_token_type: tokenType('access_token') }));
  const claims = decodeJwt(answer.access_token);
  assert.deepEqual(claims.resource, [resource, 'https://mcp.chat.example.com/other']);
  assert.equal(claims.scope, 'chat/read chat/write');
  const free = ok(await ask(other, (await session(other)).refresh_token, { resource, scope: 'any/thing' }));
  const unbounded = decodeJwt(free.access_token);
  assert.deepEqual([unbounded.client_id, unbounded.resource, unbounded.scope], [ids.other, resource, 'any/thing']);
});

test('an operator says for which client, audience, resource and scope, and nothing else is vouched for [CHN-01]', async () => {
  const { refresh_token } = await session();
  for (const [form, code] of [
    [{ audience: 'https://chat.example.com/' }, 'invalid_target'],
    [{ audience: 'https://mail.example.com' }, 'invalid_target'],
    [{ audience: server.issuer }, 'invalid_target'],
    [{ audience: undefined }, 'invalid_request'],
    [{ audience: [audience, audience] }, 'invalid_request'],
    [{ resource: 'https://mail.example.com/mcp' }, 'invalid_target'],
    [{ resource: 'chat' }, 'invalid_request'],
    [{ scope: 'mail/read' }, 'invalid_scope'],
    [{ subject_token_type: tokenType('id_token') }, 'invalid_request'],
    [{ subject_token: undefined }, 'invalid_request'],
    [{ actor_token: refresh_token, actor_token_type: tokenType('refresh_token') }, 'invalid_request'],
  ] as const)
    denied(await ask(app, refresh_token, form), code);
});

test('whose token it is, and whether it lives, is asked of the subject token [JAG-19 threat I08 I09]', async () => {
  const mine = await session();
  const theirs = await session(other);
  const access = { subject_token_type: tokenType('access_token') };
  denied(await ask(app, theirs.refresh_token), 'invalid_request');
  denied(await ask(app, theirs.access_token, access), 'invalid_request');
  const traces = await server.sql<{ details: Record<string, string> }>(
    `select details from audit_events where action = 'token.exchange_denied' and client_id = $1 order by id`,
    [app.clientId],
  );
  const { jti = '' } = decodeJwt(theirs.access_token);
  const [family] = await server.sql<{ family_id: string }>('select family_id from issuances where id = $1', [jti]);
  const common = { reason: 'invalid_subject_token', subject: user.id, subject_client: other.clientId };
  assert.deepEqual(
    traces.map(({ details }) => details),
    [
      { ...common, family_id: family?.family_id },
      { ...common, jti },
    ],
  );
  denied(await ask(app, mine.access_token), 'invalid_request');
  denied(await ask(app, 'x'), 'invalid_request');
  const next = ok(await app.refresh(mine.refresh_token));
  denied(await ask(app, mine.refresh_token), 'invalid_request');
  assert.equal((await app.revoke(next.refresh_token)).status, 200);
  denied(await ask(app, next.refresh_token, {}, {}, 1), 'invalid_request');
  denied(await ask(app, next.access_token, access), 'invalid_request');
  const late = await session();
  await server.admin.user.disable({ id: user.id });
  denied(await ask(app, late.refresh_token), 'invalid_request');
  denied(await ask(app, late.access_token, access), 'invalid_request');
  await server.admin.user.enable({ id: user.id });
});

test('a proof binds the assertion to its key', async () => {
  const key = await DpopKey.create(server);
  const { refresh_token } = await session();
  const answer = ok(await ask(app, refresh_token, { resource }, await key.header()));
  assert.deepEqual([answer.token_type, decodeJwt(answer.access_token).cnf], ['N_A', { jkt: key.jkt }]);
});

test('an assertion of our own is no token here: neither for itself nor for another [JAG-18 threat I09]', async () => {
  const { access_token } = ok(await ask(app, (await session()).refresh_token));
  denied(await trade(await assertingClient(server), access_token), 'invalid_grant');
  assert.equal((await app.introspect(access_token)).body.active, false);
  denied(await ask(app, access_token, { subject_token_type: tokenType('access_token') }), 'invalid_request');
  denied(await app.exchange(access_token, { resource: here.uri }), 'invalid_request');
});

test('an assertion does not outlive the token it was made from [R8693-16]', async () => {
  const late = await session();
  server.clock.advance(890);
  const own = { subject_token_type: tokenType('access_token') };
  const { access_token, expires_in } = ok(await ask(app, late.access_token, own));
  const { exp = 0 } = decodeJwt(late.access_token);
  assert.equal(decodeJwt(access_token).exp, exp);
  assert.ok(expires_in <= 10 && expires_in > 0);
  server.clock.advance(-890);
});
