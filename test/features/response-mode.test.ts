/** How the answer travels: `query`, or a form that posts itself (OAuth 2.0 Form Post Response Mode). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { startAuthServer } from '../support/auth-server.ts';
import { type Page, TestBrowser } from '../support/browser.ts';
import {
  answerConsent,
  deniedByPage,
  deniedByRedirect,
  type Form,
  ok,
  pkce,
  signIn,
  type TestApp,
} from '../support/test-app.ts';

const server = await startAuthServer();
const user = await server.user();
const resource = await server.resource();
const app = await server.client();

const decoded = (html: string) => html.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));

/** Asserts a page that posts exactly these fields to the client, and returns them. */
const posted = (page: Page, of: TestApp): Record<string, string> => {
  assert.equal(page.status, 200, page.html);
  assert.equal(page.location, undefined);
  assert.equal(page.response.headers.get('cache-control'), 'no-store');
  const form = /<form method="post" action="([^"]*)">([\s\S]*?)<\/form>/.exec(page.html);
  assert.equal(decoded(form?.[1] ?? ''), of.redirectUris[0]);
  assert.match(form?.[2] ?? '', /<button[^>]*type="submit"/);
  const fields = [...(form?.[2] ?? '').matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  return Object.fromEntries(fields.map(([, name, value]) => [name, decoded(value ?? '')]));
};
const begin = (browser: TestBrowser, params: Form = {}, of = app) =>
  of.start({ resource: resource.uri, response_mode: 'form_post', ...params }, browser);
const toConsent = async (browser: TestBrowser, params: Form = {}, of = app) =>
  browser.follow(await signIn(browser, await browser.follow(await begin(browser, params, of)), user));

test('form_post: the code goes in a form, and works [R9207-01]', async () => {
  const browser = new TestBrowser();
  const { verifier, challenge } = pkce();
  const consent = await toConsent(browser, { code_challenge: challenge });
  const page = await answerConsent(browser, consent, 'allow');
  const fields = posted(page, app);
  assert.deepEqual(Object.keys(fields).sort(), ['code', 'iss', 'state']);
  assert.equal(fields.iss, server.issuer);
  assert.equal(fields.state, 'the-state');
  const redirectUri = app.redirectUris[0] as string;
  const callback = new URL(redirectUri);
  ok(await app.redeem({ code: fields.code as string, verifier, redirectUri, resource: resource.uri, callback }));
  assert.deepEqual(Object.keys(posted(await begin(browser), app)).sort(), ['code', 'iss', 'state']); // consent held
});

test('form_post: refusals and errors travel the same way [R9207-01]', async () => {
  const browser = new TestBrowser();
  const refused = posted(await answerConsent(browser, await toConsent(browser, { prompt: 'consent' }), 'deny'), app);
  assert.equal(refused.error, 'access_denied');
  assert.equal(refused.iss, server.issuer);
  const wrong = posted(await begin(new TestBrowser(), { scope: 'bogus' }), app);
  assert.deepEqual(Object.keys(wrong).sort(), ['error', 'error_description', 'iss', 'state']);
  assert.equal(wrong.error, 'invalid_scope');
  assert.equal(posted(await begin(new TestBrowser(), { prompt: 'none' }), app).error, 'login_required');
});

