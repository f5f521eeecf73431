/** `response_mode=form_post` in a real browser: the page posts itself, and without script there is a button. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { startAuthServer } from '../support/auth-server.ts';
import { launchChromium } from '../support/chromium.ts';
import { signInAt } from '../support/real-browser.ts';
import { ok, pkce } from '../support/test-app.ts';

const launched = await launchChromium();
const skip = 'missing' in launched ? launched.missing : false;
const chromium = launched as Browser;

const posts: URLSearchParams[] = [];
const clientServer = createServer(async (request, response) => {
  if (request.method === 'POST') posts.push(new URLSearchParams(await text(request)));
  response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Back at the app');
}).listen(0, '127.0.0.1');
await once(clientServer, 'listening');
after(() => clientServer.close().closeAllConnections());
const redirectUri = `http://127.0.0.1:${(clientServer.address() as AddressInfo).port}/cb`;

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client({ redirectUris: [redirectUri] });

for (const javaScriptEnabled of [true, false])
  test(`the answer arrives ${javaScriptEnabled ? 'by itself' : 'by a button where scripts are off'}`, {
    skip,
  }, async (t) => {
    const context = await chromium.newContext({ javaScriptEnabled });
    t.after(() => context.close());
    const page = await context.newPage();
    const { verifier, challenge } = pkce();
    await page.goto(app.authorizeUrl(challenge, { resource: resource.uri, response_mode: 'form_post' }));
    await signInAt(page, user);
    await page.getByRole('button', { name: 'Allow', exact: true }).click();
    if (!javaScriptEnabled) await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(redirectUri);
    const answer = posts.at(-1);
    assert.equal(answer?.get('iss'), server.issuer);
    const code = answer?.get('code') ?? '';
    ok(await app.redeem({ code, verifier, redirectUri, resource: resource.uri, callback: new URL(redirectUri) }));
  });
