import assert from 'node:assert/strict';
import { test } from 'node:test';
import { challengeParameter, resourceMetadataUrls, serverMetadataUrls } from './well-known.ts';

test('metadata of an issuer: the path is inserted, then appended (RFC 8414 §3.1)', () => {
  assert.deepEqual(serverMetadataUrls('https://a.example/tenant/'), [
    'https://a.example/.well-known/oauth-authorization-server/tenant',
    'https://a.example/.well-known/openid-configuration/tenant',
    'https://a.example/tenant/.well-known/openid-configuration',
  ]);
  assert.equal(serverMetadataUrls('https://a.example').length, 2);
});

test('metadata of a resource: of its path, then of its host (RFC 9728 §3.1)', () => {
  assert.deepEqual(resourceMetadataUrls('https://m.example/mcp'), [
    'https://m.example/.well-known/oauth-protected-resource/mcp',
    'https://m.example/.well-known/oauth-protected-resource',
  ]);
  assert.equal(resourceMetadataUrls('https://m.example/').length, 1);
});

for (const [header, value] of [
  ['Bearer resource_metadata="https://m.example/x"', 'https://m.example/x'],
  ['Bearer error="invalid_token", resource_metadata=https://m.example/x', 'https://m.example/x'],
  ['Bearer RESOURCE_METADATA="y", scope="a b"', 'y'],
  ['Bearer my_resource_metadata="no"', undefined],
  ['Bearer', undefined],
] as const)
  test(`challenge ${header}`, () => assert.equal(challengeParameter(header, 'resource_metadata'), value));
