import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';

for (const algorithm of ['ES256', 'RS256', 'EdDSA'])
  test(`tokens signed with ${algorithm} verify by the published keys [R9068-01 R9068-03]`, async () => {
    const server = await startAuthServer({ env: { SIGNING_ALGORITHM: algorithm } });
    const resource = await server.resource();
    const app = await server.client();
    const { access_token } = await app.authorize({ user: await server.user(), resource: resource.uri });
    const keys = createRemoteJWKSet(new URL(`${server.issuer}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(access_token, keys, {
      issuer: server.issuer,
      audience: resource.uri,
      algorithms: [algorithm],
      typ: 'at+jwt',
      requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
    });
    assert.equal(protectedHeader.alg, algorithm);
    assert.equal(payload.client_id, app.clientId);
  });
