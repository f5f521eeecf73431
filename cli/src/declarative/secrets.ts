import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Environment } from '@authserver/config';
import type { Parsed } from './parse.ts';

/**
 * Puts the secrets of clients and providers in the place of what names them: `client_secret_ref: env:NAME`, or `file:PATH`,
 * from the file that says so. They go to the server in the body of the request and nowhere else. Of a provider any other
 * `client_secret_ref` names a variable of the server, and is left to it.
 */
export const resolveSecrets = async ({ lists, fileOf, placeOf }: Parsed, env: Environment): Promise<string[]> => {
  const problems: string[] = [];
  const resolveIn = async (
    holder: Record<string, unknown>,
    { list, index, what, path = '' }: { list: 'clients' | 'providers'; index: number; what: string; path?: string },
  ): Promise<void> => {
    const refuse = (member: string, message: string) =>
      problems.push(`${placeOf(list, index, path + member)}: ${what}: ${path}${member}: ${message}`);
    if ('client_secret' in holder) refuse('client_secret', 'a secret is not for files; name it in client_secret_ref');
    const { client_secret_ref: reference } = holder;
    const [, kind, name = ''] = /^(env|file):(.+)$/.exec(typeof reference === 'string' ? reference : '') ?? [];
    if (reference === undefined || (list === 'providers' && kind === undefined)) return;
    delete holder.client_secret_ref;
    const found = kind === 'env' ? env[name] : kind === 'file' ? await read(fileOf(list, index), name) : undefined;
    if (found) holder.client_secret = found;
    else if (kind === undefined) refuse('client_secret_ref', 'must be env:NAME or file:PATH');
    else
      refuse(
        'client_secret_ref',
        kind === 'env' ? `the environment has no ${name}` : `${name} is empty or cannot be read`,
      );
  };
  for (const [index, client] of (lists.clients ?? []).entries())
    await resolveIn(client, { list: 'clients', index, what: `client ${client.client_id}` });
  for (const [index, provider] of (lists.providers ?? []).entries()) {
    const { config_data: data } = provider;
    if (typeof data !== 'object' || data === null || Array.isArray(data)) continue;
    const place = { list: 'providers', index, what: `provider ${provider.slug}`, path: 'config_data.' } as const;
    await resolveIn(data as Record<string, unknown>, place);
  }
  return problems;
};

const read = (from: string | undefined, path: string): Promise<string | undefined> =>
  readFile(resolve(from === undefined ? '.' : dirname(from), path), 'utf8').then(
    (content) => content.replace(/\r?\n$/, ''),
    () => undefined,
  );
