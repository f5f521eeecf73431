import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OAuthError } from './errors.ts';
import { formatScope, includesAll, intersectScopes, isScopeToken, parseScope } from './scope.ts';

const parsed: [scope: string | undefined, scopes: string[] | undefined][] = [
  [undefined, undefined],
  ['', undefined],
  ['   ', undefined],
  ['tools/read', ['tools/read']],
  ['tools/read tools/write', ['tools/read', 'tools/write']],
  ['b a b  a', ['b', 'a']],
  ['Tools tools', ['Tools', 'tools']],
  ['offline_access', undefined],
  ['tools/read offline_access', ['tools/read']],
];

for (const [scope, scopes] of parsed)
  test(`scope ${JSON.stringify(scope)} is read`, () => assert.deepEqual(parseScope(scope), scopes));

for (const scope of [
  'a"b',
  'a\\b',
  'a\tb',
  'é',
  'a\u0000',
  `${'x'.repeat(257)}`,
  Array.from({ length: 101 }, (_, i) => `s${i}`).join(' '),
])
  test(`scope ${JSON.stringify(scope).slice(0, 30)} is invalid_scope`, () =>
    assert.throws(
      () => parseScope(scope),
      (error) => error instanceof OAuthError && error.code === 'invalid_scope',
    ));

test('a scope-token has the characters of RFC 6749 §3.3', () => {
  for (const token of ['!', '#', '[', ']', '~', 'tools/read:all', 'x'.repeat(256)])
    assert.ok(isScopeToken(token), token);
  for (const token of ['', ' ', '"', '\\', '\u007f', 'a b', 'x'.repeat(257)])
    assert.ok(!isScopeToken(token), JSON.stringify(token));
});

test('sets are compared without regard to order', () => {
  assert.ok(includesAll(['a', 'b'], ['b', 'a']));
  assert.ok(includesAll([], []));
  assert.ok(!includesAll(['a'], ['a', 'b']));
  assert.deepEqual(intersectScopes(['a', 'b', 'c'], ['c', 'a']), ['a', 'c']);
  assert.equal(formatScope(['a', 'b']), 'a b');
});
