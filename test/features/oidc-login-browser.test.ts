/** Single sign-on with `oidc-provider`, as a person sees it: in a browser with cookies, and in a real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import type { Browser } from 'playwright-core';
import { startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import { launchChromium } from '../support/chromium.ts';
import { startMetadataHost } from '../support/metadata-host.ts';
import { desk, fits, openPage, phone, picture } from '../support/real-browser.ts';
import { follow, startSignInProvider, travel } from '../support/sign-in-provider.ts';
import { answerConsent, ok, pkce } from '../support/test-app.ts';

const client = { id: 'authserver', secret: 'secret at the provider' };
const ann = { sub: 'employee-7', email: 'ann@acme.example', name: 'Ann Archer' };
const ben = { sub: 'employee-8', email: 'ben@acme.example', name: 'Ben Baker' };
const idp = await startSignInProvider(client, [ann, ben]);
const server = await startAuthServer({
  pods: 2,
  admin: true,
  env: {
    OIDC_ENABLED: 'true',
    OIDC_ISSUER: idp.issuer,
    OIDC_CLIENT_ID: client.id,
    OIDC_CLIENT_SECRET: client.secret,
    OIDC_DISPLAY_NAME: 'Acme Corporation',
  },
});
idp.admit(`${server.issuer}/oidc/callback`);
const host = await startMetadataHost();
const redirectUri = `${host.origin}/cb`;
host.publish('*', '"back at the app"');
const resource = await server.resource({ scopes: [{ name: 'tools/read', description: 'Read your notes' }] });
const app = await server.client({ name: 'Notes', redirectUris: [redirectUri] });
const authorizeUrl = (challenge: string, params: Record<string, string> = {}) =>
  app.authorizeUrl(challenge, { resource: resource.uri, ...params });

/** Signs in as far as asked, and returns what the app gets in the end. */
const authorize = async (browser: TestBrowser, params: Record<string, string>, pick?: string) => {
  const { verifier, challenge } = pkce();
  let page: Page = await travel(browser, authorizeUrl(challenge, params), redirectUri);
  const asked = page.url.startsWith(server.issuer) && page.html.includes('Continue with Acme');
  if (asked) page = await follow(browser, page, 'Continue with Acme', redirectUri);
  const askedThere = page.html.includes('Who are you?');
  if (pick && askedThere) page = await follow(browser, page, pick, redirectUri);
  if (page.html.includes('name="scopes"')) page = await answerConsent(browser, page, 'allow');
  const code = page.location?.searchParams.get('code') ?? '';
  const grant = { code, verifier, redirectUri, resource: resource.uri, callback: page.location as URL };
  return { asked, askedThere, claims: decodeJwt(ok(await app.redeem(grant)).access_token) };
};
const userOf = async (sub: string) => (await server.sql('select id from users where provider_sub = $1', [sub]))[0]?.id;

test('the way to the provider and back, silence with the session here, and again with that there', async () => {
  const browser = new TestBrowser();
  const first = await authorize(browser, {}, 'Ann');
  assert.deepEqual([first.asked, first.askedThere, first.claims.sub], [true, true, await userOf(ann.sub)]);
  const second = await authorize(browser, {});
  assert.deepEqual([second.asked, second.claims.sub], [false, first.claims.sub], 'they are signed in here');
  browser.cookies.delete('authserver_session');
  const third = await authorize(browser, {});
  assert.deepEqual([third.asked, third.askedThere, third.claims.sub], [true, false, first.claims.sub], 'and there');
  assert.equal(third.claims.auth_time, first.claims.auth_time, 'which is when they proved it');
});

test('prompt=login makes them prove it again, and max_age when it was too long ago', async () => {
  const browser = new TestBrowser();
  const first = await authorize(browser, {}, 'Ann');
  const again = await authorize(browser, { prompt: 'login' }, 'Ann');
  assert.deepEqual([again.asked, again.askedThere, again.claims.sub], [true, true, first.claims.sub]);
  const recent = await authorize(browser, { max_age: '300' });
  assert.equal(recent.asked, false);
  const now = await authorize(browser, { max_age: '0' }, 'Ann');
  assert.deepEqual([now.asked, now.askedThere], [true, true]);
});

test('whoever signs out is asked at the provider the next time: it may be somebody else', async () => {
  const browser = new TestBrowser();
  const first = await authorize(browser, {}, 'Ann');
  const account = await browser.get(app.url('/account'));
  await browser.post(app.url('/logout'), { csrf_token: account.field('csrf_token') });
  const second = await authorize(browser, {}, 'Ann');
  assert.deepEqual([second.askedThere, second.claims.sub], [true, first.claims.sub]);
  const other = await authorize(new TestBrowser(), {}, 'Ben');
  assert.deepEqual(other.claims.sub, await userOf(ben.sub));
});

test('an operator sees whose account it is, and that a password cannot be set', async () => {
  await authorize(new TestBrowser(), {}, 'Ann');
  const users = (await server.adminRequest('GET', '/admin/users?provider=oidc')).body as unknown as {
    id: string;
    provider_sub: string;
  }[];
  const found = users.find(({ provider_sub }) => provider_sub === ann.sub);
  assert.ok(found, JSON.stringify(users));
  const { created_at: _, id, ...rest } = found as Record<string, unknown>;
  assert.deepEqual(rest, {
    email: ann.email,
    name: ann.name,
    role: 'user',
    status: 'active',
    provider: 'oidc',
    provider_issuer: idp.issuer,
    provider_sub: ann.sub,
  });
  const password = 'a password that is long enough';
  assert.equal((await server.adminRequest('PATCH', `/admin/users/${id}`, { password })).status, 400);
});

const launched = await launchChromium();
const skip = 'missing' in launched ? launched.missing : false;
const chromium = launched as Browser;

for (const [name, options] of Object.entries({ desk, phone }))
  test(`in a real browser: from the app to the provider, the consent page and back (${name})`, { skip }, async (t) => {
    const page = await openPage(chromium, t, options);
    await page.goto(authorizeUrl(pkce().challenge));
    await fits(page);
    await picture(page, `login-provider-${name}`);
    await page.getByRole('link', { name: 'Continue with Acme Corporation' }).click();
    await page.getByRole('link', { name: ann.name }).click();
    await page.getByText(ann.email).waitFor();
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${redirectUri}?**`);
    assert.ok(new URL(page.url()).searchParams.get('code'));
  });

test('in a real browser: without passwords, and what a refusal looks like', { skip }, async (t) => {
  const own = await startAuthServer({
    env: {
      OIDC_ENABLED: 'true',
      OIDC_ISSUER: idp.issuer,
      OIDC_CLIENT_ID: client.id,
      OIDC_CLIENT_SECRET: client.secret,
      OIDC_SHOW_LOCAL_LOGIN: 'false',
    },
  });
  const page = await openPage(chromium, t, phone, /400/);
  await page.goto(`${own.issuer}/login`);
  assert.equal(await page.getByLabel('Password').count(), 0);
  await page.getByRole('link', { name: 'Continue with single sign-on' }).waitFor();
  await fits(page);
  await picture(page, 'login-provider-only');
  await page.goto(`${own.issuer}/oidc/callback?state=x&code=y`);
  await fits(page);
  await picture(page, 'login-provider-refused');
  await page.getByRole('link', { name: 'Back to sign-in' }).click();
  await page.getByRole('link', { name: 'Continue with single sign-on' }).waitFor();
});
