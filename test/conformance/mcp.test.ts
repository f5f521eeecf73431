/** Rows of the MCP authorization text that belong to no single feature. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startAuthServer } from '../support/auth-server.ts';
import { TestBrowser } from '../support/browser.ts';
import { localFetch, startMetadataHost } from '../support/metadata-host.ts';
import { signIn, TestApp } from '../support/test-app.ts';

const server = await startAuthServer({ env: localFetch });
const host = await startMetadataHost();
const user = await server.user();
const resource = await server.resource();

/** The consent page of a client whose document names these redirect URIs. */
const consentOf = async (path: string, redirectUris: string[]): Promise<string> => {
  const clientId = host.publish(path, (url) => ({ client_id: url, client_name: 'App', redirect_uris: redirectUris }));
  const app = new TestApp([server.issuer], { clientId, clientSecret: undefined, authMethod: 'none', redirectUris });
  const browser = new TestBrowser();
  const login = await browser.follow(await app.start({ resource: resource.uri }, browser));
  const page = await browser.follow(await signIn(browser, login, user));
  assert.equal(page.status, 200);
  return page.html;
};

test('a client with nothing but localhost to go to is warned about, others are not [MCP-24 MCP-25]', async () => {
  const warning = /Any program on this computer can listen at this address/;
  for (const [index, uri] of ['http://localhost:7777/cb', 'http://127.0.0.1/cb', 'http://[::1]/cb'].entries()) {
    const html = await consentOf(`/local-${index}.json`, [uri]);
    assert.match(html, warning);
    assert.ok(html.includes(new URL(uri).host), uri);
  }
  const html = await consentOf('/web.json', ['https://app.example.com/cb']);
  assert.doesNotMatch(html, warning);
  assert.match(html, /app\.example\.com/);
});

test('tokens for two resources have two audiences [R9068-09 R9728-04]', async () => {
  const app = await server.client();
  const other = await server.resource();
  const audiences = [];
  for (const { uri } of [resource, other])
    audiences.push(decodeJwt((await app.authorize({ user, resource: uri })).access_token).aud);
  assert.deepEqual(audiences, [[resource.uri], [other.uri]]);
});
