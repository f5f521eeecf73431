import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReadiness } from '@authserver/http';
import type { Keyring, Signer } from '@authserver/keys';
import { signingCheck } from './checks.ts';

const report = async (signer: () => Signer) => {
  const check = signingCheck({ signer } as Keyring);
  return (await createReadiness({ checks: () => [check] }).report()).checks.signing;
};
const signsWith = (sign: Signer['sign']) => () => ({ kid: 'k', alg: 'ES256', sign }) as Signer;

const cases: readonly [what: string, signer: () => Signer, status: string][] = [
  ['a key that signs', signsWith(() => Buffer.from('signature')), 'ok'],
  ['a key elsewhere that signs', signsWith(async () => Buffer.from('signature')), 'ok'],
  ['a key elsewhere that does not answer', signsWith(() => Promise.reject(new Error('away'))), 'degraded'],
  [
    'a key that cannot sign',
    signsWith(() => {
      throw new Error('broken');
    }),
    'failed',
  ],
  [
    'no keys',
    () => {
      throw new Error('The keyring has not been loaded.');
    },
    'failed',
  ],
];

for (const [what, signer, status] of cases)
  test(`${what}: ${status}`, async () => assert.equal((await report(signer))?.status, status));
