import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OAuthError } from './errors.ts';
import { formatScope, includesAll, intersectScopes, isScopeToken, offlineAccess, parseScope } from './scope.ts';

const token = fc.constantFrom('a', 'b', 'A', 'tools/read', 'tools/write', 'tools', 'x:y', '!', '~', offlineAccess);
const scopes = fc.array(token, { maxLength: 8 });
const set = (names: readonly string[]) => [...new Set(names)].sort();

test('reading what was written changes nothing', () => {
  fc.assert(
    fc.property(scopes, (names) => {
      const read = parseScope(formatScope(names)) ?? [];
      assert.deepEqual(parseScope(formatScope(read)) ?? [], read);
      assert.deepEqual(set(read), set(names.filter((name) => name !== offlineAccess)));
      assert.equal(read.length, new Set(read).size);
    }),
  );
});

test('neither order nor repetition nor spaces mean anything', () => {
  const shuffled = scopes.chain((names) =>
    fc.record({
      names: fc.constant(names),
      again: fc.shuffledSubarray([...names, ...names], { minLength: names.length * 2 }),
      gap: fc.constantFrom(' ', '  '),
    }),
  );
  fc.assert(
    fc.property(shuffled, ({ names, again, gap }) => {
      assert.deepEqual(set(parseScope(again.join(gap)) ?? []), set(parseScope(names.join(' ')) ?? []));
    }),
  );
});

const character = fc.oneof(
  fc.constantFrom('a', 'B', '/', ':', ' '),
  fc.nat(0x2ff).map((unit) => String.fromCharCode(unit)),
);

test('what is read is made of scope-tokens, and what is not is refused (RFC 6749 §3.3) [R6749-06]', () => {
  fc.assert(
    fc.property(fc.string({ unit: character, maxLength: 12 }), (text) => {
      const grammatical = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text);
      if (!grammatical) assert.throws(() => parseScope(text), OAuthError);
      else for (const scope of parseScope(text) ?? []) assert.ok(isScopeToken(scope) && text.includes(scope));
    }),
  );
});

test('cutting gives a part of both, in the order of the first', () => {
  fc.assert(
    fc.property(scopes, scopes, scopes, (left, right, third) => {
      const both = intersectScopes(left, right);
      assert.ok(includesAll(left, both) && includesAll(right, both));
      assert.deepEqual(
        both,
        left.filter((name) => both.includes(name)),
      );
      assert.deepEqual(set(both), set(intersectScopes(right, left)));
      assert.deepEqual(intersectScopes(both, right), both);
      assert.deepEqual(
        intersectScopes(intersectScopes(left, right), third),
        intersectScopes(left, intersectScopes(right, third)),
      );
      if (includesAll(right, left)) assert.deepEqual(both, left);
    }),
  );
});

test('having everything is an order: reflexive, transitive, and kept by cutting', () => {
  fc.assert(
    fc.property(scopes, scopes, scopes, (left, right, third) => {
      assert.ok(includesAll(left, left) && includesAll(left, []));
      if (includesAll(left, right) && includesAll(right, third)) assert.ok(includesAll(left, third));
      if (includesAll(left, right)) assert.ok(includesAll(intersectScopes(left, third), intersectScopes(right, third)));
    }),
  );
});
