/** Assertions of identity providers about their people (ID-JAG) become tokens here, within what operators allow. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { soon, startAuthServer } from '../support/auth-server.ts';
import { newClientKey } from '../support/client-assertion.ts';
import { DpopKey } from '../support/dpop-key.ts';
import { assertingClient, jwtBearerType, trade, trustIdp } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2, admin: true });
const { admin } = server;
const providers = await startIdentityProviders();
const idp = await trustIdp(server, providers);
const other = await trustIdp(server, providers);
const app = await assertingClient(server);
const resource = await server.resource({
  scopes: ['tools/read', 'tools/write', { name: 'tools/list', default: true }],
});
const { uri } = resource;
const now = () => Math.floor(server.clock.now().getTime() / 1000);
const issued = async () => (await server.sql('select 1 from issuances where grant_type = $1', [jwtBearerType])).length;

test('an assertion becomes a token for its resource and scopes, without a refresh token [R7523-09] [JAG-01 JAG-02 JAG-06 JAG-07 JAG-09 JAG-10 EMA-01 CHN-04]', async () => {
  const answer = await trade(
    app,
    await idp.assertion(app.clientId, { claims: { resource: uri, scope: 'tools/read' } }),
  );
  const tokens = ok(answer);
  assert.deepEqual(Object.keys(tokens).sort(), ['access_token', 'expires_in', 'scope', 'token_type']);
  assert.deepEqual([tokens.scope, tokens.expires_in, tokens.token_type], ['tools/read', 3600, 'Bearer']);
  assert.match(String(answer.headers.get('cache-control')), /no-store/);
  const { sub, aud, client_id, act, scope, jti } = decodeJwt(tokens.access_token);
  assert.deepEqual(
    [sub, aud, client_id, act, scope],
    [`${idp.issuer}:00u1`, [uri], app.clientId, { sub: idp.issuer }, 'tools/read'],
  );
  const row = await admin.issuance.get({ id: String(jti) });
  assert.deepEqual(
    [row.subject, row.subject_user_id, row.resource, row.idp_id, row.grant_type, row.status],
    [sub, undefined, uri, idp.id, jwtBearerType, 'active'],
  );
});

test('metadata offers the grant and its profile, and nothing of whom is trusted [JAG-11 JAG-12 JAG-13]', async () => {
  const answer = await fetch(`${server.pods[0]?.url}/.well-known/oauth-authorization-server`);
  const body = (await answer.json()) as Record<string, unknown>;
  assert.ok((body.grant_types_supported as string[]).includes(jwtBearerType));
  assert.deepEqual(body.authorization_grant_profiles_supported, ['urn:ietf:params:oauth:grant-profile:id-jag']);
  assert.ok(!JSON.stringify(body).includes(idp.issuer));
});

test('request and assertion bound the scope, and what is left of both is granted [EMA-02 JAG-07]', async () => {
  const ask = async (scope: string | undefined, asserted: string | undefined) =>
    trade(app, await idp.assertion(app.clientId, { claims: { resource: uri, scope: asserted } }), { scope });
  for (const [scope, asserted, granted] of [
    ['tools/list tools/read', 'tools/read tools/write', 'tools/read'],
    [undefined, 'tools/write', 'tools/write'],
    ['tools/read', undefined, 'tools/read'],
    [undefined, 'tools/read offline_access', 'tools/read'],
    ['tools/read tools/write nobody', 'tools/read tools/write', 'tools/read tools/write'],
  ])
    assert.equal(ok(await ask(scope, asserted)).scope, granted);
  denied(await ask('tools/list', 'tools/read'), 'invalid_scope');
  // An assertion that names no scope sets no bound; one with an empty scope grants nothing.
  denied(await ask('tools/read', ''), 'invalid_scope');
  denied(await ask(undefined, 'offline_access'), 'invalid_scope');
  denied(await ask('tools/"read', undefined), 'invalid_scope');
});

test('the ceiling of the client bounds it as well', async () => {
  const narrow = await assertingClient(server, ['tools/read']);
  const scoped = async (client: typeof app, scope: string) =>
    trade(client, await idp.assertion(client.clientId, { claims: { resource: uri, scope } }));
  assert.equal(ok(await scoped(narrow, 'tools/read tools/write')).scope, 'tools/read');
  denied(await scoped(narrow, 'tools/write'), 'invalid_scope');
  denied(await scoped(await assertingClient(server, []), 'tools/read'), 'invalid_scope');
});

test('the request may name the resource, and only one of those the assertion names (RFC 8707 §2.2) [JAG-06]', async () => {
  const second = await server.resource();
  const ask = async (asserted: unknown, requested: string | string[] | undefined) =>
    trade(app, await idp.assertion(app.clientId, { claims: { resource: asserted, scope: 'tools/read' } }), {
      resource: requested,
    });
  const aud = async (...of: Parameters<typeof ask>) => decodeJwt(ok(await ask(...of)).access_token).aud;
  assert.deepEqual(await aud(undefined, uri), [uri]);
  assert.deepEqual(await aud([uri, second.uri], second.uri), [second.uri]);
  assert.deepEqual(await aud([uri, second.uri], undefined), [uri, second.uri]);
  assert.deepEqual(await aud(uri.replace('https://', 'HTTPS://'), uri), [uri]);
  assert.deepEqual(await aud(undefined, undefined), [server.issuer]);
  denied(await ask(uri, second.uri), 'invalid_target');
  denied(await ask(undefined, 'https://nobody.example.com/mcp'), 'invalid_target');
});

const unsound: Record<string, Parameters<typeof idp.assertion>[1]> = {
  'another typ [JAG-01 threat I13]': { header: { typ: 'JWT' } },
  'the typ of an access token [JAG-01 threat I13]': { header: { typ: 'at+jwt' } },
  'no typ [JAG-01 threat I13]': { header: { typ: undefined } },
  ...Object.fromEntries(
    ['iss', 'sub', 'aud', 'client_id', 'jti', 'exp', 'iat'].map((name) => [
      `no ${name} [JAG-02 EMA-05 CHN-03 threat I13]`,
      { claims: { [name]: undefined } },
    ]),
  ),
  'an issuer nobody trusts [JAG-03 EMA-05 threat I13]': { claims: { iss: 'https://idp.example.com' } },
  'an issuer that looks like a trusted one [JAG-03 threat I13]': { claims: { iss: `${idp.issuer}/` } },
  'this server as issuer [JAG-18]': { claims: { iss: server.issuer } },
  'the token endpoint as aud [JAG-04 EMA-09 threat I13]': { claims: { aud: `${server.issuer}/oauth/token` } },
  'two audiences [JAG-04 threat I13]': { claims: { aud: [server.issuer, 'https://other.example.com'] } },
  'its audience twice [JAG-04 threat I13]': { claims: { aud: [server.issuer, server.issuer] } },
  'another client [JAG-05 threat I13]': { claims: { client_id: 'client_other' } },
  'an end that is over [EMA-07 EMA-05]': { claims: { iat: now() - 400, exp: now() - 300 } },
  'an end in a year [threat I13]': { claims: { exp: now() + 31_536_000 } },
  'an iat to come [EMA-07]': { claims: { iat: now() + 300, exp: now() + 600 } },
  'an nbf to come [EMA-07]': { claims: { nbf: now() + 300 } },
  'an iat of an hour ago': { claims: { iat: now() - 3600, exp: now() - 10 } },
  'a resource that is not ours [EMA-10 JAG-06 threat I13]': { claims: { resource: 'https://nobody.example.com/mcp' } },
  'a resource by its short name': { claims: { resource: resource.slug } },
  'a scope its resource does not have [EMA-11]': { claims: { resource: uri, scope: 'tools/read nobody/knows' } },
  'authorization details, which are not offered': { claims: { authorization_details: [{ type: 'payment' }] } },
  'the key of another trusted identity provider [EMA-03 threat I13]': { key: other.key },
  'another key under a known kid [EMA-03]': { key: { ...(await newClientKey()), kid: idp.key.kid } },
};
for (const [name, changes] of Object.entries(unsound))
  test(`an assertion with ${name} is refused [R7523-09]`, async () => {
    const before = await issued();
    denied(await trade(app, await idp.assertion(app.clientId, changes)), 'invalid_grant');
    assert.equal(await issued(), before);
  });

test('neither an unsigned assertion nor one signed with the public key as a secret is taken [EMA-04]', async () => {
  const [, payload = ''] = (await idp.assertion(app.clientId)).split('.');
  const header = (alg: string) => Buffer.from(JSON.stringify({ typ: 'oauth-id-jag+jwt', alg })).toString('base64url');
  const input = `${header('HS256')}.${payload}`;
  const mac = createHmac('sha256', JSON.stringify(idp.key.jwk)).update(input).digest('base64url');
  for (const forged of [`${header('none')}.${payload}.`, `${input}.${mac}`, 'x', 'a.b.c', 'x'.repeat(20_000)])
    denied(await trade(app, forged), 'invalid_grant');
});

test('who may sign it: every algorithm on our list', async () => {
  for (const alg of ['ES384', 'RS256', 'PS256', 'EdDSA']) {
    const one = await trustIdp(server, providers, { alg });
    ok(await trade(app, await one.assertion(app.clientId, { claims: { resource: uri } })));
  }
});

test('what was wrong is told to the client, and no more than that', async () => {
  const { body } = await trade(
    app,
    await idp.assertion(app.clientId, { claims: { aud: 'https://other.example.com' } }),
  );
  assert.match(String((body as unknown as Record<string, unknown>).error_description), /this server alone/);
  denied(await trade(app, undefined), 'invalid_request');
});

test('an assertion is good once, on all pods together, and another one of the same name elsewhere is its own [EMA-08 threat I13]', async () => {
  const claims = { resource: uri, jti: 'the-same' };
  const assertion = await idp.assertion(app.clientId, { claims });
  const before = await issued();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => trade(app, assertion, {}, n % 2)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  for (const answer of answers.filter(({ status }) => status !== 200)) denied(answer, 'invalid_grant');
  assert.equal(await issued(), before + 1);
  // As rule: scoped by issuer, so nobody uses up what another identity provider will sign.
  ok(await trade(app, await other.assertion(app.clientId, { claims })));
  const [event] = await server.sql(
    `select client_id, details from audit_events where action = 'jwt_bearer.denied' and details ->> 'reason' = 'assertion_replayed'`,
  );
  assert.deepEqual(event?.details, { reason: 'assertion_replayed', idp: idp.id });
});

test('a refusal spends nothing: what was asked wrongly may be asked again', async () => {
  const assertion = await idp.assertion(app.clientId, { claims: { resource: uri, scope: 'tools/read' } });
  denied(await trade(app, assertion, { scope: 'tools/write' }), 'invalid_scope');
  denied(await trade(app, assertion, { resource: 'https://nobody.example.com/' }), 'invalid_target');
  ok(await trade(app, assertion));
});

test('who asks must prove to be the client [EMA-17 R7523-10 JAG-14 JAG-05]', async () => {
  const assertion = await idp.assertion(app.clientId, { claims: { resource: uri } });
  const nobody = await server.client({ grantTypes: [jwtBearerType] });
  denied(await trade(nobody, assertion), 'unauthorized_client');
  denied(
    await app.token({ grant_type: jwtBearerType, assertion }, 0, { authorization: 'Basic eDp5' }),
    'invalid_client',
  );
  // Found by another client, which is one as well.
  denied(await trade(await assertingClient(server), assertion), 'invalid_grant');
  const without = await server.client({ authMethod: 'client_secret_basic', grantTypes: ['client_credentials'] });
  denied(await trade(without, assertion), 'unauthorized_client');
  ok(await trade(app, assertion));
});

test('an assertion in the address is not read [EMA-12]', async () => {
  const assertion = await idp.assertion(app.clientId, { claims: { resource: uri } });
  const query = new URLSearchParams({ grant_type: jwtBearerType, assertion });
  const answer = await fetch(`${app.url('/oauth/token')}?${query}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app.clientId}:${app.clientSecret}`)}` },
    body: new URLSearchParams({}),
  });
  assert.equal(answer.status, 400);
  await answer.body?.cancel();
  ok(await trade(app, assertion));
});

test('an assertion bound to a key needs its proof, and a free one may become a bound token [JAG-15 JAG-16 JAG-17]', async () => {
  const key = await DpopKey.create(server);
  const stranger = await DpopKey.create(server);
  const bound = await idp.assertion(app.clientId, { claims: { resource: uri, cnf: { jkt: key.jkt } } });
  denied(await trade(app, bound), 'invalid_grant');
  denied(await trade(app, bound, {}, 0, await stranger.header()), 'invalid_grant');
  const tokens = ok(await trade(app, bound, {}, 0, await key.header()));
  assert.deepEqual([tokens.token_type, decodeJwt(tokens.access_token).cnf], ['DPoP', { jkt: key.jkt }]);

  const free = await idp.assertion(app.clientId, { claims: { resource: uri } });
  denied(await trade(app, free, {}, 0, await key.header({ claims: { htm: 'GET' } })), 'invalid_dpop_proof');
  const proof = await key.header();
  assert.equal(ok(await trade(app, free, {}, 0, proof)).token_type, 'DPoP');
  const next = await idp.assertion(app.clientId, { claims: { resource: uri } });
  denied(await trade(app, next, {}, 0, proof), 'invalid_dpop_proof');
  ok(await trade(app, next, {}, 0, await key.header()));
});

test('policies: the first about client and resource decides, and narrows (xaa policy) [JAG-07 threat I13]', async () => {
  const policed = await trustIdp(server, providers, { policy: null });
  const ask = async (scope: string | undefined, asserted = scope) =>
    trade(app, await policed.assertion(app.clientId, { claims: { resource: uri, scope: asserted } }), { scope });
  denied(await ask('tools/read'), 'access_denied', 403);

  const add = (policy: object) => admin.xaaPolicy.create({ body: { idp_id: policed.id, ...policy } as never });
  await add({ priority: 50, client_ids: [app.clientId], resources: [uri], scopes: ['tools/read', 'more'] });
  await add({ priority: 60, scopes: [] });
  await soon('the policies are heard of', async () => (await ask('tools/read')).status === 200, 5000);
  assert.equal(ok(await ask('tools/read tools/write')).scope, 'tools/read');
  assert.equal(ok(await ask(undefined)).scope, 'tools/read');
  denied(await ask('tools/write'), 'access_denied', 403);
  // Another client, or another resource, is what the second one is about, and that forbids.
  const another = await assertingClient(server);
  denied(
    await trade(another, await policed.assertion(another.clientId, { claims: { resource: uri } })),
    'access_denied',
    403,
  );
  denied(await trade(app, await policed.assertion(app.clientId)), 'access_denied', 403);
});

test('the audience an operator set for an identity provider is the one its assertions must have', async () => {
  const audience = 'https://known-as.example.com';
  const renamed = await trustIdp(server, providers, { idp: { audience } });
  denied(await trade(app, await renamed.assertion(app.clientId)), 'invalid_grant');
  ok(await trade(app, await renamed.assertion(app.clientId, { claims: { aud: [audience] } })));
});

test('a mapped subject is the account it is mapped to, and never found by an address [threat I13]', async () => {
  const user = await server.user();
  const sub = { resource: uri, sub: 'mapped-1', email: (await server.user()).email };
  await admin.subjectMapping.create({ body: { idp_id: idp.id, idp_subject: 'mapped-1', local_user_id: user.id } });
  const subjectOf = async (from: typeof idp, claims: Record<string, unknown>) =>
    decodeJwt(ok(await trade(app, await from.assertion(app.clientId, { claims }))).access_token).sub;
  assert.equal(await subjectOf(idp, sub), user.id);
  // The same name elsewhere is somebody else.
  assert.equal(await subjectOf(other, sub), `${other.issuer}:mapped-1`);
  await admin.subjectMapping.create({ body: { idp_id: idp.id, idp_subject: 'nobody' } });
  assert.equal(await subjectOf(idp, { ...sub, sub: 'nobody' }), `${idp.issuer}:nobody`);
  assert.equal(await subjectOf(idp, { ...sub, sub: '8443:ann' }), `${idp.issuer}:8443%3Aann`);
  const [row] = await server.sql('select subject_user_id from issuances where subject = $1', [user.id]);
  assert.equal(row?.subject_user_id, user.id);
});

test('what came of it is counted, and nothing of an assertion is in the audit trail [EMA-13]', async () => {
  assert.ok((await server.metric('authserver_tokens_issued_total', { grant_type: jwtBearerType })) > 10);
  assert.ok((await server.metric('authplane_xaa_policy_evaluation_total', { outcome: 'allow' })) > 10);
  assert.ok((await server.metric('authplane_xaa_policy_evaluation_total', { outcome: 'deny' })) >= 4);
  assert.ok((await server.metric('authplane_xaa_subject_resolutions_total', { outcome: 'mapped' })) >= 2);
  assert.ok((await server.metric('authplane_xaa_subject_resolutions_total', { outcome: 'auto_map' })) > 10);
  assert.ok((await server.metric('authserver_oidc_jwks_cache_hits_total')) > 10);
  const trail = JSON.stringify(await server.sql('select details from audit_events'));
  assert.ok(!trail.includes('eyJ'));
});
