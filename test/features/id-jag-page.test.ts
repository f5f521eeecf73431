/** The commands of docs/enterprise-identity.md, as they stand there, from nothing to a token. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { newClientKey } from '../support/client-assertion.ts';
import { signIdJag, trade } from '../support/id-jag.ts';
import { startIdentityProviders } from '../support/identity-provider.ts';
import { followPage } from '../support/page-commands.ts';
import { ok } from '../support/test-app.ts';

const server = await startAuthServer({ admin: true });
const key = await newClientKey();
const idp = (await startIdentityProviders()).newIdp({ keys: { keys: [key.jwk] } });
test('the page leads from nothing to a token', async () => {
  const known = new Map([['https://idp.example.com', idp.issuer]]);
  const apps = await followPage(server, 'docs/enterprise-identity.md', 'From nothing to a token', known);
  const app = apps['Desktop app'];
  assert.ok(app);
  const claims = { resource: 'https://mcp.example.com/mcp' };
  const assertion = await signIdJag(server, idp.issuer, key, app.clientId, { claims });
  const { access_token, scope } = ok(await trade(app, assertion));
  assert.deepEqual([decodeJwt(access_token).aud, scope], [['https://mcp.example.com/mcp'], 'chat/read']);
});
