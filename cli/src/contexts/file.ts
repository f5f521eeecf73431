/**
 * Servers an operator works with, by name: `authserver/contexts.json` in the configuration directory of the user (XDG Base
 * Directory), readable by nobody else. It says where the key of each comes from, and holds a key only when one was put in.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import type { Environment } from '@authserver/config';
import { z } from 'zod';
import { CommandFailure, exitCodes } from '../failure.ts';

const ContextName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** At most one of the three says where the key comes from; none of them leaves it to the environment. */
const Context = z.strictObject({
  admin_url: z.string(),
  key_env: z.string().optional(),
  key_file: z.string().optional(),
  key: z.string().optional(),
});
const Contexts = z.strictObject({
  current: z.string().optional(),
  contexts: z.record(ContextName, Context).default({}),
});

export type Context = z.output<typeof Context>;
export type Contexts = z.output<typeof Contexts>;

export const isContextName = (name: string): boolean => ContextName.safeParse(name).success;

/** A relative `XDG_CONFIG_HOME` is none, says the specification. */
export const contextsPath = (env: Environment): string => {
  const { XDG_CONFIG_HOME: directory } = env;
  const home = env.HOME || homedir();
  const base = directory && isAbsolute(directory) ? directory : join(home, '.config');
  return join(base, 'authserver', 'contexts.json');
};

/** @throws {CommandFailure} when the file cannot be used, or others can read a key in it */
export const readContexts = async (env: Environment): Promise<Contexts> => {
  const path = contextsPath(env);
  const refused = (why: string, cause?: unknown) =>
    new CommandFailure('contexts', exitCodes.failure, `${path} ${why}`, { cause });
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw refused('cannot be read', error);
  });
  if (text === undefined) return { contexts: {} };
  const contexts = parse(text);
  if (!contexts) throw refused('is not a file of contexts; repair or remove it');
  const holdsKey = Object.values(contexts.contexts).some(({ key }) => key !== undefined);
  if (holdsKey && process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0)
    throw refused(`holds a key and can be read by others; run: chmod 600 ${path}`);
  return contexts;
};

const parse = (text: string): Contexts | undefined => {
  try {
    return Contexts.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

/** Replaces the file as a whole, so that a command that is killed leaves the old one. */
export const writeContexts = async (env: Environment, contexts: Contexts): Promise<void> => {
  const path = contextsPath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(draft, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await chmod(draft, 0o600);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
};
