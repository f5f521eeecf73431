import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Environment } from '@authserver/config';
import type { Parsed } from './parse.ts';

/**
 * Puts the secrets of clients in the place of what names them: `client_secret_ref: env:NAME`, or `file:PATH`, from the
 * file that says so. They go to the server in the body of the request and nowhere else.
 */
export const resolveSecrets = async ({ lists, fileOf, placeOf }: Parsed, env: Environment): Promise<string[]> => {
  const problems: string[] = [];
  for (const [index, client] of (lists.clients ?? []).entries()) {
    const refuse = (member: string, message: string) =>
      problems.push(`${placeOf('clients', index, member)}: client ${client.client_id}: ${member}: ${message}`);
    if ('client_secret' in client) refuse('client_secret', 'a secret is not for files; name it in client_secret_ref');
    const { client_secret_ref: reference } = client;
    if (reference === undefined) continue;
    delete client.client_secret_ref;
    const [, kind, name = ''] = /^(env|file):(.+)$/.exec(typeof reference === 'string' ? reference : '') ?? [];
    const found = kind === 'env' ? env[name] : kind === 'file' ? await read(fileOf('clients', index), name) : undefined;
    if (found) client.client_secret = found;
    else if (kind === undefined) refuse('client_secret_ref', 'must be env:NAME or file:PATH');
    else
      refuse(
        'client_secret_ref',
        kind === 'env' ? `the environment has no ${name}` : `${name} is empty or cannot be read`,
      );
  }
  return problems;
};

const read = (from: string | undefined, path: string): Promise<string | undefined> =>
  readFile(resolve(from === undefined ? '.' : dirname(from), path), 'utf8').then(
    (content) => content.replace(/\r?\n$/, ''),
    () => undefined,
  );
