/** The part of the command-line page that has requests instead of commands: enterprise-managed authorization. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { startMetadataHost } from '../support/metadata-host.ts';
import { newPlace } from '../support/seed-page.ts';
import { startServer } from '../support/started-server.ts';

const { directory, ports, config, serves, curl } = await newPlace('over HTTP');
const server = await startServer({ directory, ports, flags: ['--config', config] });
serves(await server.adminKey());

const publicKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

test('trusted identity providers, policies and subject mappings', async () => {
  const auth = '-H "Authorization: Bearer $AUTHPLANE_ADMIN_API_KEY"';
  const host = await startMetadataHost();
  const idps = (await curl(`curl -s http://localhost:9001/admin/idps \\
  ${auth}`)) as unknown[];
  assert.deepEqual(idps, []);
  const idp = (await curl(`curl -s -X POST http://localhost:9001/admin/idps \\
  ${auth} \\
  -H "Content-Type: application/json" \\
  -d '{"issuer":"https://idp.example.com","audience":"https://auth.example.com","jwks_uri":"https://idp.example.com/.well-known/jwks.json"}'`)) as {
    id: string;
    issuer: string;
  };
  assert.equal(idp.issuer, 'https://idp.example.com', JSON.stringify(idp));
  const jwks = host.publish('/keys', { keys: [{ ...publicKey, kid: 'one', use: 'sig', alg: 'ES256' }] });
  const near =
    (await curl(`curl -s -X POST http://localhost:9001/admin/idps ${auth} -H "Content-Type: application/json" \\
  -d '{"issuer":"${host.origin}","audience":"https://auth.example.com","jwks_uri":"${jwks}"}'`)) as { id: string };
  const refreshed = (await curl(`curl -s -X POST http://localhost:9001/admin/idps/${near.id}/refresh-keys \\
  ${auth}`)) as { status: string };
  assert.equal(refreshed.status, 'refreshed', JSON.stringify(refreshed));
  assert.equal(host.count('/keys'), 1);
  await curl(`curl -s -X DELETE http://localhost:9001/admin/idps/${near.id} \\
  ${auth}`);
  assert.equal(((await curl(`curl -s http://localhost:9001/admin/idps ${auth}`)) as unknown[]).length, 1);

  const { clientId } = await server.client({ redirectUris: ['http://localhost/cb'], authMethod: 'none' });
  await server.resource({ slug: 'xaa', uri: 'https://mcp.example.com/mcp' });
  assert.deepEqual(
    await curl(`curl -s http://localhost:9001/admin/xaa/policies \\
  ${auth}`),
    [],
  );
  const policy = (await curl(`curl -s -X POST http://localhost:9001/admin/xaa/policies \\
  ${auth} \\
  -H "Content-Type: application/json" \\
  -d '{"idp_id":"${idp.id}","client_ids":["${clientId}"],"scopes":["tools/read"],"resources":["https://mcp.example.com/mcp"]}'`)) as {
    id: string;
    idp_id: string;
  };
  assert.equal(policy.idp_id, idp.id, JSON.stringify(policy));
  await curl(`curl -s -X DELETE http://localhost:9001/admin/xaa/policies/${policy.id} \\
  ${auth}`);
  assert.deepEqual(await curl(`curl -s http://localhost:9001/admin/xaa/policies ${auth}`), []);

  const user = await server.user();
  assert.deepEqual(
    await curl(`curl -s http://localhost:9001/admin/xaa/subject-mappings \\
  ${auth}`),
    [],
  );
  const mapping = (await curl(`curl -s -X POST http://localhost:9001/admin/xaa/subject-mappings \\
  ${auth} \\
  -H "Content-Type: application/json" \\
  -d '{"idp_id":"${idp.id}","mode":"explicit","federated_subject":"foo","local_subject":"${user.id}"}'`)) as Record<
    string,
    string
  >;
  assert.deepEqual([mapping.idp_subject, mapping.local_user_id], ['foo', user.id], JSON.stringify(mapping));
  await curl(`curl -s -X DELETE http://localhost:9001/admin/xaa/subject-mappings/${mapping.id} \\
  ${auth}`);
  await curl(`curl -s -X DELETE http://localhost:9001/admin/idps/${idp.id} \\
  ${auth}`);
  assert.deepEqual(await curl(`curl -s http://localhost:9001/admin/idps ${auth}`), []);
});
