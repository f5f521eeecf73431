import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { denied, ok } from '../support/test-app.ts';

const server = await startAuthServer({ pods: 2 });
const user = await server.user();
const resource = await server.resource();

test('a code becomes a token for the resource, with iss on the way (RFC 6749 §4.1, RFC 8707, RFC 9207) [O21-27 O21-40 MCP-13 O21-67 R6750-05 R9068-02 R9068-04 R9068-07 R9728-04]', async () => {
  const app = await server.client();
  const grant = await app.code({ user, scope: 'tools/read', resource: resource.uri });
  assert.equal(grant.callback.searchParams.get('iss'), server.issuer);
  assert.equal(grant.callback.searchParams.get('state'), 'the-state');
  const answer = await app.redeem(grant);
  const tokens = ok(answer);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.equal(tokens.token_type, 'Bearer');
  assert.equal(tokens.scope, 'tools/read');
  assert.equal(decodeProtectedHeader(tokens.access_token).typ, 'at+jwt');
  const claims = decodeJwt(tokens.access_token);
  assert.deepEqual(
    { iss: claims.iss, sub: claims.sub, aud: claims.aud, client_id: claims.client_id, scope: claims.scope },
    { iss: server.issuer, sub: user.id, aud: [resource.uri], client_id: app.clientId, scope: 'tools/read' },
  );
  assert.equal((await server.sql('select 1 from issuances where id = $1', [claims.jti])).length, 1);
});

test('a code replayed with its verifier kills what it produced, on every pod (RFC 6749 §4.1.2) [O21-38 O21-39 R9700-04] [threat A01]', async () => {
  const app = await server.client({ authMethod: 'client_secret_basic' });
  const grant = await app.code({ user, scope: 'tools/read', resource: resource.uri });
  const tokens = ok(await app.redeem(grant));
  denied(await app.redeem(grant, {}, 1), 'invalid_grant');
  for (const pod of [0, 1]) {
    assert.deepEqual((await app.introspect(tokens.access_token, pod)).body, { active: false });
    denied(await app.refresh(tokens.refresh_token, {}, pod), 'invalid_grant');
  }
  const events = await server.sql(
    `select details from audit_events where action = 'auth_code.reused' and client_id = $1`,
    [app.clientId],
  );
  assert.equal(events.length, 1);
});
