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
import { ok } from '../support/test-app.ts';

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

test('two servers of ours stand on both ends: a session at one leads to a tool behind the other [EMA-01 JAG-20]', async () => {
  const app = await assertingClient(server, ['tools/read']);
  const { clientId, clientSecret = '' } = app;
  const home = await startAuthServer({
    settings: {
      xaa: {
        vouch_for: [
          {
            client_id: 'client_desktop',
            audience: server.issuer,
            audience_client_id: clientId,
            resources: [sample.url],
          },
        ],
      },
    },
  });
  const exchangeType = 'urn:ietf:params:oauth:grant-type:token-exchange' as const;
  const desktop = await home.client({
    clientId: 'client_desktop',
    authMethod: 'client_secret_basic',
    grantTypes: ['authorization_code', 'refresh_token', exchangeType],
  });
  const [resource, there, account] = [await home.resource(), await home.user(), await server.user()];
  const session = await desktop.authorize({ user: there, resource: resource.uri });

  const { id } = await server.admin.idp.create({ body: { issuer: home.issuer } as never });
  await server.admin.xaaPolicy.create({ body: { idp_id: id, scopes: ['tools/read'] } as never });
  await server.admin.subjectMapping.create({
    body: { idp_id: id, idp_subject: there.id, local_user_id: account.id },
  });
  const provider = new CrossAppAccessProvider({
    ...{ clientId, clientSecret, expectedIssuer: server.issuer },
    async assertion({ authorizationServerUrl, resourceUrl, scope }) {
      const answer = await desktop.token({
        grant_type: exchangeType,
        requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
        subject_token: session.refresh_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:refresh_token',
        ...{ audience: authorizationServerUrl, resource: resourceUrl, scope },
      });
      return String(ok(answer).access_token);
    },
  });
  assert.deepEqual(await callTool(provider), { sub: account.id, client_id: clientId, scopes: ['tools/read'] });
});
