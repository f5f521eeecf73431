import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { TestUser } from './auth-server.ts';
import { artifact } from './chromium.ts';

export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const desk = { viewport: { width: 1280, height: 800 } };

/** A person with a browser of their own; the test fails if anything is reported in its console that is not `expected`. */
export const openPage = async (
  chromium: Browser,
  t: TestContext,
  options: BrowserContextOptions = desk,
  expected?: RegExp,
): Promise<Page> => {
  const context = await chromium.newContext(options);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  t.after(async () => {
    await context.close();
    assert.deepEqual(
      complaints.filter((complaint) => !expected?.test(complaint)),
      [],
    );
  });
  return page;
};

export const signInAt = async (page: Page, { email, password }: TestUser): Promise<void> => {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
};

/** For a person to look at. */
export const picture = async (page: Page, name: string): Promise<void> => {
  await page.screenshot({ path: artifact(`${name}.png`), fullPage: true });
};

/** Asserts that nothing is wider than the screen. */
export const fits = async (page: Page): Promise<void> => {
  const content = await page.evaluate<number>('document.documentElement.scrollWidth');
  const screen = await page.evaluate<number>('document.documentElement.clientWidth');
  assert.ok(content <= screen, `${page.url()} is ${content} wide on a screen of ${screen}`);
};
