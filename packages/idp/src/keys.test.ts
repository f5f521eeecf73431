import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutboundClient } from '@authserver/outbound';
import type { OutboundPurpose } from '@authserver/telemetry';
import { IdpTrouble } from './ask.ts';
import { createIdpKeys } from './keys.ts';
import { metadataUrls } from './metadata.ts';

test('where metadata is: behind the issuer (OpenID Connect Discovery §4), or between host and path (RFC 8414 §3.1)', () => {
  for (const [issuer, ...wanted] of [
    [
      'https://idp.example.com',
      'https://idp.example.com/.well-known/openid-configuration',
      'https://idp.example.com/.well-known/oauth-authorization-server',
    ],
    [
      'https://idp.example.com/',
      'https://idp.example.com/.well-known/openid-configuration',
      'https://idp.example.com/.well-known/oauth-authorization-server',
    ],
    [
      'https://login.example.com:8443/tenant/v2.0',
      'https://login.example.com:8443/tenant/v2.0/.well-known/openid-configuration',
      'https://login.example.com:8443/.well-known/oauth-authorization-server/tenant/v2.0',
    ],
  ] as const)
    assert.deepEqual(metadataUrls(issuer), wanted);
});

test('a name that leads inside is not asked, and the refusal names no address', async () => {
  const leads = (addresses: string[]) =>
    createIdpKeys({
      outbound: createOutboundClient<OutboundPurpose>({
        allowHttp: false,
        allowPrivateAddresses: false,
        resolve: async () => addresses,
      }),
      searchMs: 1000,
      atOnce: 1,
    });
  for (const addresses of [['10.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['169.254.169.254'], ['fd00::1']])
    await assert.rejects(
      leads(addresses).find({ issuer: 'https://idp.example.com', jwksUri: undefined }),
      (error) =>
        error instanceof IdpTrouble &&
        /does not go there/.test(error.message) &&
        addresses.every((address) => !error.message.includes(address)),
    );
});
