import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const INSTALL_TIMEOUT_MS = 120_000;
/** Another test file may be installing something at the same moment. */
const ATTEMPTS = 5;

export const inCi = !['', '0', 'false'].includes(process.env.CI ?? '');

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const installed = (names: readonly string[]): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .concat('/usr/bin', '/usr/sbin', '/usr/local/sbin') // Debian keeps servers where ordinary users do not look
    .flatMap((directory) => names.map((name) => join(directory, name)))
    .find(isExecutable);

/** The first of these programs that is there; if none is, in CI as root on Debian the packages are installed. */
export const findProgram = async (
  names: readonly string[],
  packages: readonly string[],
): Promise<string | undefined> => {
  const found = installed(names);
  if (found !== undefined || !inCi || process.getuid?.() !== 0 || !isExecutable('/usr/bin/apt-get')) return found;
  const install = `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${packages.join(' ')}`;
  for (let attempt = 1; attempt <= ATTEMPTS && installed(names) === undefined; attempt += 1)
    await promisify(execFile)('/bin/sh', ['-c', install], {
      timeout: INSTALL_TIMEOUT_MS,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).catch(() => sleep(2_000 * attempt));
  return installed(names);
};
