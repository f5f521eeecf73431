/** The pages people see, in a real browser: they work, also without scripts, and nothing in them breaks their own policy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, type TestContext, test } from 'node:test';
import { runSampleClient } from '@authserver/quickstart/client';
import { startSampleServer } from '@authserver/quickstart/server';
import { decodeJwt } from 'jose';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { desk, fits, openPage, phone, picture, signInAt } from '../support/real-browser.ts';
import { startServer } from '../support/started-server.ts';
import { pkce, type TestApp, type Tokens } from '../support/test-app.ts';

const launched = await launchChromium();
const skip = 'missing' in launched ? launched.missing : false;
const chromium = launched as Browser;

const server = await startServer();
const user = await server.user();
const sample = await startSampleServer({ port: 0, issuer: server.issuer });
after(() => sample.close());
await server.resource({
  slug: 'my-mcp',
  uri: sample.url,
  name: 'Team notes',
  scopes: ['tools/read||Read your notes', 'tools/write||Change and delete your notes'],
});

/** The client's own web server: what the browser is sent back to. */
const callbacks: URL[] = [];
const clientServer = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/callback') callbacks.push(url);
  response
    .writeHead(url.pathname === '/callback' ? 200 : 204, { 'content-type': 'text/html' })
    .end('<p>Back at the app');
}).listen(0, 'localhost');
await once(clientServer, 'listening');
after(() => clientServer.close().closeAllConnections());
const redirectUri = `http://localhost:${(clientServer.address() as AddressInfo).port}/callback`;
const app = await server.client({
  name: 'Example Editor',
  authMethod: 'none',
  grantTypes: ['authorization_code', 'refresh_token'],
  redirectUris: [redirectUri],
  scope: 'tools/read tools/write',
});

const open = (t: TestContext, options: BrowserContextOptions = desk, expected?: RegExp) =>
  openPage(chromium, t, options, expected);

const authorizeUrl = (challenge: string, client: TestApp = app) =>
  client.authorizeUrl(challenge, { resource: sample.url, scope: 'tools/read tools/write', redirect_uri: redirectUri });

const signIn = (page: Page, password = user.password) => signInAt(page, { ...user, password });

/** Presses a button of the consent page and returns where the client was called back. */
const answer = async (page: Page, button: 'Allow' | 'Deny'): Promise<URL> => {
  const before = callbacks.length;
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.waitForURL(`${redirectUri}?**`);
  assert.equal(callbacks.length, before + 1, 'the client is called back once');
  return callbacks.at(-1) as URL;
};

const redeem = async (callback: URL, verifier: string): Promise<Tokens> => {
  const code = callback.searchParams.get('code') ?? '';
  const answered = await app.redeem({ code, verifier, redirectUri, resource: sample.url, callback });
  assert.equal(answered.status, 200, JSON.stringify(answered.body));
  return answered.body;
};

const focused = (page: Page): Promise<string> => page.evaluate<string>('document.activeElement.id');

