/** Other releases of this repository, brought to life beside the checkout. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { version } from '@authserver/telemetry';
import { cleanEnvironment, root } from '../support/server-process.ts';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 300_000;

/** Where they are kept from one run to the next. */
const cache =
  process.env.CLUSTER_RELEASES ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'authserver-releases');

const git = async (...args: string[]): Promise<string> => (await run('git', args, { cwd: root })).stdout.trim();

/**
 * The newest tag `vX.Y.Z` of an earlier release; undefined when there is none, as in a clone without tags or before the
 * first release.
 */
export const previousRelease = async (): Promise<string | undefined> => {
  const tags = await git('tag', '--list', 'v*.*.*', '--merged', 'HEAD', '--sort=-version:refname').catch(() => '');
  return tags.split('\n').find((tag) => /^v\d+\.\d+\.\d+$/.test(tag) && tag !== `v${version}`);
};

/**
 * The directory of a checkout of `ref` with its dependencies, which its own bootstrap installs. It is made aside and
 * renamed, so a directory of that name is a whole one.
 *
 * @throws {Error} when there is no such commit, or its dependencies cannot be had
 */
export const checkOut = async (ref: string): Promise<string> => {
  const commit = await git('rev-parse', '--verify', `${ref}^{commit}`);
  const directory = join(cache, commit);
  if (existsSync(directory)) return directory;
  await mkdir(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}.`);
  try {
    await run('/bin/sh', ['-c', 'git archive "$0" | tar -x -C "$1"', commit, work], { cwd: root });
    await run(process.execPath, ['scripts/bootstrap.mjs', 'authserver', 'version'], {
      cwd: work,
      env: cleanEnvironment(),
      timeout: INSTALL_TIMEOUT_MS,
    });
    await rename(work, directory);
    return directory;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
};

/** Applies the migrations of the release in a checkout. */
export const migrateWith = async (release: string, dsn: string): Promise<void> => {
  await run(process.execPath, [join(release, 'cli/bin/authserver.js'), 'migrate'], {
    cwd: release,
    env: cleanEnvironment({ AUTHPLANE_STORAGE_DRIVER: 'postgres', AUTHPLANE_STORAGE_POSTGRES_DSN: dsn }),
  });
};
