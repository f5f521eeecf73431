import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, deniedByRedirect, ok, pkce } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource();
const app = await server.client();
const wishes = { user, scope: 'tools/read', resource: resource.uri };

test('one of fifty redemptions over two pods gets tokens, and a leaked code leaves none alive (RFC 6749 §4.1.2) [O21-38 O21-39] [threat A02]', async () => {
  const racing = await server.client();
  const rounds = 3; // the first one meets cold connection pools, which let few run at once
  for (let round = 0; round < rounds; round += 1) {
    const grant = await racing.code(wishes);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => racing.redeem(grant, {}, index % 2)));
    const winners = answers.filter(({ status }) => status === 200);
    assert.equal(winners.length, 1);
    for (const answer of answers) if (answer.status !== 200) denied(answer, 'invalid_grant');
    denied(await racing.refresh(String(winners[0]?.body.refresh_token)), 'invalid_grant');
  }
  const families = await server.sql('select 1 from token_families where client_id = $1', [racing.clientId]);
  assert.equal(families.length, rounds);
});

test('a replay with a wrong verifier ends nothing: whoever sent it could not have used the code (RFC 9700 §4.5) [O21-69]', async () => {
  const grant = await app.code(wishes);
  const tokens = ok(await app.redeem(grant));
  denied(await app.redeem(grant, { code_verifier: pkce().verifier }), 'invalid_grant');
  ok(await app.refresh(tokens.refresh_token));
});

test('a code is bound to its client, and a stranger cannot use it up (RFC 6749 §4.1.3) [O21-46 R6749-08] [threat A03]', async () => {
  const stranger = await server.client();
  const confidential = await server.client({ authMethod: 'client_secret_basic' });
  const grant = await app.code(wishes);
  denied(await stranger.redeem(grant), 'invalid_grant');
  denied(await confidential.redeem(grant), 'invalid_grant');
  denied(await confidential.redeem(grant, { client_id: app.clientId }), 'invalid_request');
  ok(await app.redeem(grant));
});

test('redirect_uri at the token endpoint is the one the code was sent to (RFC 6749 §4.1.3) [O21-47 R6749-03] [threat A04]', async () => {
  const grant = await app.code(wishes);
  for (const redirectUri of ['http://127.0.0.1:9999/cb', 'https://app.example.com/cb/', '', undefined])
    denied(await app.redeem(grant, { redirect_uri: redirectUri }), 'invalid_grant');
  ok(await app.redeem(grant));
});

test('resource at the token endpoint may only repeat what the code is for (RFC 8707 §2.2)', async () => {
  const other = await server.resource();
  const grant = await app.code(wishes);
  denied(await app.redeem(grant, { resource: other.uri }), 'invalid_target');
  denied(await app.redeem(grant, { resource: [resource.uri, other.uri] }), 'invalid_target');
  ok(await app.redeem(grant, { resource: resource.uri.replace('https', 'HTTPS') }));
});

for (const [name, params] of Object.entries({
  'no challenge': { code_challenge: undefined, code_challenge_method: undefined },
  plain: { code_challenge_method: 'plain' },
  'no method, which means plain': { code_challenge_method: undefined },
  's256 in lower case': { code_challenge_method: 's256' },
  'a challenge that is too short': { code_challenge: 'abc' },
  'a challenge of other characters': { code_challenge: `${'a'.repeat(42)}=` },
}))
  for (const authMethod of ['none', 'client_secret_basic'] as const)
    test(`PKCE with S256 is demanded of everybody: ${name}, ${authMethod} (OAuth 2.1 §4.1.1) [O21-41 O21-42 MCP-12 R7636-03 R7636-04 R7636-06 R7636-07 R9700-02] [threat A05] [threat A07]`, async () => {
      const asking = await server.client({ authMethod });
      deniedByRedirect(await asking.start(params), asking, 'invalid_request', server.issuer);
    });

