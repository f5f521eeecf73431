import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '@authserver/http';
import type { FastifyRequest } from 'fastify';
import { requireApiKey } from './auth.ts';

const ask = (apiKey: string | undefined, authorization: string | undefined) =>
  requireApiKey(apiKey, 'admin')({ headers: { authorization } } as FastifyRequest);

test('the admin key, by any spelling of the scheme', async () => {
  for (const header of ['Bearer the-key', 'bearer the-key', 'BEARER  the-key']) await ask('the-key', header);
});

test('anything else is refused with a challenge', async () => {
  const cases: [string | undefined, string | undefined][] = [
    ['the-key', undefined],
    ['the-key', ''],
    ['the-key', 'Bearer'],
    ['the-key', 'Bearer the-ke'],
    ['the-key', 'Bearer the-key2'],
    ['the-key', 'Bearer the-key extra'],
    ['the-key', 'Basic the-key'],
    [undefined, 'Bearer undefined'],
    ['', 'Bearer '],
  ];
  for (const [key, header] of cases)
    await assert.rejects(
      ask(key, header),
      (error) =>
        error instanceof Problem &&
        error.status === 401 &&
        error.headers['www-authenticate'] === 'Bearer realm="admin"' &&
        !error.message.includes('the-key'),
    );
});
