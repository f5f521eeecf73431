import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OAuthError } from '@authserver/oauth';
import type { DecidingPolicy } from '@authserver/store';
import { scopesByPolicy } from './policy.ts';

const rs = 'https://rs.example.com/mcp';
const policy = (members: Partial<DecidingPolicy> = {}): DecidingPolicy => ({
  id: 'p',
  clientIds: undefined,
  scopes: undefined,
  resources: undefined,
  ...members,
});
const cases: [name: string, policies: DecidingPolicy[], wanted: string[] | undefined, granted: string | undefined][] = [
  ['no policy', [], ['a'], undefined],
  ['one about everything', [policy()], ['a', 'b'], 'a b'],
  ['one about everything, and no wish', [policy()], undefined, 'default'],
  ['one about this client', [policy({ clientIds: ['other', 'me'] })], ['a'], 'a'],
  ['one about another client', [policy({ clientIds: ['other'] })], ['a'], undefined],
  ['one about this resource', [policy({ resources: ['https://RS.example.com/mcp'] })], ['a'], 'a'],
  ['one about another resource', [policy({ resources: [`${rs}/x`] })], ['a'], undefined],
  ['a bound that is wider', [policy({ scopes: ['a', 'b'] })], ['a'], 'a'],
  ['a bound that narrows', [policy({ scopes: ['b', 'c'] })], ['a', 'b'], 'b'],
  ['a bound that leaves nothing', [policy({ scopes: ['c'] })], ['a', 'b'], undefined],
  ['a bound, and no wish', [policy({ scopes: ['c', 'd'] })], undefined, 'c d'],
  ['an empty bound', [policy({ scopes: [] })], undefined, undefined],
  ['the first that fits', [policy({ clientIds: ['x'] }), policy({ scopes: ['b'] }), policy()], ['a', 'b'], 'b'],
  ['a refusal that comes first', [policy({ scopes: [] }), policy()], ['a'], undefined],
];
for (const [name, policies, wanted, granted] of cases)
  test(`${name}: ${granted ?? 'denied'}`, () => {
    const ask = () => scopesByPolicy(policies, { clientId: 'me', resource: rs, wanted, otherwise: ['default'] });
    if (granted !== undefined) assert.equal(ask().join(' '), granted);
    else
      assert.throws(
        ask,
        (error) => error instanceof OAuthError && error.code === 'access_denied' && error.status === 403,
      );
  });

test('a policy about resources says nothing of a token for this server itself', () => {
  const ask = (policies: DecidingPolicy[]) =>
    scopesByPolicy(policies, { clientId: 'me', resource: undefined, wanted: ['a'], otherwise: [] });
  assert.throws(() => ask([policy({ resources: [rs] })]), OAuthError);
  assert.deepEqual(ask([policy()]), ['a']);
});