test('form_post: one script, one destination, nothing else may run or be posted to [threat A11] [O21-60]', async () => {
  const page = await begin(new TestBrowser(), { scope: 'bogus' });
  const policy = String(page.response.headers.get('content-security-policy'));
  const script = /<script>([\s\S]*?)<\/script>/.exec(page.html)?.[1] ?? '';
  assert.ok(policy.includes(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`));
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /form-action https:\/\/app\.example\.com(;|$)/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /base-uri 'none'/);
  assert.equal(page.response.headers.get('x-frame-options'), 'DENY');
  assert.equal(page.html.match(/<script/g)?.length, 1);
});

test('form_post: state is text, whatever it looks like [threat A11] [O21-61]', async () => {
  const state = '"></form><form action="https://evil.example"><script>alert(1)</script>\'`<&';
  const page = await begin(new TestBrowser(), { scope: 'bogus', state });
  assert.equal(posted(page, app).state, state);
  assert.ok(!page.html.includes('alert(1)</script>'));
  assert.equal(page.html.match(/<form/g)?.length, 1);
  const odd = await server.client({ redirectUris: ["https://app.example.com/cb?a=1&b='x'"] });
  assert.equal(posted(await begin(new TestBrowser(), { scope: 'bogus' }, odd), odd).error, 'invalid_scope');
});

test('form_post: a registered query is kept, but nothing in it that looks like our answer', async () => {
  const of = await server.client({ redirectUris: ['https://app.example.com/cb?tenant=1&code=old&c%6Fde=older&iss=x'] });
  const browser = new TestBrowser();
  const allowed = await answerConsent(browser, await toConsent(browser, {}, of), 'allow');
  assert.equal(decoded(/action="([^"]*)"/.exec(allowed.html)?.[1] ?? ''), 'https://app.example.com/cb?tenant=1');
});

test('form_post reaches an app that listens on this device', async () => {
  const local = await server.client({ redirectUris: ['http://127.0.0.1:7777/cb'] });
  const page = await begin(new TestBrowser(), { scope: 'bogus' }, local);
  assert.equal(posted(page, local).error, 'invalid_scope');
  assert.match(String(page.response.headers.get('content-security-policy')), /form-action http:\/\/127\.0\.0\.1:7777/);
});

test('form_post cannot reach a private-use scheme: the client is told in the query', async () => {
  const native = await server.client({ redirectUris: ['com.example.app:/cb'] });
  deniedByRedirect(await begin(new TestBrowser(), {}, native), native, 'invalid_request', server.issuer);
});

test('form_post does not make errors of self-registered clients bounce [threat B12]', async () => {
  const evil = await server.client({ source: 'dcr', redirectUris: ['https://evil.example/cb'] });
  const browser = new TestBrowser();
  const page = await begin(browser, { scope: 'bogus' }, evil);
  deniedByPage(page);
  const link = /href="([^"]*oauth\/return[^"]*)"/.exec(page.html)?.[1]?.replaceAll('&#38;', '&') as string;
  assert.equal(posted(await browser.get(new URL(link, page.url).href), evil).error, 'invalid_scope');
  deniedByPage(await new TestBrowser().get(new URL(link, page.url).href));
});

for (const response_mode of ['fragment', 'query.jwt', 'web_message', 'FORM_POST', 'jwt'])
  test(`response_mode=${response_mode} is refused, in the query [R9700-14] [threat A11]`, async () => {
    const page = await app.start({ resource: resource.uri, response_mode });
    deniedByRedirect(page, app, 'invalid_request', server.issuer);
    assert.equal(page.location?.hash, '');
  });

for (const response_type of ['token', 'id_token', 'code token', 'none', 'CODE', 'code id_token'])
  test(`response_type=${response_type} is refused, and not remembered [threat A11] [O21-33 O21-34]`, async () => {
    const browser = new TestBrowser();
    const page = await app.start({ resource: resource.uri, response_type }, browser);
    deniedByRedirect(page, app, 'unsupported_response_type', server.issuer);
    const answer = await app.throughPages(browser, await app.start({ resource: resource.uri }, browser), { user });
    assert.deepEqual([...answer.searchParams.keys()].sort(), ['code', 'iss', 'state']);
  });

test('metadata says which modes there are, and that iss is in every answer [MCP-10 R9207-03]', async () => {
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    const metadata = (await (await fetch(`${server.issuer}/.well-known/${name}`)).json()) as Record<string, unknown>;
    assert.deepEqual(metadata.response_modes_supported, ['query', 'form_post']);
    assert.equal(metadata.authorization_response_iss_parameter_supported, true);
    assert.equal(metadata.issuer, server.issuer);
  }
});

for (const issuerPath of ['', '/tenant/one'])
  test(`iss is the issuer to the letter, on success and on every error${issuerPath && ', with a path'} [MCP-09 MCP-11 R9207-01 R9207-02] [threat C08]`, async () => {
    const at = issuerPath ? await startAuthServer({ issuerPath }) : server;
    const person = await at.user();
    const { uri } = await at.resource();
    const client = await at.client();
    const metadata = await (await fetch(`${at.issuer}/.well-known/oauth-authorization-server`)).json();
    const { issuer } = metadata as { issuer: string };
    assert.ok(!issuer.includes('?') && !issuer.includes('#'));
    const browser = new TestBrowser();
    const answers = [
      await client.throughPages(browser, await client.start({ resource: uri }, browser), { user: person }),
      (await client.start({ resource: uri, scope: 'bogus' })).location,
      (await client.start({ resource: uri, response_type: 'token' })).location,
      (await client.start({ resource: 'https://nobody.example/' })).location,
      (await client.start({ resource: uri, prompt: 'none' })).location,
      (await client.start({ resource: uri, acr_values: 'x' })).location,
    ];
    const asked = await browser.follow(await client.start({ resource: uri, prompt: 'consent' }, browser));
    answers.push((await answerConsent(browser, asked, 'deny')).location);
    for (const answer of answers) assert.equal(answer?.searchParams.get('iss'), issuer, String(answer));
  });