test('a code cannot be redeemed without its verifier (RFC 7636 §4.6) [O21-43 R9700-02] [threat A06]', async () => {
  const grant = await app.code(wishes);
  denied(await app.redeem(grant, { code_verifier: undefined }), 'invalid_request');
  denied(await app.redeem(grant, { code_verifier: '' }), 'invalid_request');
  denied(await app.redeem(grant, { code_verifier: undefined, 'code_verifier[]': grant.verifier }), 'invalid_request');
  denied(await app.redeem(grant, { code_verifier: `${grant.verifier}=` }), 'invalid_grant');
  ok(await app.redeem(grant));
});

test('a few wrong verifiers, counted over all pods, end a code (RFC 9700 §4.5) [O21-44 MCP-12 R7636-05] [threat A09]', async () => {
  const grant = await app.code(wishes);
  const unknown = await app.redeem({ ...grant, code: pkce().verifier });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const wrong = await app.redeem(grant, { code_verifier: pkce().verifier }, attempt % 2);
    denied(wrong, 'invalid_grant');
    assert.deepEqual(wrong.body, unknown.body);
  }
  denied(await app.redeem(grant), 'invalid_grant');
});

test('guesses at the same moment over two pods are no more than a few, and the code is gone [threat A09]', async () => {
  const grant = await app.code(wishes);
  const guesses = Array.from({ length: 40 }, (_, index) =>
    app.redeem(grant, { code_verifier: pkce().verifier }, index % 2),
  );
  for (const answer of await Promise.all(guesses)) denied(answer, 'invalid_grant');
  for (const pod of [0, 1]) denied(await app.redeem(grant, {}, pod), 'invalid_grant');
  const issued = await server.sql(
    `select 1 from token_families f join authorization_codes c on c.family_id = f.id where c.code_hash = sha256($1::bytea)`,
    [grant.code],
  );
  assert.equal(issued.length, 0);
});

test('a mistake that is corrected does not cost the code (RFC 6749 §5.2)', async () => {
  const grant = await app.code(wishes);
  denied(await app.redeem(grant, { code_verifier: pkce().verifier }), 'invalid_grant');
  denied(await app.redeem(grant, { resource: 'https://elsewhere.example.com/' }), 'invalid_target');
  ok(await app.redeem(grant));
});

for (const responseType of ['token', 'id_token', 'code token', 'none', 'CODE', 'code '])
  test(`response_type "${responseType}" is not supported (OAuth 2.1 §10.1) [O21-33 O21-34] [threat A11]`, async () => {
    deniedByRedirect(await app.start({ response_type: responseType }), app, 'unsupported_response_type', server.issuer);
  });

for (const responseMode of ['fragment', 'query.jwt', 'web_message'])
  test(`response_mode ${responseMode} is not supported (OAuth 2.1 §10.1) [threat A11]`, async () => {
    deniedByRedirect(await app.start({ response_mode: responseMode }), app, 'invalid_request', server.issuer);
  });

test('a callback holds code, state and iss, and never a token (OAuth 2.1 §10.1) [threat A11]', async () => {
  const { callback } = await app.code(wishes);
  assert.deepEqual([...callback.searchParams.keys()].sort(), ['code', 'iss', 'state']);
  assert.equal(callback.hash, '');
});

test('a code means nothing at the other endpoints (RFC 6749 §4.1.2)', async () => {
  const grant = await app.code(wishes);
  denied(await app.refresh(grant.code), 'invalid_grant');
  ok(await app.revoke(grant.code));
  ok(await app.redeem(grant));
});

test('a code lives a minute (RFC 6749 §4.1.2) [O21-36] [threat A10]', async () => {
  const early = await app.code(wishes);
  server.clock.advance(55);
  ok(await app.redeem(early));
  const late = await app.code(wishes);
  server.clock.advance(61);
  denied(await app.redeem(late), 'invalid_grant');
});
