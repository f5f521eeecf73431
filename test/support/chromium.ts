import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

const INSTALL_TIMEOUT_MS = 120_000;
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Where pictures for a person to look at go; not part of the repository. */
export const artifact = (name: string): string => {
  const directory = fileURLToPath(new URL('../artifacts/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  return join(directory, name);
};

const inCi = !['', '0', 'false'].includes(process.env.CI ?? '');
const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const installed = (): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/bin')
    .flatMap((directory) => names.map((name) => join(directory, name)))
    .find(isExecutable);

/** CHROMIUM_PATH, else one that is installed, else in CI as root on Debian the one of the distribution. */
const findChromium = async (): Promise<string | undefined> => {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  const found = installed();
  if (found !== undefined || !inCi || process.getuid?.() !== 0 || !isExecutable('/usr/bin/apt-get')) return found;
  const script = 'apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation';
  await promisify(execFile)('/bin/sh', ['-c', script], {
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return installed();
};

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
