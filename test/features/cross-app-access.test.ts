/**
 * Enterprise-managed authorization from end to end: somebody who is signed in at an identity provider calls a tool of an MCP
 * server that trusts this one, with the cross-app access of the official SDK, and without a browser.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startSampleServer } from '@authserver/quickstart/server';
import {
  Client,
  CrossAppAccessProvider,
  discoverAndRequestJwtAuthGrant,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import { startAssertionProvider } from '../support/assertion-provider.ts';
import { startAuthServer } from '../support/auth-server.ts';
import { assertingClient } from '../support/id-jag.ts';

const server = await startAuthServer({ admin: true });
const sample = await startSampleServer({ port: 0, issuer: server.issuer });
after(() => sample.close());
await server.resource({ uri: sample.url, scopes: ['tools/read', 'tools/write'] });

const callTool = async (authProvider: CrossAppAccessProvider) => {
  const client = new Client({ name: 'desktop', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(sample.url), { authProvider }));
  const { content } = await client.callTool({ name: 'whoami', arguments: {} });
  await client.close();
  return JSON.parse((content as { text: string }[])[0]?.text ?? '');
};

test('an assertion that oidc-provider signs leads the MCP SDK to a tool [EMA-01]', async () => {
  const app = await assertingClient(server, ['tools/read']);
  const { clientId, clientSecret = '' } = app;
  const there = await startAssertionProvider({ id: clientId, secret: 'a secret of the identity provider' });
  const { id } = await server.admin.idp.create({ body: { issuer: there.issuer } as never });
  await server.admin.xaaPolicy.create({
    body: { idp_id: id, client_ids: [clientId], scopes: ['tools/read'], resources: [sample.url] } as never,
  });
  const provider = new CrossAppAccessProvider({
    ...{ clientId, clientSecret, expectedIssuer: server.issuer },
    assertion: async ({ authorizationServerUrl, resourceUrl, scope, fetchFn }) => {
      const { jwtAuthGrant } = await discoverAndRequestJwtAuthGrant({
        ...{ idpUrl: there.issuer, audience: authorizationServerUrl, resource: resourceUrl },
        ...{ idToken: await there.idToken('alice'), clientId, clientSecret: 'a secret of the identity provider' },
        ...{ ...(scope === undefined ? {} : { scope }), fetchFn },
      });
      return jwtAuthGrant;
    },
  });
  assert.deepEqual(await callTool(provider), {
    sub: `${there.issuer}:alice`,
    client_id: clientId,
    scopes: ['tools/read'],
  });
});
