import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { findProgram, inCi } from './programs.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Where pictures for a person to look at go; not part of the repository. */
export const artifact = (name: string): string => {
  const directory = fileURLToPath(new URL('../artifacts/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  return join(directory, name);
};

/** CHROMIUM_PATH, else one that is installed, else in CI the one of the distribution. */
const findChromium = async (): Promise<string | undefined> =>
  process.env.CHROMIUM_PATH ?? (await findProgram(names, ['chromium', 'fonts-liberation']));

/**
 * A headless Chromium that ends with the test file, or the reason why there is none. In CI there is no such reason: it
 * throws, because a test that CI skips is a test nobody runs.
 */
export const launchChromium = async (): Promise<Browser | { missing: string }> => {
  const executablePath = await findChromium();
  if (executablePath === undefined) {
    const missing = 'no Chromium found; set CHROMIUM_PATH or install chromium';
    if (inCi) throw new Error(missing);
    return { missing };
  }
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // root cannot have Chromium's sandbox
  const browser = await chromium.launch({ executablePath, args: [...sandbox, '--disable-dev-shm-usage'] });
  after(() => browser.close());
  return browser;
};
