import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Jwk } from '@authserver/oauth';
import { keepIdpKeys } from './idp-keys.ts';

const idp = { id: 'one', issuer: 'https://idp.example.com', jwksUri: undefined };
const count = { inc: () => {} };

const keepOf = (answers: readonly (readonly Jwk[] | Error)[]) => {
  let asked = 0;
  let now = 0;
  const kept = keepIdpKeys({
    idpKeys: {
      async find() {
        const answer = answers[asked];
        asked += 1;
        if (!answer || answer instanceof Error) throw answer ?? new Error('asked too often');
        return { jwksUri: 'https://idp.example.com/keys', keys: answer };
      },
    },
    ttlSeconds: 600,
    clock: { now: () => new Date(now) },
    metrics: { oidcJwksCacheHits: count, oidcJwksCacheMisses: count } as never,
  });
  return { kept, asked: () => asked, wait: (seconds: number) => (now += seconds * 1000) };
};
const [older, newer]: readonly Jwk[][] = [[{ kty: 'EC', kid: 'older' }], [{ kty: 'EC', kid: 'newer' }]];

test('whoever looked before somebody else fetched newer keys gets those, and asks nobody', async () => {
  const { kept, asked, wait } = keepOf([older as Jwk[], newer as Jwk[]]);
  const [first, second] = [await kept.of(idp), await kept.of(idp)];
  wait(31);
  assert.equal(await kept.newerOf(idp, first), newer);
  assert.equal(await kept.newerOf(idp, second), newer, 'although nobody may be asked again so soon');
  assert.equal(await kept.newerOf(idp, newer as Jwk[]), undefined);
  assert.equal(asked(), 2);
});

test('newer keys are asked for once by all who need them, and not again before half a minute has passed', async () => {
  const { kept, asked, wait } = keepOf([older as Jwk[], new Error('away'), newer as Jwk[]]);
  const known = await kept.of(idp);
  assert.equal(await kept.newerOf(idp, known), undefined, 'just asked');
  wait(31);
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => kept.newerOf(idp, known))), [undefined, undefined, undefined]);
  assert.equal(await kept.of(idp), known, 'what is known stays good');
  wait(31);
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => kept.newerOf(idp, known))), [newer, newer, newer]);
  assert.equal(asked(), 3);
});
