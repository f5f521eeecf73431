import type { Environment } from '@authserver/config';
import { findApiKey, readKey } from '../api-key.ts';
import { CommandFailure, exitCodes, usageFailure } from '../failure.ts';
import { parseAdminUrl } from '../http-transport.ts';
import { type Context, type Contexts, readContexts } from './file.ts';

/** Where a command goes: into this process, or to an admin service with the key that belongs there. */
export type Target =
  | { kind: 'in-process'; configPath: string }
  | { kind: 'http'; adminUrl: URL; findKey(): Promise<string | undefined> };

export type TargetChoice = {
  /** With what the environment says where the command line says nothing. */
  flags: { config?: string | undefined; adminUrl?: string | undefined; context?: string | undefined };
  /** Names of the flags on the command line itself. */
  given: ReadonlySet<string>;
  env: Environment;
};

const defaultAdminUrl = 'http://localhost:9001';

/**
 * What the command line says goes before the environment, the environment before the current context, and that before
 * this machine. A context has its own key: one that lies in the environment for another server does not go there.
 *
 * @throws {CommandFailure}
 */
export const chooseTarget = async ({ flags, given, env }: TargetChoice): Promise<Target> => {
  const { config, adminUrl, context } = flags;
  if (given.has('context') && (given.has('admin-url') || given.has('config')))
    throw usageFailure('--context names a server; leave out --admin-url and --config');
  const onCommandLine = given.has('admin-url') || given.has('config');
  if (context && !onCommandLine) {
    if (!given.has('context') && adminUrl) throw usageFailure('set either AUTHPLANE_CONTEXT or AUTHPLANE_ADMIN_URL');
    return ofContext(context, await readContexts(env), env);
  }
  if (adminUrl) return toService(adminUrl, config, env);
  if (config) return { kind: 'in-process', configPath: config };
  const contexts = await readContexts(env);
  if (contexts.current !== undefined) return ofContext(contexts.current, contexts, env);
  return toService(defaultAdminUrl, undefined, env);
};

const toService = (url: string, configPath: string | undefined, env: Environment): Target => {
  const adminUrl = parseAdminUrl(url);
  return { kind: 'http', adminUrl, findKey: () => findApiKey(adminUrl, { configPath, env }) };
};

const ofContext = (name: string, { contexts }: Contexts, env: Environment): Target => {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (!context)
    throw new CommandFailure(
      'not_found',
      exitCodes.notFound,
      `there is no context ${name}; see: authserver context list`,
    );
  const adminUrl = parseAdminUrl(context.admin_url);
  return { kind: 'http', adminUrl, findKey: () => keyOf(name, context, adminUrl, env) };
};

const keyOf = async (name: string, context: Context, adminUrl: URL, env: Environment): Promise<string | undefined> => {
  const { key, key_env: variable, key_file: file } = context;
  if (key !== undefined) return key;
  if (variable !== undefined) {
    const value = env[variable];
    if (!value) throw usageFailure(`the context ${name} takes its key from ${variable}, which is not set`);
    return value;
  }
  if (file === undefined) return findApiKey(adminUrl, { configPath: undefined, env });
  const content = await readKey(file);
  if (!content) throw usageFailure(`the context ${name} takes its key from ${file}, which is empty or cannot be read`);
  return content;
};
