/** Where the page of a `consent_url` sends the browser after the answer, and how all of it looks in a real one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Browser } from 'playwright-core';
import { TestBrowser } from '../support/browser.ts';
import { launchChromium } from '../support/chromium.ts';
import { bodyOf, openSignedIn, startLibrary } from '../support/consent-url.ts';
import { desk, fits, openPage, phone, picture, signInAt } from '../support/real-browser.ts';
import { answerConsent, deniedByPage, ok } from '../support/test-app.ts';

const { server, gateway, library, grant, asked, at } = await startLibrary();
const launched = await launchChromium();
const skip = 'missing' in launched ? launched.missing : false;

const returns: [name: string, returnUrl: string, to: string | undefined][] = [
  ['of who asks', 'https://gateway.example.com/done', 'https://gateway.example.com/done?consent=denied'],
  ['of the client of the token', 'https://app.example.com/cb', 'https://app.example.com/cb?consent=denied'],
  [
    'at a loopback port of this time',
    'http://127.0.0.1:40123/cb?from=app',
    'http://127.0.0.1:40123/cb?from=app&consent=denied',
  ],
  ['of nobody', 'https://evil.example/', undefined],
  ['on another path', 'https://app.example.com/cb/../x', undefined],
  ['with more after it', 'https://app.example.com/cb?x=1', undefined],
  ['with a fragment', 'https://app.example.com/cb#x', undefined],
  ['over http', 'http://app.example.com/cb', undefined],
  ['with user info', 'https://app.example.com@evil.example/cb', undefined],
  ['of a host that begins alike', 'https://app.example.com.evil.example/cb', undefined],
  ['that is a script', 'javascript:alert(1)//https://app.example.com/cb', undefined],
  ['without a host', '//evil.example/', undefined],
  ['of a resource', library.uri, undefined],
  ['on another loopback path', 'http://127.0.0.1:40123/x', undefined],
];
let unanswered: ReturnType<typeof asked> | undefined;
for (const [name, returnUrl, to] of returns)
  test(`a return_url ${name} is ${to ? 'where the answer leads' : 'refused before anybody is asked'} [threat B01]`, async () => {
    unanswered ??= asked();
    const { user, url } = await (to === undefined ? unanswered : asked());
    const browser = new TestBrowser();
    const page = await openSignedIn(at(url, 0, { return_url: returnUrl }), user, browser);
    if (to === undefined) {
      deniedByPage(page);
      assert.match(page.html, /return_url/);
      assert.ok(!page.html.includes('evil.example') && !page.html.includes('<form'));
      return;
    }
    assert.ok(page.html.includes(new URL(returnUrl).host), page.html);
    const end = await answerConsent(browser, page, 'deny');
    assert.equal(end.status, 303);
    assert.equal(end.location?.href, to);
  });

test('in a real browser: signed out, as somebody else, asked, allowed, and back at the app', { skip }, async (t) => {
  const app = createServer((_request, response) =>
    response.setHeader('content-type', 'text/html').end('<link rel="icon" href="data:,">Back at the app'),
  ).listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close().closeAllConnections());
  const returnUrl = `http://127.0.0.1:${(app.address() as AddressInfo).port}/cb?from=app`;
  const { user, again, url } = await asked({ scope: 'tools/read tools/write' }, 'tools/read');
  const bob = await server.user();
  const page = await openPage(launched as Browser, t, desk, /status of 403/);
  await page.goto(`${url}&return_url=${encodeURIComponent(returnUrl)}`);
  await signInAt(page, bob);
  await page.getByRole('heading', { name: 'for another account' }).waitFor();
  await picture(page, 'consent-url-other-account');
  await page.getByRole('button', { name: 'Sign in with another account' }).click();
  await signInAt(page, user);
  await page.getByRole('heading', { name: 'Allow this app to use library?' }).waitFor();
  await picture(page, 'consent-url');
  await page.setViewportSize(phone.viewport);
  await fits(page);
  await picture(page, 'consent-url-phone');
  await page.getByRole('button', { name: 'Allow', exact: true }).click();
  await page.waitForURL(`${returnUrl}&consent=granted`);
  ok(await again(1));

  const { consent_url: another = '' } = bodyOf(await gateway.exchange(await grant(bob), { resource: library.uri }));
  const bobs = await openPage(launched as Browser, t);
  await bobs.goto(another);
  await signInAt(bobs, bob);
  await picture(bobs, 'consent-url-without-return');
  await bobs.getByRole('button', { name: 'Deny' }).click();
  await bobs.getByRole('heading', { name: 'Refused' }).waitFor();
  await picture(bobs, 'consent-url-refused');
});