test('a wrong password is said kindly, and then login, consent and the way back work', { skip }, async (t) => {
  const page = await open(t, desk, /status of 422/); // Chromium reports the status of the refused login
  const { challenge, verifier } = pkce();
  await page.goto(authorizeUrl(challenge));
  assert.equal(await page.title(), 'Sign in · authserver');
  assert.equal(await focused(page), 'email', 'ready to type');
  await picture(page, 'login');

  await signIn(page, 'not the password');
  const alert = page.getByRole('alert');
  assert.match((await alert.textContent()) ?? '', /e-mail address or the password is not right/);
  assert.equal(await page.getByLabel('E-mail address').inputValue(), user.email, 'what was typed is kept');
  assert.equal(await page.getByLabel('Password').inputValue(), '', 'the password is not');
  assert.equal(await focused(page), 'password');
  await picture(page, 'login-wrong-password');

  await page.getByLabel('Password').fill(user.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Allow this app to use Team notes?' }).waitFor();
  await page.getByText('Example Editor').first().waitFor();
  assert.ok(await page.getByLabel('Read your notes').isChecked());
  await picture(page, 'consent');

  const callback = await answer(page, 'Allow');
  assert.equal(callback.searchParams.get('iss'), server.issuer);
  assert.equal(callback.searchParams.get('state'), 'the-state');
  const tokens = await redeem(callback, verifier);
  assert.equal(decodeJwt(tokens.access_token).sub, user.id);
});

test('unticking a scope keeps it from the app', { skip }, async (t) => {
  const page = await open(t);
  const { challenge, verifier } = pkce();
  await page.goto(authorizeUrl(challenge));
  await signIn(page);
  await page.getByLabel('Change and delete your notes').uncheck();
  const tokens = await redeem(await answer(page, 'Allow'), verifier);
  assert.equal(tokens.scope, 'tools/read');
});

test('Deny sends the person back to the app with access_denied', { skip }, async (t) => {
  const page = await open(t);
  await page.goto(authorizeUrl(pkce().challenge));
  await signIn(page);
  const callback = await answer(page, 'Deny');
  assert.equal(callback.searchParams.get('error'), 'access_denied');
  assert.equal(callback.searchParams.get('iss'), server.issuer);
  assert.equal(callback.searchParams.get('code'), null);
});

test('Enter on the consent page is no consent', { skip }, async (t) => {
  const page = await open(t);
  await page.goto(authorizeUrl(pkce().challenge));
  await signIn(page);
  await page.getByLabel('Change and delete your notes').focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(`${redirectUri}?**`);
  assert.equal(callbacks.at(-1)?.searchParams.get('error'), 'access_denied');
});

for (const button of ['Allow', 'Deny'] as const)
  test(`without JavaScript: ${button}`, { skip }, async (t) => {
    const page = await open(t, { ...desk, javaScriptEnabled: false }, /status of 422/);
    const { challenge, verifier } = pkce();
    await page.goto(authorizeUrl(challenge));
    await signIn(page, 'not the password');
    await page.getByText('is not right').waitFor();
    await signIn(page);
    const callback = await answer(page, button);
    if (button === 'Deny') assert.equal(callback.searchParams.get('error'), 'access_denied');
    else assert.ok((await redeem(callback, verifier)).access_token);
  });

test('on a phone every page fits, light and dark', { skip }, async (t) => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await open(t, { ...phone, colorScheme }, /status of (422|400|404)/);
    const shot = async (name: string) => {
      await fits(page);
      await picture(page, `${name}-phone-${colorScheme}`);
    };
    await page.goto(server.issuer);
    await shot('home');
    await page.goto(authorizeUrl(pkce().challenge));
    await shot('login');
    await signIn(page, 'not the password');
    await page.getByRole('alert').waitFor();
    await shot('login-wrong-password');
    await signIn(page);
    await page.getByRole('button', { name: 'Allow' }).waitFor();
    await shot('consent');
    await page.goto(server.issuer);
    await shot('home-signed-in');
    await page.goto(`${server.issuer}/oauth/authorize?client_id=nobody`);
    await shot('error');
    await page.goto(`${server.issuer}/nowhere`);
    await shot('not-found');
  }
});

test('a name without end and a scope without spaces do not break the page', { skip }, async (t) => {
  const stranger = await server.client({
    name: `${'W'.repeat(120)}\u202e<b>moc.elpmaxe</b>`,
    authMethod: 'none',
    grantTypes: ['authorization_code'],
    redirectUris: [redirectUri],
    scope: 'tools/read',
  });
  const page = await open(t, phone);
  await page.goto(stranger.authorizeUrl(pkce().challenge, { resource: sample.url, scope: 'tools/read' }));
  await fits(page);
  await signIn(page);
  await page.getByRole('button', { name: 'Allow' }).waitFor();
  await fits(page);
  assert.equal(await page.locator('b').count(), 0, 'markup in a name stays text');
  await picture(page, 'consent-hostile-name-phone');
});

test('the MCP client of the quickstart, with a person who clicks', { skip }, async (t) => {
  const page = await open(t, phone, /status of 404/); // the client's little server has no icon
  const result = await runSampleClient({
    serverUrl: sample.url,
    port: 0,
    onAuthorizationUrl: async (url) => {
      await page.goto(url.href);
      await signIn(page);
      await page.getByText('Anyone can use any name').waitFor();
      await picture(page, 'consent-self-registered-phone');
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.getByText('You can close this page').waitFor();
    },
  });
  assert.equal(JSON.parse(result.whoami).sub, user.id);
  assert.equal(result.sum, '5');
});
