/** The device and account pages in a real browser: by keyboard, without scripts, on a phone, in the dark. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { decodeJwt } from 'jose';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';
import { deviceGrantType, TestDevice } from '../support/device.ts';
import { desk, fits, openPage, phone, picture, signInAt } from '../support/real-browser.ts';
import { startServer } from '../support/started-server.ts';
import { denied, ok } from '../support/test-app.ts';

const launched = await launchChromium();
const skip = 'missing' in launched ? launched.missing : false;
const chromium = launched as Browser;

const server = await startServer();
const user = await server.user();
const resource = 'https://notes.example.com/mcp';
await server.resource({
  slug: 'notes',
  uri: resource,
  name: 'Team notes',
  scopes: ['tools/read||Read your notes', 'tools/write||Change and delete your notes'],
});
const wish = { resource, scope: 'tools/read tools/write' };
const terminal = async (name = 'Example CLI') =>
  new TestDevice(await server.client({ name, authMethod: 'none', grantTypes: [deviceGrantType, 'refresh_token'] }));
const cli = await terminal();

const firefox = { ...desk, userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Firefox/132.0' };

const open = (t: TestContext, options: BrowserContextOptions = firefox, expected?: RegExp) =>
  openPage(chromium, t, options, expected);

const signIn = (page: Page) => signInAt(page, user);
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

test('a device is connected by its code, and seen and taken back on the account page', { skip }, async (t) => {
  const page = await open(t, firefox, /status of 422/);
  const asked = await cli.start(wish);
  await page.goto(asked.verification_uri);
  await page.getByText('to connect a device').waitFor();
  await picture(page, 'device-login');
  await signIn(page);
  await page.locator('#user-code:focus').waitFor(); // ready to type, once the browser has drawn it
  await picture(page, 'device-code');
  await page.keyboard.type('bbbb bbbb');
  await page.keyboard.press('Enter');
  assert.match((await page.getByRole('alert').textContent()) ?? '', /No device waits with this code/);
  await picture(page, 'device-code-wrong');
  await page.getByLabel('Code').fill(asked.user_code.toLowerCase().replace('-', ''));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Let this device use Team notes?' }).waitFor();
  await picture(page, 'device-confirm');
  await page.getByLabel('Change and delete your notes').uncheck();
  await press(page, 'Allow');
  await page.getByText('Your device is connected').waitFor();
  await picture(page, 'device-done');
  const tokens = ok(await cli.poll(asked.device_code));
  assert.equal(tokens.scope, 'tools/read');
  assert.equal(decodeJwt(tokens.access_token).sub, user.id);

  await page.getByRole('link', { name: 'See your apps' }).click();
  await page.getByRole('heading', { name: 'Your account' }).waitFor();
  const row = page.getByRole('list', { name: 'Apps that may act for you' }).getByRole('listitem');
  assert.match((await row.textContent()) ?? '', /Example CLI.*Team notes.*tools\/read/s);
  assert.equal(await page.getByText('this browser').count(), 1);
  await picture(page, 'account');
  await press(page, 'Take back');
  await page.getByRole('status').getByText('The app no longer has access.').waitFor();
  denied(await cli.app.refresh(tokens.refresh_token), 'invalid_grant');
});

test('without JavaScript, from a link with the code: it is compared, and Enter is no consent', { skip }, async (t) => {
  const page = await open(t, { ...firefox, javaScriptEnabled: false });
  const asked = await cli.start(wish);
  await page.goto(asked.verification_uri_complete);
  await signIn(page);
  await page.getByText(asked.user_code, { exact: true }).waitFor();
  await picture(page, 'device-compare');
  await press(page, 'Yes, my device shows this code');
  await page.getByLabel('Read your notes').focus();
  await page.keyboard.press('Enter');
  await page.getByText('The device was refused').waitFor();
  denied(await cli.poll(asked.device_code), 'access_denied');
});

test('on a phone every page fits, light and dark, whatever the app calls itself', { skip }, async (t) => {
  const hostile = await terminal(`${'W'.repeat(120)}\u202e<b>moc.elpmaxe</b>`);
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await open(t, { ...phone, colorScheme });
    const shot = async (name: string) => {
      await fits(page);
      await picture(page, `${name}-phone-${colorScheme}`);
    };
    const asked = await hostile.start(wish);
    await page.goto(asked.verification_uri_complete);
    await signIn(page);
    await shot('device-compare');
    await press(page, 'Yes, my device shows this code');
    await shot('device-confirm');
    await press(page, 'Allow');
    await page.getByText('Your device is connected').waitFor();
    ok(await hostile.poll(asked.device_code));
    const ordinary = await cli.start(wish);
    await page.goto(ordinary.verification_uri_complete);
    await press(page, 'Yes, my device shows this code');
    await press(page, 'Allow');
    await page.getByText('Your device is connected').waitFor();
    await page.goto(`${server.issuer}/account`);
    assert.equal(await page.locator('b').count(), 0, 'markup in a name stays text');
    await shot('account');
    await page.goto(server.issuer);
    await page.getByRole('link', { name: /your apps/ }).click();
    await press(page, 'Take back all of them');
    await page.getByText('You have not allowed any app').waitFor();
    await shot('account-empty');
  }
});
